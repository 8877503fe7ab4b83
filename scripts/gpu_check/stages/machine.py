# SPDX-License-Identifier: Apache-2.0
"""What the figures were taken on, and whether it is fit for that."""
import json
import os
import platform
import time

from gpu_check.context import StageError
from gpu_check.stage import Outcome

QUERY = ("name", "driver_version", "memory.total", "power.limit", "clocks.max.sm", "clocks.max.mem",
         "ecc.mode.current", "mig.mode.current", "compute_mode", "pci.bus_id")


def run(context):
    facts = {"cpu": cpu_name(), "cores": len(os.sched_getaffinity(0)), "kernel": platform.release(),
             "python": platform.python_version(), "date": time.strftime("%Y-%m-%d"),
             "load_average_before": os.getloadavg()[0]}
    if context.site.python:
        done = context.run([context.site.python, "-c", TORCH])
        words = done.out.split()
        if done.code == 0 and len(words) >= 2:
            facts.update(pytorch=words[0], pytorch_cuda=words[1])
    context.keep(**facts)
    broken = doctor(context, facts)
    if context.site.rehearsal:
        return Outcome(not broken, broken or f"rehearsal without a GPU, backend {context.site.backend}", facts)
    done = context.run(["nvidia-smi", f"--query-gpu={','.join(QUERY)}", "--format=csv,noheader,nounits"])
    lines = [line for line in done.out.splitlines() if line.strip()]
    if done.code != 0 or not lines:
        raise StageError(f"nvidia-smi: {done.last_words()}")
    gpus = [dict(zip(QUERY, (item.strip() for item in line.split(",")))) for line in lines]
    facts["gpus"] = gpus
    first = gpus[0]
    return Outcome(not broken, broken or f"{len(gpus)} x {first['name']}, driver {first['driver_version']}",
                   facts)


def doctor(context, facts):
    """What `stepmark doctor` finds broken; its findings become facts."""
    done = context.run([*context.site.stepmark, "doctor", "--json"])
    try:
        findings = json.loads(done.out)
    except ValueError as error:
        raise StageError(f"doctor: {done.last_words()}") from error
    facts["doctor"] = {f["what"]: f["found"] for f in findings}
    facts["warnings"] = [f["what"] for f in findings if f["health"] == "warning"]
    context.keep(**facts)
    return "; ".join(f"{f['what']}: {f['found']}" for f in findings if f["health"] == "BROKEN")


TORCH = "import torch; print(torch.__version__, torch.version.cuda)"


def cpu_name():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        for line in file:
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor()
