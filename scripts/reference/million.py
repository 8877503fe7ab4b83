#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Journals of a million samples: how long and in how much memory they are compared and read.

usage: scripts/reference/million.py BINARY [--before BINARY] [--samples 1000000] [--shapes SHAPE...] [--rounds 3] [--json FILE]

Makes pairs of journals (provenance `simulated`, seeded, log-normal noise of 1 %, lag-1 correlation 0.3, the candidate 2 % slower)
that have so many samples each: in many short cases, in few long ones, and in one; and in 50 whose times drift by 5 %, depend on
each other for long (lag-1 correlation 0.99), jump between two states, or come from a clock of 1 us. Measures `compare` of each pair, and `list`,
`report`, `history add` and `seal` with `verify` on one journal: the fastest of the rounds on the clock, the seconds of the processor,
and the largest resident memory. --before: another build beside it, in turns, for which no goal is checked.
Exit code 1 when a goal is missed: a pair compares within 3 s of the processor and 500 MiB.
"""
import argparse
import json
import os
import random
import sys
import tempfile
import time

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
sys.path.insert(0, os.path.join(ROOT, "tests", "simulation"))
sys.path.insert(0, os.path.join(ROOT, "tests", "cli"))
SHAPES = ("1000 cases", "100 cases", "10 cases", "1 case", "50 cases, drifting", "50 cases, dependent", "50 cases, two states",
          "50 cases, coarse clock")
# The kinds of docs/measuring.md that cost most where a statistic takes more than n log n steps.
KINDS = {"": {"dependence": 0.3}, "drifting": {"drift": 0.05}, "dependent": {"dependence": 0.99},
         "two states": {"mode": 0.3, "stay": 0.999}, "coarse clock": {"tick_s": 1e-6}}
GOAL_S, GOAL_MIB = 3.0, 500.0


def make_journal(path, seed, world, candidate):
    """Hashed as `run` hashes; samples are written as the shortest text that reads as the same double."""
    import journals
    import stepmark_tool
    plain = path + ".plain"
    journals.write_run(plain, random.Random(seed), world, candidate, world.own_of_cases(random.Random(0)))
    lines = stepmark_tool.read_lines(plain)
    os.unlink(plain)
    for line in lines:
        if line["type"] == "run":
            line["schema_version"] = 2
        elif line["type"] == "record":
            line["provenance"] = "simulated"
    with open(path, "w", encoding="utf-8") as file:
        file.write(stepmark_tool.journal_text(lines))


def measured(binary, words, allowed=(0,)):
    """Seconds on the clock and of the processor, MiB; what it printed goes nowhere."""
    begin = time.monotonic()
    child = os.fork()
    if child == 0:
        nothing = os.open(os.devnull, os.O_RDWR)
        os.dup2(nothing, 1)
        os.execv(binary, [binary, *words])
    _, status, used = os.wait4(child, 0)
    code = os.waitstatus_to_exitcode(status)
    if code not in allowed:
        sys.exit(f"{binary} {' '.join(words)}: exit code {code}")
    return {"wall_s": time.monotonic() - begin, "cpu_s": used.ru_utime + used.ru_stime, "peak_mib": used.ru_maxrss / 1024}


def commands(folder, a, b):
    """Name, words before the measured ones (or none), measured words, exit codes that are answers."""
    out = os.path.join(folder, "out")
    bundle, key = os.path.join(folder, "a.bundle"), os.path.join(folder, "key")
    yield "compare", None, ["compare", a, b], (0, 1)
    yield "report", None, ["report", a], (0,)
    yield "report --html", None, ["report", a, "--html", out + ".html"], (0,)
    yield "history add", None, ["history", "add", a, "--db", out + ".db"], (0,)
    yield "seal", ["seal", "--new-key", key], ["seal", a, "--key", key, "--out", bundle], (0,)
    yield "verify", None, ["verify", bundle], (0, 3)


def clean(folder, a, b):
    for name in os.listdir(folder):
        path = os.path.join(folder, name)
        if path not in (a, b) and not name.startswith(("key", "a.bundle")):
            os.unlink(path)


def of_shape(binaries, shape, options):
    """Figures by command and build, of journals of that shape."""
    import journals
    count, _, kind = shape.partition(" case")
    cases = int(count)
    world = journals.World(cases=cases, samples=options.samples // cases, noise=0.01, common=0.003, all_ratio=1.02,
                           **KINDS[kind.partition(", ")[2]])
    out = {}
    with tempfile.TemporaryDirectory(prefix="stepmark-million-") as folder:
        a, b = os.path.join(folder, "a.smk"), os.path.join(folder, "b.smk")
        make_journal(a, 1, world, False)
        make_journal(b, 2, world, True)
        for name, before, words, allowed in commands(folder, a, b):
            if options.only and name not in options.only:
                continue
            if before:
                measured(binaries["now"], before)
            best = {}
            for _ in range(options.rounds):
                for build, binary in binaries.items():
                    clean(folder, a, b)
                    if name == "seal" and os.path.exists(words[-1]):
                        os.unlink(words[-1])
                    figures = measured(binary, words, allowed)
                    known = best.setdefault(build, figures)
                    best[build] = {key: min(known[key], figures[key]) if key != "peak_mib" else max(known[key], figures[key])
                                   for key in figures}
            out[name] = {build: {key: round(value, 3 if key != "peak_mib" else 0) for key, value in one.items()}
                         for build, one in best.items()}
            print(f"{shape:22} {name:14}", "  ".join(
                f"{build}: {one['wall_s']:6.2f} s, {one['cpu_s']:6.2f} s CPU, {one['peak_mib']:5.0f} MiB"
                for build, one in out[name].items()), flush=True)
        out["bytes"] = os.path.getsize(a)
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("binary")
    parser.add_argument("--before")
    parser.add_argument("--samples", type=int, default=1_000_000)
    parser.add_argument("--shapes", nargs="*", default=SHAPES, metavar="SHAPE", help="as '1000 cases' or '50 cases, drifting'")
    parser.add_argument("--only", nargs="*", default=())
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json")
    options = parser.parse_args()
    os.environ.setdefault("STEPMARK_BINARY", options.binary)  # the tests' helpers are of one binary
    binaries = {"now": options.binary}
    if options.before:
        binaries = {"before": options.before, **binaries}
    out = {"samples": options.samples, "load_average": round(os.getloadavg()[0], 1),
           "shapes": {shape: of_shape(binaries, shape, options) for shape in options.shapes}}
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            file.write(json.dumps(out, indent=2) + "\n")
    compared = [one["compare"]["now"] for one in out["shapes"].values() if "compare" in one]
    return 0 if all(one["cpu_s"] < GOAL_S and one["peak_mib"] < GOAL_MIB for one in compared) else 1


if __name__ == "__main__":
    sys.exit(main())
