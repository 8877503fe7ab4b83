#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A history with known truth: how fast `check` answers, and what it finds of what was planted.

usage: scripts/reference/history.py BINARY [--runs 10000] [--cases 200] [--json FILE]

Makes a history of so many nights and cases, whose logarithms are normal (sd 1 %), and checks it: for the first time, again,
and after one more night; and, in a copy, adds one more journal, which looks at all that is there, and checks that. A tenth of the cases is clean; others depend on their neighbours (lag-1 correlation 0.3, 0.5), have
spikes (3 % of the points, up to +30 %), or steps of three standard deviations up and down, at least 40 nights apart.
Exit code 1 when a goal is missed: recall 95 %, one false change per 1,000 clean points, 2 s of the processor for a check
of what an earlier one has seen but for the last night.
"""
import argparse
import json
import math
import os
import random
import resource
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tests", "cli"))
SD = 0.01
KINDS = ("clean", "correlated 0.3", "correlated 0.5", "spikes", "steps", "steps", "steps", "steps", "steps", "steps")
FIRST = 1_600_000_000
NIGHT = 86400


def made_series(case, nights):
    """Medians, and the nights at which a step was planted."""
    kind = KINDS[case % len(KINDS)]
    chance = random.Random(f"history {case}")
    rho = float(kind.split()[1]) if kind.startswith("correlated") else 0.0
    steps, level, state, values = [], 0.0, chance.gauss(0, 1), []
    next_step = 40 + chance.randrange(120) if kind == "steps" else -1
    for night in range(nights):
        if night == next_step:
            # Steps of random direction wander; one that would lead far away turns round.
            up = chance.random() < (0.5 if abs(level) < 0.3 else 0.0 if level > 0 else 1.0)
            level += (3 if up else -3) * SD
            if night + 30 <= nights:
                steps.append(night)
            next_step = night + 40 + chance.randrange(400)
        value = SD * state + level
        if kind == "spikes" and chance.random() < 0.03:
            value += 0.3 * chance.random()
        values.append(1e-3 * math.exp(value))
        state = rho * state + math.sqrt(1 - rho * rho) * chance.gauss(0, 1)
    return kind, values, steps


def run(binary, *words):
    """What it said, and its seconds: on the clock, and of the processor, which other programs take no part of."""
    before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = subprocess.run([binary, "history", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wall, after = time.monotonic() - begin, resource.getrusage(resource.RUSAGE_CHILDREN)
    return done, {"wall_s": round(wall, 3),
                  "cpu_s": round(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 3)}


def fill(db, nights, series):
    """Rows as `history add` writes them; the tables are the program's own."""
    connection = sqlite3.connect(db)
    connection.execute("DELETE FROM scan")
    connection.execute("DELETE FROM change")
    connection.execute("DELETE FROM point")
    connection.execute("DELETE FROM series")
    connection.execute("DELETE FROM run_fact")
    connection.execute("DELETE FROM run")
    connection.execute("UPDATE line SET id = 1")
    connection.executemany(
        "INSERT INTO run VALUES(?, ?, 1, ?, '', '', 'made.smk', '', '', 1, 0, ?, ?)",
        ((n + 1, f"night-{n}", FIRST + n * NIGHT, len(series), len(series)) for n in range(nights)))
    connection.executemany(
        "INSERT INTO series VALUES(?, 1, ?, '', 'kernel', 's', 1, '')",
        ((c + 1, f"kernel/case{c}") for c in range(len(series))))
    for c, (_, values, _) in enumerate(series):
        connection.executemany(
            "INSERT INTO point VALUES(?, ?, ?, ?, NULL, NULL, 50, 1, 'ok', '')",
            ((c + 1, FIRST + n * NIGHT, n + 1, value) for n, value in enumerate(values[:nights])))
    connection.commit()
    return connection


def add_night(connection, night, series):
    connection.execute("INSERT INTO run VALUES(?, ?, 1, ?, '', '', 'made.smk', '', '', 1, 0, ?, ?)",
                       (night + 1, f"night-{night}", FIRST + night * NIGHT, len(series), len(series)))
    connection.executemany("INSERT INTO point VALUES(?, ?, ?, ?, NULL, NULL, 50, 1, 'ok', '')",
                           ((c + 1, FIRST + night * NIGHT, night + 1, one[1][night]) for c, one in enumerate(series)))
    connection.commit()


