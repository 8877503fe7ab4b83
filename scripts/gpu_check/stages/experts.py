# SPDX-License-Identifier: Apache-2.0
"""Steps with experts, and the own kernels on tensor cores that these and context parallelism need:
right or wrong. How fast they are is kept; nothing here is their rival."""
from gpu_check import records as rec, rehearsal
from gpu_check.context import StageError
from gpu_check.stage import Outcome
from gpu_check.stages import kernels

OPS = ("experts_gemm", "experts_wgrad", "attention_chunks")


def run(context):
    seconds = 4 if context.site.rehearsal else max(0.3 * context.left_s(), 4)
    done, steps = context.measure("--suite", rehearsal.suite(context, "gpu-experts"), "--budget", f"{seconds:.0f}s")
    if not rec.measured(steps):
        raise StageError(f"no step measured: {done.last_words()}")
    context.keep(steps=[step_of(record) for record in rec.measured(steps)])
    more, code = kernels.measured(context, "gpu-check", 0.5, set(), lambda op: op.startswith(OPS))
    wrong = rec.failures(steps + more)
    if not wrong and (done.code != 0 or code != 0):
        wrong = [f"exit codes {done.code} and {code}: {done.last_words()}"]
    figures = {"steps": [step_of(record) for record in rec.measured(steps)], "failed": wrong,
               "kernels": [row for row in map(kernels.row_of, rec.measured(more)) if row]}
    kernels.print_table(figures["kernels"])
    context.keep(**figures)
    return Outcome(not wrong, wrong[0] if wrong else words_of(figures), figures)


def step_of(record):
    texts = record["texts"]
    return {"case": record["case_id"], "seconds": rec.median_s(record), "mfu": rec.metric(record, "mfu")[0],
            "gemm_engine": texts.get("gemm_engine", ""), "engines_refused": texts.get("engines_refused", "")}


def words_of(figures):
    """"0.0512 s each by cublaslt ..., 0.0634 s ...; least of the own kernels 0.41 of their bound"."""
    words = ", ".join(f"{step['seconds']:.4f} s by {step['gemm_engine'] or 'no engine named'}"
                      for step in figures["steps"])
    least = min((row["roofline"] for row in figures["kernels"]), default=None)
    return words if least is None else f"{words}; own kernels at {least:.2f} of their bound or more"
