#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the README says runs somewhere has been tried there: docs/tried-on.md has the row and the date."""
import pathlib
import re
import unittest

REPO = pathlib.Path(__file__).resolve().parents[3]
README = (REPO / "README.md").read_text(encoding="utf-8")
TRIED = (REPO / "docs" / "tried-on.md").read_text(encoding="utf-8")
DISTRIBUTION = re.compile(r"\b(?:Debian|Ubuntu)(?: \d[\d.]*(?:/\d[\d.]*)*)?")


def rows():
    """(date, where, what) of the table."""
    for line in TRIED.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 4 and re.fullmatch(r"\d{4}-\d\d-\d\d", cells[0]):
            yield cells[:3]


class Claims(unittest.TestCase):
    def test_the_two_commands_were_tried_where_the_readme_says(self):
        section = README.split("## Two commands")[1].split("\n## ")[0]
        before_the_commands = section.split("```")[0]
        claimed = DISTRIBUTION.findall(before_the_commands)
        self.assertTrue(claimed)
        for name in claimed:
            tried = [what for _, where, what in rows() if re.search(re.escape(name) + r"(?![\d./])", where)]
            for command in ("scripts/quickstart", "scripts/test"):
                self.assertTrue(any(command in what for what in tried), f"{command} on {name}: not in docs/tried-on.md")

    def test_a_gpu_was_met_where_the_table_says_so(self):
        self.assertTrue(any("H100" in where for _, where, _ in rows()))
        docs = "".join(file.read_text(encoding="utf-8") for file in [REPO / "README.md", *REPO.glob("docs/*.md")])
        self.assertNotRegex(docs, r"(?i)has never run on|never run on hardware|not met a (?:real )?(?:one|GPU)")

    def test_the_readme_links_to_it(self):
        self.assertIn("(docs/tried-on.md)", README)


if __name__ == "__main__":
    unittest.main(verbosity=2)