def judge(connection, series, nights):
    """Per kind: points, planted and found steps, others; and how many nights a step took to be seen."""
    figures, delays = {}, []
    for c, (kind, _, steps) in enumerate(series):
        one = figures.setdefault(kind, {"points": 0, "planted": 0, "found": 0, "exact": 0, "false": 0})
        one["points"] += nights
        one["planted"] += len(steps)
        open_steps = set(steps)
        for run_id, found in connection.execute("SELECT run, found_run FROM change WHERE series = ? ORDER BY at", (c + 1,)):
            night = run_id - 1
            near = min(open_steps, key=lambda step: abs(step - night), default=None)
            if near is not None and abs(near - night) <= 2:
                open_steps.remove(near)
                one["found"] += 1
                one["exact"] += near == night
                delays.append(found - 1 - near + 1)
            elif night < nights - 30:
                one["false"] += 1
    return figures, sorted(delays)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("binary")
    parser.add_argument("--runs", type=int, default=10000)
    parser.add_argument("--cases", type=int, default=200)
    parser.add_argument("--json")
    options = parser.parse_args()
    os.environ.setdefault("STEPMARK_BINARY", options.binary)  # the tests' helpers are of one binary
    import stepmark_tool as tool
    from made_runs import make_run
    nights = options.runs
    series = [made_series(case, nights + 1) for case in range(options.cases)]
    with tempfile.TemporaryDirectory(prefix="stepmark-history-") as folder:
        db, journal = os.path.join(folder, "history.db"), os.path.join(folder, "one.smk")
        with open(journal, "w", encoding="utf-8") as file:
            file.write(tool.journal_text(make_run(1)))
        done, _ = run(options.binary, "add", journal, "--db", db)
        if done.returncode != 0:
            sys.exit(done.stderr)
        connection = fill(db, nights, series)
        added_db = shutil.copy(db, os.path.join(folder, "added.db"))
        with open(journal, "w", encoding="utf-8") as file:
            file.write(tool.journal_text(make_run(2, run_id="one-more")))
        added, added_s = run(options.binary, "add", journal, "--db", added_db)
        if added.returncode != 0:
            sys.exit(added.stderr)
        after_add, after_add_s = run(options.binary, "check", "--db", added_db)
        os.unlink(added_db)
        first, first_s = run(options.binary, "check", "--db", db)
        again, again_s = run(options.binary, "check", "--db", db)
        add_night(connection, nights, series)
        night, night_s = run(options.binary, "check", "--db", db)
        for one in (first, again, night, after_add):
            if one.returncode not in (0, 1, 3):
                sys.exit(one.stderr)
        figures, delays = judge(connection, series, nights)
        changes, = connection.execute("SELECT COUNT(*) FROM change").fetchone()
        size = os.path.getsize(db)
        connection.close()
    steps = figures.get("steps", {"planted": 0, "found": 0})
    out = {
        "runs": nights, "cases": options.cases, "bytes": size,
        "changes": changes, "load_average": round(os.getloadavg()[0], 1),
        "add_to_unchecked": added_s, "check_after_add": after_add_s,
        "check_first": first_s, "check_again": again_s, "check_next_night": night_s,
        "recall": round(steps["found"] / max(steps["planted"], 1), 4),
        "delay_nights": {"median": delays[len(delays) // 2], "p95": delays[len(delays) * 95 // 100]} if delays else None,
        "false_per_1000_points": {kind: round(1000 * one["false"] / one["points"], 3) for kind, one in figures.items()},
        "kinds": figures,
    }
    text = json.dumps(out, indent=2) + "\n"
    print(text, end="")
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            file.write(text)
    good = (out["recall"] >= 0.95 and night_s["cpu_s"] < 2 and again_s["cpu_s"] < 2 and after_add_s["cpu_s"] < 2
            and all(out["false_per_1000_points"].get(kind, 0) <= 1 for kind in ("clean", "spikes")))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
