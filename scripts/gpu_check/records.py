# SPDX-License-Identifier: Apache-2.0
"""Reading stepmark's records (docs/file-formats.md)."""
import json


def median_s(record):
    """Median time of the case; None when it was not measured."""
    return next((s["median"] for s in record["summaries"] if s["series"] == "time_s"), None)


def metric(record, name):
    """(value, note) of a metric; (None, "") when there is none."""
    found = next((m for m in record["metrics"] if m["name"] == name), None)
    return (found["value"], found["note"]) if found else (None, "")


def failures(records):
    """One line for each record whose case failed or whose data was wrong."""
    found = []
    for record in records:
        wrong = [c for c in record.get("checks", []) if not c["passed"]]
        if record["outcome"] == "failed":
            found.append(f"{record['case_id']}: {record.get('reason', '')}")
        elif wrong:
            found.append(f"{record['case_id']}: {wrong[0]['name']}: {wrong[0].get('detail', '')}")
    return found


def refused(records):
    """One line for each record in which an engine that was expected did not compute."""
    return [f"{r['case_id']}: engine refused: {r['texts']['engines_refused']}" for r in records
            if r["texts"].get("engines_refused")]


def measured(records):
    return [r for r in records if r["outcome"] == "ok"]


def op_shape(record):
    """{"m": 4096, ...} of a kernel's record: "gemm dtype=bf16 m=4096 ..."."""
    words = (word.partition("=") for word in record["texts"]["shape"].split())
    shape = {}
    for name, _, value in words:
        try:
            shape[name] = float(value) if "." in value or "e" in value else int(value)
        except ValueError:
            continue
    return shape


def case_ids(text):
    """Of `stepmark list cases --json`."""
    try:
        return [case["case"] for case in json.loads(text)]
    except (ValueError, KeyError, TypeError):
        return []


def dims_of(case_id):
    """{"m": 8192, "trans_b": 1, ...} of "kernel/gemm/bf16/m8192,trans_b1", for names of `known`."""
    dims = {}
    for word in case_id.rpartition("/")[2].split(","):
        name = next((name for name in DIMS if word.startswith(name) and word[len(name):].isdigit()), None)
        if name:
            dims[name] = int(word[len(name):])
    return dims


# Of GEMMs and attention; a longer name before one that it begins with.
DIMS = ("trans_a", "trans_b", "accumulate", "out_f32", "batch", "seq", "heads", "kv_heads", "head_dim", "bias",
        "m", "n", "k")
