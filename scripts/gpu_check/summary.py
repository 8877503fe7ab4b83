# SPDX-License-Identifier: Apache-2.0
"""The table at the end, the JSON of figures, the exit code."""
import json
import re

from gpu_check.stage import FAIL, NOT_RUN, PASS, SKIPPED, TIMEOUT

COLUMNS = ("stage", "result", "key figure", "wanted", "seconds")
WIDEST = 70  # of the key figure; the JSON has it whole


def table(results):
    rows = [COLUMNS] + [(r.name, r.result, shortened(r.figure), r.wanted, f"{r.seconds:.0f}")
                        for r in results]
    widths = [max(len(row[i]) for row in rows) for i in range(len(COLUMNS))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]
    return "\n".join(lines)


def shortened(text):
    text = " ".join(text.split())
    return text if len(text) <= WIDEST else text[:WIDEST - 1] + "…"


def exit_code(results):
    """As stepmark's: 1 something failed, 3 something was not measured, 0 all passed."""
    outcomes = {r.result for r in results}
    if FAIL in outcomes or TIMEOUT in outcomes:
        return 1
    if outcomes & {NOT_RUN, SKIPPED} or not results:
        return 3
    return 0


def file_name(results):
    """gpu_nvidia_h200.json."""
    machine = next((r.figures for r in results if r.name == "machine"), {})
    gpus = machine.get("gpus") or [{"name": "unknown"}]
    return "gpu_" + re.sub(r"[^a-z0-9]+", "_", gpus[0]["name"].lower()).strip("_") + ".json"


def write(results, path, what):
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {"what": what, "passed": exit_code(results) == 0, "stages": [r.as_json() for r in results]}
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


__all__ = ["PASS", "exit_code", "file_name", "table", "write"]
