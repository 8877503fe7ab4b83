# SPDX-License-Identifier: Apache-2.0
"""Journals of the demo's truth, in the documented format (docs/file-formats.md), hashes included."""
import hashlib
import json
import math
import random
import uuid

from demo_renewal import truth

SIZE_BYTES = 1 << 30


def samples(draw, level):
    """Log-normal and dependent, as real ones are."""
    innovation = math.sqrt(1 - truth.DEPENDENCE ** 2)
    state, out = draw.gauss(0, 1), []
    for _ in range(truth.SAMPLES):
        state = truth.DEPENDENCE * state + innovation * draw.gauss(0, 1)
        out.append(level * math.exp(truth.SAMPLE_SD * state))
    return out


def record(case, family, values, numbers, texts, check, started):
    return {"type": "record", "case_id": case, "family": family, "provenance": "simulated", "outcome": "ok",
            "reason": "", "perf_valid": True, "labels": [], "numbers": numbers, "texts": texts,
            "series": [{"name": "time_s", "unit": "s", "values": values}], "summaries": [], "metrics": [],
            "split": [], "timeline": [], "checks": [{"name": check, "passed": True, "detail": "simulated"}],
            "started_unix_s": started, "wall_s": sum(values)}


def step(draw, workload, provider, index, effect, started):
    plan = f"{truth.PLANS[workload][index]},seq={truth.SEQUENCE},precision=bf16,lr=0.0003,weight_decay=0.1,clip=1"
    level = truth.STEP_S[workload][provider] * (truth.OTHER_PLAN if index else 1.0) * effect
    short = truth.PLANS[workload][index].replace("=", "").replace(",", ".")
    numbers = {"gpus": truth.GPUS, "ranks": truth.GPUS, "tokens_per_step": truth.TOKENS,
               "parameters": truth.PARAMETERS[workload]}
    texts = {"workload": workload, "plan": plan, "title": f"{workload} {short}", "precision": "bf16",
             "cluster": provider, "peak_unknown": "simulated"}
    return record(f"step/{workload}/{short}.bf16", "step", samples(draw, level), numbers, texts,
                  "loss of the first step", started)


def collective(draw, name, provider, effect, started):
    factor = (2 if name == "all_reduce" else 1) * (truth.GPUS - 1) / truth.GPUS
    level = SIZE_BYTES * factor / (truth.BUSBW[name][provider] * 1e9) * effect
    op = "sum" if name == "all_reduce" else ""
    texts = {"collective": name, "dtype": "bf16", "placement": "out-of-place", "mode": "back-to-back"}
    if op:
        texts["op"] = op
    numbers = {"ranks": truth.GPUS, "size_bytes": SIZE_BYTES}
    case = "/".join(part for part in ("collective", name, "bf16", op, "1GiB", "out-of-place", f"world{truth.GPUS}") if part)
    return record(case, "collective", samples(draw, level), numbers, texts, "every element exact", started)


def lines_of(draw, provider, day):
    effect = math.exp(draw.gauss(0, truth.RUN_SD))
    started = 1795000000.0 + 86400.0 * day
    records = [step(draw, workload, provider, index, effect, started)
               for workload, plans in truth.PLANS.items() for index in range(len(plans))]
    records += [collective(draw, name, provider, effect, started) for name in truth.BUSBW]
    run = {"type": "run", "schema_version": 2, "run_id": str(uuid.UUID(int=draw.getrandbits(128))),
           "started": f"2026-11-{10 + day:02}T02:00:00Z", "tool_version": "simulation", "git_revision": "",
           "build_type": "Release", "dirty": False, "command": ["scripts/demo-renewal"], "suite": "demo-renewal",
           "backend": "simulation", "ranks": truth.GPUS, "config": {}, "environment": [],
           "cases": [one["case_id"] for one in records]}
    return [run, *records, {"type": "end", "exit_code": 0, "reason": ""}]


def chained(values):
    previous = ""
    for value in values:
        body = json.dumps(value, separators=(",", ":"))[:-1]
        previous = hashlib.blake2b((previous + body).encode(), digest_size=32).hexdigest()
        yield f'{body},"chain":"{previous}"}}\n'


def write_all(folder, seed):
    """Paths of the journals of each provider."""
    files = {}
    for provider in truth.PROVIDERS:
        draw = random.Random(f"{seed} {provider}")
        for day in range(truth.RUNS):
            path = folder / f"{provider}-{day + 1}.smk"
            path.write_text("".join(chained(lines_of(draw, provider, day))), encoding="utf-8")
            files.setdefault(provider, []).append(path)
    return files
