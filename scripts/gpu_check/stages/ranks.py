# SPDX-License-Identifier: Apache-2.0
"""Several ranks on one GPU: every collective and the parallel steps, checked, never timed."""
import time

from gpu_check import records as rec, rehearsal
from gpu_check.stage import Outcome

COUNTS = (2, 3, 4, 8)
MANY = 4  # above it every call waits for so many turns on the GPU that less is asked for
WITHIN_S = 90


def run(context):
    counts = (2, 4) if context.site.rehearsal else COUNTS
    begin, figures, wrong, passed = time.monotonic(), {}, [], 0
    for index, ranks in enumerate(counts):
        share = context.left_s() / (len(counts) - index)
        suite = rehearsal.suite(context, "gpu-many-ranks" if ranks > MANY else "gpu-ranks")
        done, records = context.measure("--suite", suite, "--verify-only", ranks=ranks, timeout_s=share)
        problem = problem_of(context, done, records)
        figures[f"{ranks} ranks"] = {"cases": len(rec.measured(records)), "problem": problem,
                                     "checks": sum(len(r["checks"]) for r in records)}
        passed += len(rec.measured(records))
        wrong += [f"{ranks} ranks: {problem}"] if problem else []
        context.keep(**figures)
    seconds = time.monotonic() - begin
    if not wrong and seconds > WITHIN_S and not context.site.rehearsal:
        wrong.append(f"right, but after {seconds:.0f} s")
    return Outcome(not wrong, wrong[0] if wrong else f"{passed} cases on {counts} ranks, {seconds:.0f} s",
                   {**figures, "seconds": seconds})


def problem_of(context, done, records):
    """Empty when all went as wanted."""
    failures = rec.failures(records)
    if failures:
        return failures[0]
    if done.code == -1:
        return "no end within its time"
    if not rec.measured(records):
        return f"nothing measured: {done.last_words()}"
    # Cases that a rank count cannot run (a step that 3 ranks do not divide) make it 3.
    if done.code not in (0, 3):
        return f"exit code {done.code}: {done.last_words()}"
    claimed = [r["case_id"] for r in rec.measured(records) if r["perf_valid"]]
    if claimed:
        return f"claims performance on a shared GPU: {claimed[0]}"
    return ""
