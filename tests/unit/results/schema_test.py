#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every line of real journals fits the published schema, and broken lines do not.

Usage: schema_test.py SCHEMA WRITER; WRITER FILE writes journals FILE (exit 77: no jsonschema).
"""
import json
import subprocess
import sys
import tempfile

try:
    import jsonschema
except ImportError:
    print("skipped: no python3-jsonschema")
    sys.exit(77)


def broken_forms(line):
    """Mistakes that a schema must find."""
    yield "unknown key", {**line, "unknown": 1}
    for key in line:
        if key != "config":
            yield f"no {key}", {k: v for k, v in line.items() if k != key}
            yield f"{key} of another type", {**line, key: {"x": []}}


def main():
    schema_path, writer = sys.argv[1:]
    with open(schema_path, encoding="utf-8") as file:
        schema = json.load(file)
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    lines = []
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([writer, folder], check=True)
        for name in ("plain.smk", "hostile.smk", "repeated.smk", "resumed.smk", "imported.smk"):
            with open(f"{folder}/{name}", encoding="utf-8") as file:
                lines += [json.loads(text) for text in file]
    for line in lines:
        validator.validate(line)
        if "repetition" in line:
            for wrong in (0, 101, 1.5, "2"):
                assert not validator.is_valid({**line, "repetition": wrong}), wrong
    assert any("repetition" in line for line in lines if line["type"] == "record")
    told = [line for line in lines if line.get("provenance") == "imported" and line["outcome"] == "ok"]
    assert told and all(not line["series"] and line["summaries"] for line in told)
    for line in told:
        assert not validator.is_valid({**line, "provenance": "measured"}), "a measurement without samples"
        for key, wrong in (("lower", 1e-3), ("mad", 0), ("effective_count", 12), ("count", -1)):
            summaries = [{**one, key: wrong} for one in line["summaries"]]
            assert not validator.is_valid({**line, "summaries": summaries}), f"{key} without samples"
    kinds = {line["type"]: line for line in lines}
    assert set(kinds) == {"run", "resume", "record", "end"}, kinds.keys()
    for kind, line in kinds.items():
        for what, broken in broken_forms(line):
            # Facts are free objects: any object of texts or numbers is one.
            if what.startswith(("numbers of", "texts of")):
                broken = {**line, what.split()[0]: [1]}
            assert not validator.is_valid(broken), f"{kind}: {what} passes the schema"
    print(f"{len(lines)} lines fit the schema")


if __name__ == "__main__":
    main()
