# SPDX-License-Identifier: Apache-2.0
"""compute-sanitizer over the registry's small shapes: memcheck on every op, racecheck on those that
exchange data through shared memory."""
import os
import re
import shutil

from gpu_check.stage import Outcome

ERRORS = 86  # an exit code of our choice, not one of gtest's
RUNS = (("memcheck", "Registry/CudaKernels.MatchTheReference/*_bf16"),
        ("racecheck", "Registry/CudaKernels.MatchTheReference/*norm*_bf16:"
                      "Registry/CudaKernels.MatchTheReference/ce_*_bf16:"
                      "Registry/CudaKernels.MatchTheReference/attention*_bf16"))


def run(context):
    if context.site.rehearsal:
        return Outcome(None, "needs a GPU")
    tool = find_tool()
    program, env = context.site.direct("gpu_kernels")
    if not tool:
        return Outcome(None, "no compute-sanitizer on this machine")
    if not program.exists():
        return Outcome(False, "gpu_kernels is not built")
    figures, wrong = {}, []
    for index, (kind, tests) in enumerate(RUNS):
        share = context.left_s() / (len(RUNS) - index)
        done = context.run([tool, "--tool", kind, "--error-exitcode", ERRORS, "--target-processes",
                            "all", program, f"--gtest_filter={tests}"], share, env=env)
        figures[kind] = words(done)
        if figures[kind] != "0 errors":
            wrong.append(f"{kind}: {figures[kind]}")
        context.keep(**figures)
    return Outcome(not wrong, "; ".join(wrong) or "memcheck and racecheck: 0 errors", figures)


def words(done):
    if done.code == -1:
        return "no end within its time"
    found = re.search(r"(ERROR|RACECHECK) SUMMARY: (\d+) (errors?|hazards?)", done.out + done.err)
    if done.code == 0 and found and found.group(2) == "0":
        return "0 errors"
    if found:
        return f"{found.group(2)} {found.group(3)}, exit code {done.code}"
    return f"exit code {done.code}: {done.last_words()}"


def find_tool():
    homes = [os.environ.get("CUDA_HOME"), "/usr/local/cuda"]
    candidates = ["compute-sanitizer"] + [f"{home}/bin/compute-sanitizer" for home in homes if home]
    return next((path for path in map(shutil.which, candidates) if path), None)
