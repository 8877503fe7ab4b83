# SPDX-License-Identifier: Apache-2.0
"""One step and one GEMM: what does not get through this needs no figures."""
from gpu_check import records as rec, rehearsal
from gpu_check.stage import Outcome


def run(context):
    done, records = context.measure("--suite", rehearsal.suite(context, "gpu-smoke"), "--verify-only")
    wrong = rec.failures(records) + rec.refused(records)
    measured = rec.measured(records)
    engines = {r["case_id"]: {kind: r["texts"][kind] for kind in ENGINES if kind in r["texts"]}
               for r in measured}
    if not wrong and (done.code != 0 or len(measured) < 2):
        wrong = [f"{len(measured)} of 2 cases, exit code {done.code}: {done.last_words()}"]
    named = sorted({name for texts in engines.values() for name in texts.values()})
    return Outcome(not wrong, wrong[0] if wrong else ", ".join(named) or "no engine named",
                   {"engines": engines, "wrong": wrong})


ENGINES = ("engine", "attention_engine", "gemm_engine")
