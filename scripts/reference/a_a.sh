#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Does `stepmark compare` stay calm when nothing changed, and does it find what did? Pairs of
# `run --repeat 8` of the same build on the same machine: no case of any pair may be called faster or
# slower. Then 5 % is added to every sample of the step in the second run of up to 10 pairs: it must be
# called slower than in the first run in 8 of 10. The margin is 1 %. Exit code 1 when either fails. About 25 minutes.
# The two runs of a pair take turns (`--repeat-over`): one measures in the other's pauses, so that what
# changes slowly meets both. --one-after-the-other measures without.
# Eight short repetitions find more than three long ones in the same time: what repetitions differ by is then
# known from 14 differences instead of four.
# One rank (no collectives) of one thread where there are no more than two cores: work that keeps every
# core busy measures the system's own work as well.
#
#   scripts/reference/a_a.sh [--build DIR] [--ranks N] [--pairs N] [--budget 32s] [--over 70s] [--repeat 8]
#                            [--one-after-the-other] [--json FILE]
#
# Figures go to results/reference-figures/a_a.json, with the load of the machine while they were made:
# they mean something on a quiet machine only.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
build="$root/build/host-release"
ranks=$(($(nproc) > 2 ? 2 : 1))
pairs=20
budget=32s
over=70s
repeat=8
json="$root/results/reference-figures/a_a.json"
while [[ $# -gt 0 ]]; do
  case $1 in
    --build) build=${2:?--build needs a directory}; shift 2 ;;
    --ranks) ranks=${2:?--ranks needs a number}; shift 2 ;;
    --pairs) pairs=${2:?--pairs needs a number}; shift 2 ;;
    --budget) budget=${2:?--budget needs a duration}; shift 2 ;;
    --over) over=${2:?--over needs a duration}; shift 2 ;;
    --one-after-the-other) over=0; shift ;;
    --repeat) repeat=${2:?--repeat needs a number}; shift 2 ;;
    --json) json=${2:?--json needs a file}; shift 2 ;;
    *) echo "unknown option '$1'" >&2; exit 2 ;;
  esac
done
if [[ ! -x "$build/bin/stepmark" ]]; then
  cmake -G Ninja -S "$root" -B "$build" -DCMAKE_BUILD_TYPE=Release >&2
  cmake --build "$build" --target stepmark --parallel 2 >&2
fi

collectives=''
if [[ $ranks -gt 1 ]]; then
  collectives='
  - family: collective
    collectives: [all_reduce, all_gather]
    min: 256KiB
    max: 256KiB
    placement: out-of-place'
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat > "$work/suite.yaml" <<YAML
suite: a-a
description: a step, collectives between ranks, and two kernels
budget: $budget
precision: 1%
repeat: $repeat
cases:
  - family: step
    workload: tiny
    plan: ["tp=$ranks,seq=32"]$collectives
  - family: kernel
    ops: [gelu_fwd, layernorm_fwd]
    max_bytes: 8MiB
YAML

# Root in a container is the usual user of a rented machine.
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
[[ $(nproc) -gt 2 ]] || export OMP_NUM_THREADS=1
python3 "$root/scripts/reference/a_a.py" "$build/bin/stepmark" "$work" "$pairs" "$ranks" "$repeat" "$over" "$json"
