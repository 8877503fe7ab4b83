# SPDX-License-Identifier: Apache-2.0
"""What docs/file-formats.md says of suites and of printed JSON is what the program takes and prints."""

import json
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import stepmark_tool as tool  # noqa: E402
from stepmark_tool import stepmark  # noqa: E402

HEAD = "suite: s\ndescription: d\nbudget: 1s\ncases:\n  - family: "
# The least that an entry of each family needs.
ENTRIES = {
    "kernel": "kernel\n    ops: [copy]\n",
    "collective": "collective\n    collectives: [all_reduce]\n",
    "groups": "groups\n    plan: [tp=2]\n    traffic:\n      tp: {op: all_reduce, bytes: 4KiB}\n",
    "overlap": "overlap\n    gemm: {m: 8, n: 8, k: 8}\n    collectives: [all_reduce]\n    bytes: 4KiB\n",
    "step": "step\n    workload: tiny\n",
    "ablation": "ablation\n    workload: tiny\n",
}


def documentation():
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "docs", "file-formats.md")
    with open(path, encoding="utf-8") as file:
        return file.read()


def section(title):
    return re.search(rf"^## {re.escape(title)}.*?\n(.*?)(?=^## |\Z)", documentation(), re.S | re.M).group(1)


def rows(text):
    """Cells of the rows of the first table."""
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[1:]]


class Suites(tool.ToolTest):
    def test_keys_of_each_family(self):
        documented = {}
        for cells in rows(section("Suite")):
            family = cells[0].strip("` |")
            words = re.findall(r"`([a-z_]+)`", re.sub(r"\{[^}]*\}|\([^)]*\)|: list of[^;|]*", "", cells[1]))
            documented[family] = set(words)
        self.assertEqual(set(documented), set(ENTRIES))
        for family, entry in ENTRIES.items():
            suite = self.write("s.yaml", HEAD + entry + "    zzzzzzzzzzzzzz: 1\n")
            result = stepmark("list", "cases", "--suite", suite)
            self.expect(result, tool.USAGE, "unknown key 'zzzzzzzzzzzzzz'; valid: ")
            taken = set(result.err.split("valid: ")[1].strip().split(", ")) - {"family"}
            # A range is read instead of a list: `sizes` and the others exclude each other.
            self.assertEqual(taken, documented[family], family)

    def test_placement(self):
        words = re.findall(r"`([a-z-]+)`", re.search(r"^`placement`:([^.]*)\.", section("Suite"), re.M).group(1))
        self.assertEqual(sorted(words), ["both", "in-place", "out-of-place"])
        for word in words:
            suite = self.write("s.yaml", HEAD + ENTRIES["collective"] + f"    sizes: [4KiB]\n    placement: {word}\n")
            result = stepmark("list", "cases", "--json", "--suite", suite)
            self.expect(result, tool.OK)
            ends = [case["case"].split("/")[-2] for case in json.loads(result.out)]
            self.assertEqual(ends, ["out-of-place", "in-place"] if word == "both" else [word])
        suite = self.write("s.yaml", HEAD + ENTRIES["collective"] + "    placement: inplace\n")
        self.expect(stepmark("list", "cases", "--suite", suite), tool.USAGE, "in-place, out-of-place, both")


class PrintedJson(tool.ToolTest):
    def test_run_and_report(self):
        text = section("JSON of tables")
        documented = set(re.findall(r'"([a-z_]+)"', re.search(r"`\{(\"run\".*?)\}`", text, re.S).group(1)))
        journal = self.path("run.smk")
        suite = self.write("s.yaml", HEAD + "kernel\n    ops: [gemm]\n    max_gflop: 0.31\n    max_bytes: 4MiB\n")
        printed = stepmark("run", "--suite", suite, "--out", journal, "--json")
        self.expect(printed, tool.OK)
        self.assertEqual(set(json.loads(printed.out)), documented)
        report = json.loads(stepmark("report", journal, journal, "--json").out)
        self.assertIsInstance(report, list)  # one of them per journal
        self.assertEqual([set(run) for run in report], [documented, documented])
        for record in report[0]["records"]:
            self.assertNotIn("series", record)
            self.assertNotIn("timeline", record)


if __name__ == "__main__":
    tool.main()
