# SPDX-License-Identifier: Apache-2.0
"""Several ranks on one GPU: every collective and the parallel steps, checked, never timed for
performance."""
from gpu_check import records as rec
from gpu_check.stage import Outcome

COUNTS = (2, 3, 4, 8)


def run(context):
    suite = "quick" if context.site.rehearsal else "gpu-ranks"
    counts = (2,) if context.site.rehearsal else COUNTS
    figures, wrong, passed = {}, [], 0
    for index, ranks in enumerate(counts):
        share = context.left_s() / (len(counts) - index)
        arguments = ["--suite", context.site.suite(suite), "--budget", f"{max(share / 2, 4):.0f}s"]
        if not context.site.rehearsal:
            arguments.append("--share-gpu")
        done, records = context.measure(*arguments, ranks=ranks, timeout_s=share)
        problem = problem_of(context, done, records)
        figures[f"{ranks} ranks"] = {"cases": len(rec.measured(records)), "problem": problem,
                                     "checks": sum(len(r["checks"]) for r in records)}
        passed += len(rec.measured(records))
        wrong += [f"{ranks} ranks: {problem}"] if problem else []
        context.keep(**figures)
    return Outcome(not wrong, wrong[0] if wrong else f"{passed} cases on {counts} ranks", figures)


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
    if claimed and not context.site.rehearsal:
        return f"claims performance on a shared GPU: {claimed[0]}"
    return ""
