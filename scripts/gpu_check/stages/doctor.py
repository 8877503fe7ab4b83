# SPDX-License-Identifier: Apache-2.0
"""stepmark doctor."""
import json

from gpu_check.context import StageError
from gpu_check.stage import Outcome


def run(context):
    done = context.run([*context.site.stepmark, "doctor", "--json"])
    try:
        findings = json.loads(done.out)
    except ValueError as error:
        raise StageError(done.last_words()) from error
    broken = [f for f in findings if f["health"] == "BROKEN"]
    warnings = [f["what"] for f in findings if f["health"] == "warning"]
    figure = "; ".join(f"{f['what']}: {f['found']}" for f in broken) or (
        f"warnings: {', '.join(warnings)}" if warnings else "all ok")
    return Outcome(not broken, figure, {f["what"]: f["found"] for f in findings})
