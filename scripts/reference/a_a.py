# SPDX-License-Identifier: Apache-2.0
"""The measuring and judging part of a_a.sh: a_a.py STEPMARK WORK PAIRS RANKS REPEAT OVER JSON."""

import collections
import hashlib
import json
import os
import resource
import statistics
import subprocess
import sys
import time

ADDED = 1.05
MARGIN = "1%"  # of compare: twice as strict as its default, for false verdicts as for what is found
WANTED = 0.8  # of the pairs in which 5 % was added


def busy_seconds():
    """CPU time of the machine since it was started, of all processes."""
    with open("/proc/stat", encoding="utf-8") as file:
        user, nice, system, _, _, irq, softirq, steal = map(int, file.readline().split()[1:9])
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def own_seconds():
    """CPU time of the runs that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


class Load:
    """What else the machine did while something was measured."""

    def __init__(self):
        self.at_start = os.getloadavg()
        self.averages = []
        self._begin = time.monotonic(), busy_seconds(), own_seconds()

    def note(self):
        self.averages.append(os.getloadavg()[0])

    def figures(self):
        wall, busy, own = (now - then for now, then in
                           zip((time.monotonic(), busy_seconds(), own_seconds()), self._begin))
        others = max(0.0, busy - own) / (wall * os.cpu_count())
        return {"load_average_at_start": self.at_start, "load_average_1min_median": statistics.median(self.averages),
                "load_average_1min_max": max(self.averages), "cpu_share_used_by_others": round(others, 4),
                "cpus": os.cpu_count(), "wall_s": round(wall, 1)}


class Measurement:
    """One `run --repeat` under way."""

    def __init__(self, stepmark, work, ranks, name, more=()):
        self.path = f"{work}/{name}.smk"
        launcher = ["mpirun", "--oversubscribe", "--bind-to", "none", "-np", str(ranks)] if ranks > 1 else []
        self._process = subprocess.Popen(
            [*launcher, stepmark, "run", "--suite", f"{work}/suite.yaml", "--out", self.path, *more],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def end(self):
        out, _ = self._process.communicate()
        if self._process.returncode != 0:
            sys.exit(f"{self.path}: run ended with exit code {self._process.returncode}:\n{out}")
        return self.path


def measure_pair(stepmark, work, ranks, repeat, over, number):
    """Paths of two runs that take turns, or (over: "0") of one after the other."""
    names = [f"{number}{side}" for side in "ab"]
    if over == "0":
        return tuple(Measurement(stepmark, work, ranks, name).end() for name in names)
    first = Measurement(stepmark, work, ranks, names[0], ("--repeat-over", over))
    time.sleep(float(over.removesuffix("s")) / repeat / 2)
    second = Measurement(stepmark, work, ranks, names[1], ("--repeat-over", over))
    return first.end(), second.end()


def overlapping(a, b):
    """Seconds in which both runs measured: what takes turns must not."""
    def spans(path):
        with open(path, encoding="utf-8") as file:
            records = [line for line in map(json.loads, file) if line["type"] == "record"]
        return [(record["started_unix_s"], record["started_unix_s"] + record["wall_s"]) for record in records]

    return sum(max(0.0, min(one[1], other[1]) - max(one[0], other[0])) for one in spans(a) for other in spans(b))


def slower_step(path):
    """A copy in which every sample of the step is 5 % longer, with hashes that fit where there are some."""
    copy_path = path.replace(".smk", "-slow.smk")
    previous = ""
    with open(path, encoding="utf-8") as source, open(copy_path, "w", encoding="utf-8") as copy:
        for line in source:
            value = json.loads(line)
            chained = value.pop("chain", None) is not None
            if "run_id" in value:
                value["run_id"] += "-slow"  # a run of its own
            if "started_unix_s" in value:
                value["started_unix_s"] += 1
            if value.get("family") == "step":
                for series in value["series"]:
                    series["values"] = [ADDED * sample for sample in series["values"]]
            body = json.dumps(value, separators=(",", ":"))[:-1]
            if chained:
                previous = hashlib.blake2b((previous + body).encode(), digest_size=32).hexdigest()
                body += f',"chain":"{previous}"'
            copy.write(body + "}\n")
    return copy_path


def compare(stepmark, a, b):
    done = subprocess.run([stepmark, "compare", a, b, "--margin", MARGIN, "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, check=False)
    if not done.stdout:
        sys.exit(f"compare {a} {b} ended with exit code {done.returncode}:\n{done.stderr}")
    return json.loads(done.stdout)["sides"][0]["cases"]


def brief(case):
    return {key: case.get(key) for key in ("case_id", "verdict", "ratio", "lower", "upper", "minimum_detectable",
                                           "reason")}


def shown(value):
    return "N/A" if value is None else f"{value:.3f}"


def judge_pairs(stepmark, runs):
    total = collections.Counter()
    alarms = []
    print("pair  verdicts")
    for number, (a, b) in enumerate(runs, 1):
        cases = compare(stepmark, a, b)
        verdicts = collections.Counter(case["verdict"] for case in cases)
        total += verdicts
        wrong = [case for case in cases if case["verdict"] in ("faster", "slower")]
        alarms += [{"pair": number, **brief(case)} for case in wrong]
        print(f"{number:4}  " + ", ".join(f"{count} {name}" for name, count in sorted(verdicts.items()))
              + "".join(f"  [{case['verdict']}: {case['case_id']} {shown(case['ratio'])}]" for case in wrong))
    return total, alarms


def step_of(cases):
    return next(case for case in cases if case["case_id"].startswith("step/"))


def judge_slower(stepmark, runs):
    """Each pair's first run against its second with the slower step: real differences between runs
    are in it, as they would be between builds."""
    print("5 % added to the step of the second run:")
    verdicts = [brief(step_of(compare(stepmark, a, slower_step(b)))) for a, b in runs]
    for number, verdict in enumerate(verdicts, 1):
        print(f"{number:4}  {verdict['verdict']:10} {shown(verdict['ratio'])}  detects "
              f"{shown(verdict['minimum_detectable'])}  {verdict['reason']}")
    return verdicts


def header_facts(path):
    with open(path, encoding="utf-8") as file:
        header = json.loads(file.readline())
    facts = {fact["name"]: fact["value"] for fact in header["environment"]}
    kept = ["CPU model", "cores", "hardware threads", "virtual machine", "memory", "mpi", "kernel"]
    return {"date": header["started"], "machine": {name: facts[name] for name in kept if name in facts},
            "build": {key: header[key] for key in ("tool_version", "git_revision", "dirty", "build_type")}}


def main():
    stepmark, work = sys.argv[1:3]
    pairs, ranks, repeat = map(int, sys.argv[3:6])
    over = sys.argv[6]
    load = Load()
    runs = []
    for number in range(1, pairs + 1):
        load.note()
        runs.append(measure_pair(stepmark, work, ranks, repeat, over, number))
        print(f"pair {number} of {pairs} measured", file=sys.stderr)
    figures = load.figures()
    together_s = sum(overlapping(*pair) for pair in runs)
    total, alarms = judge_pairs(stepmark, runs)
    calm = pairs - len({alarm["pair"] for alarm in alarms})
    print(f"{calm} of {pairs} pairs without a false verdict: {'ok' if calm == pairs else 'FAILED'}")
    slower = judge_slower(stepmark, runs[:10])
    count = sum(verdict["verdict"] == "slower" for verdict in slower)
    tried = min(pairs, 10)
    found = count >= WANTED * tried
    print(f"5 % added is found in {count} of {tried} pairs: {'ok' if found else 'FAILED'}")
    print(f"load: {figures}")
    with open(sys.argv[7], "w", encoding="utf-8") as file:
        json.dump({"what": f"A/A: pairs of run --repeat {repeat} of one build on one machine, and 5 % added to the step",
                   "script": "scripts/reference/a_a.sh", **header_facts(runs[0][0]), "load": figures, "ranks": ranks,
                   "repetitions": repeat, "threads_per_rank": os.environ.get("OMP_NUM_THREADS", "all"),
                   "runs_of_a_pair": "one after the other" if over == "0" else f"take turns (--repeat-over {over})",
                   "margin": MARGIN, "seconds_both_measured": round(together_s, 1), "pairs": pairs, "pairs_without_false_verdict": calm,
                   "verdicts": dict(total), "false_verdicts": alarms,
                   "five_percent_added_to_the_step": {"pairs": tried, "found": count, "verdicts": slower}},
                  file, indent=1)
        file.write("\n")
    sys.exit(0 if calm == pairs and found else 1)


if __name__ == "__main__":
    main()
