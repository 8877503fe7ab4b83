#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every row of docs/reliability.md names a test, and every test that is named there exists."""
import pathlib
import re
import sys
import unittest

sys.dont_write_bytecode = True
REPO = pathlib.Path(__file__).resolve().parents[3]


def rows():
    """(line number, third cell) of every row of the page's tables."""
    page = (REPO / "docs" / "reliability.md").read_text(encoding="utf-8")
    for number, line in enumerate(page.splitlines(), 1):
        if line.startswith("| ") and not line.startswith("| kind of fault"):
            yield number, re.split(r"(?<!\\)\|", line)[3]


def missing(cell):
    """What a cell names and the tree does not have. A cell: `FILE`: `TEST`, `TEST`; `FILE`: ..."""
    lost = []
    for part in cell.split(";"):
        names = re.findall(r"`([^`]+)`", part)
        if not names or not (REPO / names[0]).is_file():
            lost.append(names[0] if names else "no file")
            continue
        text = (REPO / names[0]).read_text(encoding="utf-8")
        for name in names[1:]:
            suite, _, test = name.partition(".")
            pattern = rf"\b{suite}\b" if test in ("", "*") else rf"\({suite},\s*{test}\)"
            if not re.search(pattern, text):
                lost.append(name)
    return lost


class Reliability(unittest.TestCase):
    def test_every_row_has_tests_that_exist(self):
        found = list(rows())
        self.assertGreater(len(found), 50)
        for number, cell in found:
            self.assertEqual(missing(cell), [], f"docs/reliability.md:{number}")

    def test_what_does_not_exist_is_noticed(self):
        here = "`tests/unit/scripts/reliability_test.py`"
        self.assertEqual(missing(f" {here}: `test_every_row_has_tests_that_exist` "), [])
        self.assertEqual(missing(f" {here}: `test_of_another" + "_name` "), ["test_of_another" + "_name"])
        self.assertEqual(missing(" `tests/unit/no_such_test.cpp` "), ["tests/unit/no_such_test.cpp"])
        self.assertEqual(missing(" none "), ["no file"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
