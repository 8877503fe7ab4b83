# SPDX-License-Identifier: Apache-2.0
"""The table at the end, the JSON of figures, the exit code."""
import json
import re

from gpu_check.stage import FAIL, NOT_RUN, PASS, SKIPPED, TIMEOUT

COLUMNS = ("stage", "goal", "wanted", "seen", "state", "seconds")
WIDEST = 66  # of what was seen; the JSON has it whole


def table(results):
    """A row for every goal; its stage, and how much of its limit that took, in the first one's."""
    rows = [COLUMNS]
    for result in results:
        for index, goal in enumerate(result.goals):
            first = index == 0
            rows.append((result.name if first else "", goal.what, goal.wanted, shortened(goal.figure),
                         goal.state, f"{result.seconds:.0f} of {result.limit_s:.0f}" if first else ""))
        # What its goals do not say: that it did not come to its end, or failed in something else.
        if result.result in (FAIL, TIMEOUT) and all(goal.figure != result.figure for goal in result.goals):
            rows.append(("", "the stage itself", "", shortened(result.figure), result.result, ""))
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


def write(results, path, what, minutes):
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {"what": what, "minutes": minutes, "passed": exit_code(results) == 0,
               "goals": [{"stage": r.name, **vars(goal)} for r in results for goal in r.goals],
               "stages": [{key: value for key, value in r.as_json().items() if key != "goals"}
                          for r in results]}
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


__all__ = ["PASS", "exit_code", "file_name", "table", "write"]
