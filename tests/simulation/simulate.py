#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Verdicts of `stepmark compare` on journals with known truth.

  simulate.py STEPMARK [--short] [--comparisons N] [--only TEXT] [--jobs N] [--json FILE] [--markdown FILE]

Each comparison writes both sides' journals and calls the program as a user would. Figures:
  alarm                share of comparisons in which any case got faster or slower without being
                       beyond the margin, or in the wrong direction
  coverage             share of cases whose [lower, upper] holds the true ratio
  found                share of the changed cases found
  found_any            share of comparisons with any case called different
  found_at_detectable  share in which the first case, changed by the minimum_detectable that another
                       comparison of the same world printed for it, is found
  median_coverage      of single journals: share of cases whose median's interval (`report --json`)
                       holds the level
  false_same           share of comparisons in which any case beyond the margin is called same
Outcomes: "met"; "within error", outside its goal by no more than two standard errors, which is neither
met nor missed; "missed". Exit code 1 when a figure is missed."""
import argparse
import json
import math
import multiprocessing
import os
import random
import subprocess
import sys
import tempfile

from grid import SCENARIOS
from journals import World, case_id, write_run


def compare(binary, folder, generator, world, options):
    own = world.own_of_cases(generator)

    def side(name, runs, candidate):
        paths = [os.path.join(folder, f"{name}{r}.smk") for r in range(runs)]
        for path in paths:
            write_run(path, generator, world, candidate, own)
        return ",".join(paths)

    a = side("a", world.runs, False)
    b = side("b", world.candidate_runs or world.runs, True)
    more = ["--spread-from", side("h", world.history, False)] if world.history else []
    result = subprocess.run([binary, "compare", a, b, "--json", *options, *more],
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    if result.returncode not in (0, 1):
        raise RuntimeError(f"compare ended with {result.returncode}: {result.stderr}")
    output = json.loads(result.stdout)
    cases = {c["case_id"]: c for c in output["sides"][0]["cases"]}
    return output["margin"], [cases[case_id(c)] for c in range(world.cases)]


def judge(margin, cases, world):
    """Counts of one comparison."""
    out = {"alarm": 0, "false_same": 0, "found": 0, "found_any": 0, "covered": 0}
    for index, case in enumerate(cases):
        truth = world.truth(index)
        beyond = abs(math.log(truth)) > math.log1p(margin) + 1e-9
        different = case["verdict"] in ("faster", "slower")
        right = (case["verdict"] == "slower") == (truth > 1)
        if different:
            out["found_any"] = 1
        if different and not (beyond and right):
            out["alarm"] = 1
        if case["verdict"] == "same" and beyond:
            out["false_same"] = 1
        if different and right and index < world.changed:
            out["found"] += 1 / world.changed
        out["covered"] += (case["lower"] <= truth <= case["upper"]) / len(cases)
    return out


def compared(binary, folder, generator, world, one):
    margin, cases = compare(binary, folder, generator, world, one["options"])
    counts = judge(margin, cases, world)
    counts["coverage"] = counts.pop("covered")
    if "found_at_detectable" in one["goal"]:
        world.ratio = 1 + cases[0]["minimum_detectable"]
        _, again = compare(binary, folder, generator, world, one["options"])
        counts["found_at_detectable"] = int(again[0]["verdict"] == "slower")
    return counts


def reported(binary, folder, generator, world):
    """Of one journal: the share of cases whose median's interval holds the level."""
    path = os.path.join(folder, "run.smk")
    write_run(path, generator, world, False, world.own_of_cases(generator))
    result = subprocess.run([binary, "report", "--json", path], stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True, check=True)
    intervals = [record["summaries"][0] for record in json.loads(result.stdout)[0]["records"]]
    held = [i["lower"] is None or i["lower"] <= world.level_s <= i["upper"] for i in intervals]
    return {"median_coverage": sum(held) / len(held)}


def figures_of(binary, one, comparisons, seed):
    generator = random.Random(f"{seed} {one['name']}")
    sums = {}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(comparisons):
            world = World(**one["world"])
            if "median_coverage" in one["goal"]:
                counts = reported(binary, folder, generator, world)
            else:
                counts = compared(binary, folder, generator, world, one)
            for name, value in counts.items():
                sums.setdefault(name, []).append(value)
    out = {}
    for name in one["goal"]:
        values = sums[name]
        mean = sum(values) / len(values)
        variance = sum((v - mean) ** 2 for v in values) / max(1, len(values) - 1)
        # A rate of 0 or 1 still has an error: that of one event more or less.
        error = math.sqrt(max(variance, 1 / len(values)) / len(values)) \
            if mean in (0, 1) else math.sqrt(variance / len(values))
        out[name] = {"value": round(mean, 4), "error": round(error, 4)}
    return out


def verdict_of(figure, goal):
    least, most = goal
    if least <= figure["value"] <= most:
        return "met"
    near = least - 2 * figure["error"] <= figure["value"] <= most + 2 * figure["error"]
    return "within error" if near else "missed"


def row_of(binary, one, comparisons, seed):
    figures = figures_of(binary, one, comparisons, seed)
    for name, figure in figures.items():
        figure["outcome"] = verdict_of(figure, one["goal"][name])
    print(f"{one['name']}: {figures}", flush=True)
    return {**one, "figures": figures}


def table(rows):
    lines = ["| scenario | figure | goal | measured | |", "|---|---|---|---|---|"]
    for row in rows:
        for name, figure in row["figures"].items():
            least, most = row["goal"][name]
            lines.append(
                f"| {row['name']}{' (chosen on)' if row['chosen'] else ''} | {name} | "
                f"{100 * least:g}-{100 * most:g} % | {100 * figure['value']:.1f} ± "
                f"{100 * figure['error']:.1f} % | {figure['outcome']} |")
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary")
    parser.add_argument("--short", action="store_true", help="the part of the grid for every build")
    parser.add_argument("--comparisons", type=int, default=400)
    parser.add_argument("--only", default="", help="scenarios whose name holds this text")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json")
    parser.add_argument("--markdown")
    arguments = parser.parse_args()
    chosen = [one for one in SCENARIOS
              if (one["short"] or not arguments.short) and arguments.only in one["name"]]
    with multiprocessing.Pool(arguments.jobs) as pool:
        rows = pool.starmap(row_of, [(arguments.binary, one, arguments.comparisons, arguments.seed)
                                     for one in chosen], chunksize=1)
    text = table(rows)
    print(text)
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump({"comparisons": arguments.comparisons, "seed": arguments.seed,
                       "scenarios": rows}, file, indent=1)
            file.write("\n")
    if arguments.markdown:
        with open(arguments.markdown, "w", encoding="utf-8") as file:
            file.write(text)
    missed = any(f["outcome"] == "missed" for row in rows for f in row["figures"].values())
    return 1 if missed or not rows else 0


if __name__ == "__main__":
    sys.exit(main())
