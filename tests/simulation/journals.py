# SPDX-License-Identifier: Apache-2.0
"""Journals with known truth, as files in the documented format (docs/file-formats.md, version 1)."""
import json
import math
import uuid


class World:
    """What is true: `ratio` of the first `changed` cases, `all_ratio` of the others, and how runs and
    samples vary. Spreads are relative standard deviations of one run."""

    def __init__(self, **given):
        self.runs, self.candidate_runs, self.history = 1, None, 0
        self.cases, self.samples = 20, 60
        self.noise, self.dependence = 0.01, 0.0
        self.common, self.own, self.unlike = 0.0, 0.0, 0.0  # unlike: log sd of cases' own spreads
        self.mode, self.stay, self.upper_share = 0.0, 0.95, 0.5
        self.drift, self.transient = 0.0, 0.0
        self.outliers, self.skewed, self.tick_s = 0.0, False, 0.0
        self.changed, self.ratio, self.all_ratio = 0, 1.0, 1.0
        self.level_s = 0.01
        for name, value in given.items():
            if not hasattr(self, name):
                raise ValueError(f"unknown property of a world: {name}")
            setattr(self, name, value)

    def own_of_cases(self, random):
        """Each case's own spread: the same for all runs of a comparison."""
        return [self.own * math.exp(random.gauss(0, self.unlike) if self.unlike else 0.0)
                for _ in range(self.cases)]

    def truth(self, case):
        return self.ratio if case < self.changed else self.all_ratio


def samples(random, world, level):
    gauss = random.gauss
    innovation = math.sqrt(1 - world.dependence ** 2)
    state = gauss(0, 1)
    upper = random.random() < world.upper_share
    out = []
    for i in range(world.samples):
        state = world.dependence * state + innovation * gauss(0, 1)
        if world.mode and random.random() > world.stay:
            upper = random.random() < world.upper_share
        shape = math.exp(0.7 * state) - 1 if world.skewed else state
        value = level * math.exp(world.noise * shape)
        if world.mode and upper:
            value *= 1 + world.mode
        value *= 1 + world.drift * i / max(1, world.samples - 1)
        value *= 1 + world.transient * math.exp(-i / 3)
        if world.outliers and random.random() < world.outliers:
            value *= 3
        if world.tick_s:
            value = max(1, round(value / world.tick_s)) * world.tick_s
        out.append(value)
    return out


def case_id(case):
    return f"kernel/gemm/fp32/m{case}/warm"


def _run_line(random, world):
    return {"type": "run", "schema_version": 1,
            "run_id": str(uuid.UUID(int=random.getrandbits(128))),
            "started": "2026-01-01T00:00:00Z", "tool_version": "simulation", "git_revision": "",
            "build_type": "Release", "dirty": False, "command": ["simulation"],
            "suite": "simulation", "backend": "host", "ranks": 1, "config": {}, "environment": [],
            "cases": [case_id(c) for c in range(world.cases)]}


def _record_line(case, values, started):
    return {"type": "record", "case_id": case_id(case), "family": "kernel",
            "provenance": "measured", "outcome": "ok", "reason": "", "perf_valid": True,
            "labels": [], "numbers": {"flops": 1e9, "bytes": 1e6},
            "texts": {"op": "gemm", "dtype": "fp32", "shape": f"m{case}", "mode": "warm caches"},
            "series": [{"name": "time_s", "unit": "s", "values": values}], "summaries": [],
            "metrics": [], "split": [], "timeline": [], "checks": [],
            "started_unix_s": started, "wall_s": 1.0}


def write_run(path, random, world, candidate, own_of_cases):
    """One journal; its common effect and each case's own are drawn here."""
    common = random.gauss(0, world.common) if world.common else 0.0
    lines = [_run_line(random, world)]
    for case in range(world.cases):
        own = random.gauss(0, own_of_cases[case]) if world.own else 0.0
        level = world.level_s * math.exp(common + own)
        level *= world.truth(case) if candidate else 1.0
        lines.append(_record_line(case, samples(random, world, level), random.random() * 1e9))
    lines.append({"type": "end", "exit_code": 0, "reason": ""})
    with open(path, "w", encoding="utf-8") as file:
        file.writelines(json.dumps(line) + "\n" for line in lines)
