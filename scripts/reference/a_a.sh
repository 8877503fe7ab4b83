#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Does `stepmark compare` stay calm when nothing changed? Pairs of runs of the same build on the same
# machine must not be called faster or slower in at least 19 of 20 pairs, and a copy of a run with 5 %
# added to every sample must be called slower. Exit code 1 when either fails.
#
#   scripts/reference/a_a.sh [--build DIR] [--ranks N] [--pairs N] [--budget 5s] [--json FILE]
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
build="$root/build/release"
ranks=2
pairs=20
budget=5s
json=
while [[ $# -gt 0 ]]; do
  case $1 in
    --build) build=${2:?--build needs a directory}; shift 2 ;;
    --ranks) ranks=${2:?--ranks needs a number}; shift 2 ;;
    --pairs) pairs=${2:?--pairs needs a number}; shift 2 ;;
    --budget) budget=${2:?--budget needs a duration}; shift 2 ;;
    --json) json=${2:?--json needs a file}; shift 2 ;;
    *) echo "unknown option '$1'" >&2; exit 2 ;;
  esac
done
if [[ ! -x "$build/bin/stepmark" ]]; then
  cmake -S "$root" -B "$build" -DCMAKE_BUILD_TYPE=Release >&2
  cmake --build "$build" --target stepmark --parallel 2 >&2
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat > "$work/suite.yaml" <<YAML
suite: a-a
description: a step, two collectives and two kernels
budget: $budget
precision: 1%
cases:
  - family: step
    workload: tiny
    plan: ["tp=2,seq=32", "tp=1,seq=32"]
  - family: collective
    collectives: [all_reduce, all_gather]
    min: 256KiB
    max: 256KiB
    placement: out-of-place
  - family: kernel
    ops: [gelu_fwd, layernorm_fwd]
    max_bytes: 8MiB
YAML

# Root in a container is the usual user of a rented machine.
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
for ((pair = 1; pair <= pairs; ++pair)); do
  for side in a b; do
    mpirun --oversubscribe --bind-to none -np "$ranks" "$build/bin/stepmark" run \
      --suite "$work/suite.yaml" --out "$work/$pair$side.smk" > "$work/log" 2>&1 || {
      cat "$work/log" >&2
      exit 1
    }
  done
done

python3 - "$build/bin/stepmark" "$work" "$pairs" "$ranks" "$json" <<'PY'
import collections, json, subprocess, sys

stepmark, work, pairs, ranks, out = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5]


def compare(a, b):
    text = subprocess.run([stepmark, "compare", a, b, "--json"], stdout=subprocess.PIPE, text=True).stdout
    return json.loads(text)["sides"][0]["cases"]


total = collections.Counter()
alarms = []
print("pair  verdicts")
for pair in range(1, pairs + 1):
    cases = compare(f"{work}/{pair}a.smk", f"{work}/{pair}b.smk")
    verdicts = collections.Counter(case["verdict"] for case in cases)
    total += verdicts
    wrong = [case for case in cases if case["verdict"] in ("faster", "slower")]
    alarms += [{"pair": pair, **{key: case[key] for key in ("case_id", "verdict", "ratio", "lower", "upper")}}
               for case in wrong]
    print(f"{pair:4}  " + ", ".join(f"{count} {name}" for name, count in sorted(verdicts.items()))
          + "".join(f"  [{case['verdict']}: {case['case_id']} {case['ratio']:.3f}]" for case in wrong))
calm = pairs - len({alarm["pair"] for alarm in alarms})
calm_enough = calm * 20 >= pairs * 19
print(f"{calm} of {pairs} pairs without a false verdict: {'ok' if calm_enough else 'FAILED'}")

# Slower copies of the first runs, every sample 5 % longer: each alone against its original, and all
# together as repetitions of a side, which is how a small difference is meant to be looked for.
copies = min(pairs, 10)


def slow_copy(name):
    with open(f"{work}/{name}.smk", encoding="utf-8") as source, \
            open(f"{work}/{name}-slow.smk", "w", encoding="utf-8") as copy:
        for line in source:
            value = json.loads(line)
            if "run_id" in value:  # a run of its own
                value["run_id"] += "-slow"
            for series in value.get("series", []):
                series["values"] = [1.05 * sample for sample in series["values"]]
            copy.write(json.dumps(value, separators=(",", ":")) + "\n")
    return f"{work}/{name}-slow.smk"


originals = [f"{work}/{n}a.smk" for n in range(1, copies + 1)]
slower = [slow_copy(f"{n}a") for n in range(1, copies + 1)]


def tally(cases):
    able = [case for case in cases if (case["minimum_detectable"] or 1) <= 0.05]
    steps = [case for case in cases if case["case_id"].startswith("step/")]
    return {"steps": len(steps), "steps_found": sum(case["verdict"] == "slower" for case in steps),
            "able": len(able), "able_found": sum(case["verdict"] == "slower" for case in able)}


alone = tally([case for pair in zip(originals, slower) for case in compare(*pair)])
grouped_cases = compare(",".join(originals), ",".join(slower))
grouped = tally(grouped_cases)
slow_ok = grouped["steps_found"] == grouped["steps"] > 0 and \
    all(t["able_found"] == t["able"] for t in (alone, grouped))
for name, t in (("one run", alone), (f"{copies} runs", grouped)):
    print(f"5 % added, {name} per side: step called slower in {t['steps_found']} of {t['steps']}; "
          f"cases that can tell 5 %: {t['able_found']} of {t['able']}")
for case in grouped_cases:
    detects = "N/A" if case["minimum_detectable"] is None else f"{case['minimum_detectable']:.3f}"
    ratio = "N/A" if case["ratio"] is None else f"{case['ratio']:.3f}"
    print(f"  {case['verdict']:14} {ratio}  detects {detects}  {case['case_id']}  {case['reason']}")
print(f"5 % added is found: {'ok' if slow_ok else 'FAILED'}")

with open(f"{work}/1a.smk", encoding="utf-8") as file:
    header = json.loads(file.readline())
facts = {fact["name"]: fact["value"] for fact in header["environment"]}
kept = ["CPU model", "cores", "hardware threads", "virtual machine", "memory", "mpi", "kernel"]
if out:
    with open(out, "w", encoding="utf-8") as file:
        json.dump({"what": "A/A: pairs of runs of one build on one machine, and copies with 5 % added",
                   "script": "scripts/reference/a_a.sh", "date": header["started"],
                   "machine": {name: facts[name] for name in kept if name in facts},
                   "build": {key: header[key] for key in ("tool_version", "git_revision", "dirty", "build_type")},
                   "ranks": ranks, "pairs": pairs, "pairs_without_false_verdict": calm,
                   "verdicts": dict(total), "false_verdicts": alarms,
                   "five_percent_added": {"one_run_per_side": alone, f"{copies}_runs_per_side": grouped,
                                          "verdicts": grouped_cases}},
                  file, indent=2)
        file.write("\n")
sys.exit(0 if calm_enough and slow_ok else 1)
PY
