#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# All-reduce through stepmark's Comm on a stream thread, side by side with a bare MPI_Allreduce loop,
# 4 KiB to 16 MiB in one run. Builds the program if needed. Goal: median ratio within 1.05 on 4 ranks.
#
#   scripts/reference/all_reduce_vs_mpi.sh [--build DIR] [--ranks N] [program options, e.g. --json FILE]
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
build="$root/build/release"
ranks=4
while [[ $# -gt 0 ]]; do
  case $1 in
    --build) build=${2:?--build needs a directory}; shift 2 ;;
    --ranks) ranks=${2:?--ranks needs a number}; shift 2 ;;
    *) break ;;
  esac
done

[[ -f "$build/CMakeCache.txt" ]] || cmake -G Ninja -S "$root" -B "$build" -DCMAKE_BUILD_TYPE=Release >&2
cmake --build "$build" --target stepmark_bench_all_reduce --parallel 2 >&2

# Root in a container is the usual user of a rented machine.
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
exec mpirun --oversubscribe --bind-to none -np "$ranks" \
  "$build/collectives/stepmark_bench_all_reduce" "$@"
