#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Steps with communication beside compute, waiting for it, and without it, in turns in one run: ZeRO-3
# with prefetch and without, tensor parallelism with sums beside weight gradients and without. Builds
# the program if needed. Goals, with two ranks and free cores: a step with prefetch takes less time
# than without, and at least half of the sums is hidden.
#
#   scripts/reference/step_forms.sh [--build DIR] [--ranks N] [--threads N] [program options, e.g. --json FILE]
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
build="$root/build/release"
ranks=2
threads=1
while [[ $# -gt 0 ]]; do
  case $1 in
    --build) build=${2:?--build needs a directory}; shift 2 ;;
    --ranks) ranks=${2:?--ranks needs a number}; shift 2 ;;
    --threads) threads=${2:?--threads needs a number}; shift 2 ;;
    *) break ;;
  esac
done

[[ -f "$build/CMakeCache.txt" ]] || cmake -G Ninja -S "$root" -B "$build" -DCMAKE_BUILD_TYPE=Release >&2
cmake --build "$build" --target step_forms_bench --parallel 2 >&2

# Root in a container is the usual user of a rented machine.
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMP_NUM_THREADS=$threads OPENBLAS_NUM_THREADS=$threads
exec mpirun --oversubscribe --bind-to none -np "$ranks" \
  "$build/tests/equivalence_steps/step_forms_bench" "$@"
