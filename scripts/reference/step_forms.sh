#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Steps with communication beside compute, waiting for it, and without it, in turns in one run: ZeRO-3
# with prefetch and without, tensor parallelism with sums beside weight gradients and without. Builds
# the program if needed. Goals, with two ranks and free cores: a step with prefetch takes less time
# than without, and at least half of the sums is hidden.
#
# Where ranks share memory, and cores are few, what travels costs the cores that compute. --link RATE (1gbit)
# puts two ranks on a host each, network namespaces with one core and a link of that rate between them
# (tc tbf), so that what travels is waited for; a rank that waits rests (resting_yield.cpp). Needs root.
#
#   scripts/reference/step_forms.sh [--build DIR] [--ranks N] [--threads N] [--link RATE] [program options, e.g. --json FILE]
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
build="$root/build/release"
ranks=2
threads=1
link=
while [[ $# -gt 0 ]]; do
  case $1 in
    --build) build=${2:?--build needs a directory}; shift 2 ;;
    --ranks) ranks=${2:?--ranks needs a number}; shift 2 ;;
    --threads) threads=${2:?--threads needs a number}; shift 2 ;;
    --link) link=${2:?--link needs a rate, e.g. 1gbit}; shift 2 ;;
    *) break ;;
  esac
done

[[ -f "$build/CMakeCache.txt" ]] || cmake -G Ninja -S "$root" -B "$build" -DCMAKE_BUILD_TYPE=Release >&2
cmake --build "$build" --target step_forms_bench resting_yield --parallel 2 >&2
build=$(cd "$build" && pwd)
program="$build/tests/equivalence_steps/step_forms_bench"

# Root in a container is the usual user of a rented machine.
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMP_NUM_THREADS=$threads OPENBLAS_NUM_THREADS=$threads
if [[ -z $link ]]; then
  exec mpirun --oversubscribe --bind-to none -np "$ranks" "$program" "$@"
fi

[[ $(id -u) == 0 ]] || { echo "step_forms.sh: --link makes network namespaces and needs root" >&2; exit 2; }
for tool in ip tc taskset; do
  command -v "$tool" > /dev/null || { echo "step_forms.sh: --link needs $tool (packages iproute2, util-linux)" >&2; exit 2; }
done
[[ $ranks == 2 ]] || { echo "step_forms.sh: --link is between 2 ranks, not $ranks" >&2; exit 2; }

hosts=("forms$$a" "forms$$b")
net=10.9.0
work=$(mktemp -d)
cleanup() {
  for host in "${hosts[@]}"; do ip netns del "$host" 2> /dev/null || true; done
  rm -rf "$work"
}
trap cleanup EXIT
for host in "${hosts[@]}"; do
  ip netns add "$host"
  ip -n "$host" link set lo up
done
ip link add link0 netns "${hosts[0]}" type veth peer name link0 netns "${hosts[1]}"
for i in 0 1; do
  ip -n "${hosts[i]}" addr add "$net.$((i + 1))/24" dev link0
  ip -n "${hosts[i]}" link set link0 up
  ip netns exec "${hosts[i]}" tc qdisc add dev link0 root tbf rate "$link" burst 256kb latency 50ms
done

# In place of ssh: the command on the host of an address, on a core of its own.
cat > "$work/rsh" <<'RSH'
#!/usr/bin/env bash
address=$1
shift
i=$((${address##*.} - 1))
read -ra hosts <<< "$STEPMARK_FORMS_HOSTS"
exec taskset -c "$i" ip netns exec "${hosts[i]}" bash -c "$*"
RSH
chmod +x "$work/rsh"
export STEPMARK_FORMS_HOSTS="${hosts[*]}"
taskset -c 0 ip netns exec "${hosts[0]}" mpirun --host "$net.1:1,$net.2:1" -np 2 --bind-to none \
  --mca plm_rsh_agent "$work/rsh" --mca pml ob1 --mca btl tcp,self --mca btl_tcp_if_include "$net.0/24" \
  --mca oob_tcp_if_include "$net.0/24" --mca mpi_yield_when_idle 1 \
  -x OMP_NUM_THREADS -x OPENBLAS_NUM_THREADS -x LD_PRELOAD="$build/tests/equivalence_steps/libresting_yield.so" \
  "$program" --link "$link" "$@"
