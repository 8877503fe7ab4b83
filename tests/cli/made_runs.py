# SPDX-License-Identifier: Apache-2.0
"""Journals of made-up nights, for tests of what many runs come to. The same on every machine."""

import datetime
import random

CASES = {
    "kernel/gemm": ("kernel", 4e-3, {"flops": 1e9, "bytes": 1e6, "ranks": 1}, {"op": "gemm", "dtype": "fp32"}),
    "collective/all_reduce/2": ("collective", 1e-3, {"size_bytes": 1048576, "ranks": 2},
                                {"collective": "all_reduce", "dtype": "fp32", "op": "sum"}),
    "collective/all_reduce/16": ("collective", 2e-3, {"size_bytes": 1048576, "ranks": 16},
                                 {"collective": "all_reduce", "dtype": "fp32", "op": "sum"}),
    "step/tiny": ("step", 5e-2, {"tokens_per_step": 1024, "gpus": 2, "ranks": 2}, {"workload": "tiny", "plan": "tp=2"}),
}


def fact(section, name, value, fingerprint=True):
    return {"section": section, "name": name, "value": value, "fingerprint": fingerprint}


def started(night):
    return datetime.datetime(2026, 1, 1, 2, tzinfo=datetime.timezone.utc) + datetime.timedelta(days=night)


def made_record(case, night, factor, noise, provenance):
    family, seconds, numbers, texts = CASES[case]
    chance = random.Random(f"{case} {night}")
    level = seconds * factor * (1 + noise * chance.gauss(0, 1))
    values = [level * (1 + 0.001 * chance.gauss(0, 1)) for _ in range(12)]
    return {
        "case_id": case, "family": family, "provenance": provenance, "outcome": "ok", "reason": "", "perf_valid": True,
        "labels": [], "numbers": numbers, "texts": texts, "series": [{"name": "time_s", "unit": "s", "values": values}],
        "summaries": [], "metrics": [], "split": [], "timeline": [],
        "checks": [{"name": "exact", "passed": True, "detail": "0 wrong"}],
        "started_unix_s": started(night).timestamp() + 1, "wall_s": 0.1}


def make_run(night, factor=1.0, factors=(), noise=0.005, provenance="measured", run_id=None, failed="", driver="550.1",
             hosts="node1 x2", suite="nightly"):
    """The lines of a journal. `factors`: pairs of a beginning of case ids and what their times are multiplied by."""
    out = [{
        "type": "run", "schema_version": 2, "run_id": run_id or (f"night-{night}" if suite == "nightly" else f"{suite}-night-{night}"),
        "started": started(night).strftime("%Y-%m-%dT%H:%M:%SZ"), "tool_version": "0.1.0", "git_revision": "",
        "build_type": "Release", "dirty": False, "command": ["stepmark", "run"], "suite": suite, "backend": "host",
        "ranks": 2, "config": {}, "cases": list(CASES),
        "environment": [fact("software", "driver", driver), fact("placement", "ranks by host", hosts, False),
                        fact("placement", "load average", f"0.{night} 0 0", False)]}]
    for case in CASES:
        own = factor
        for beginning, times in factors:
            own *= times if case.startswith(beginning) else 1
        record = made_record(case, night, own, noise, provenance)
        if case == failed:
            record.update(outcome="failed", reason="wrong data", series=[])
        out.append({"type": "record", **record})
    return out + [{"type": "end", "exit_code": 1 if failed else 0, "reason": ""}]
