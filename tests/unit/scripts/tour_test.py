# SPDX-License-Identifier: Apache-2.0
"""Files that the documents name exist: a tour through what is no longer there helps nobody."""

import pathlib
import re
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[3]
DOCUMENTS = ["README.md", "CONTRIBUTING.md", *(f"docs/{path.name}" for path in sorted((ROOT / "docs").glob("*.md")))]
NAMED = re.compile(r"`((?:core|kernels|collectives|results|harness|tests|scripts|cmake|cluster-configs|docs)/[\w./-]*\w)(?![\w*./-])")
PLACEHOLDER = re.compile(r"[/_][A-Z]+(?:\.|$)")


def missing(text, root=ROOT):
    """Paths in `code` of a document that are neither a file, a folder nor a file without its extension."""
    for name in NAMED.findall(text):
        there = (root / name).exists() or any((root / name).parent.glob((root / name).name + ".*"))
        if not there and not PLACEHOLDER.search(name):
            yield name


class DocumentsNameWhatExists(unittest.TestCase):
    def test_documents(self):
        for document in DOCUMENTS:
            with self.subTest(document=document):
                self.assertEqual(list(missing((ROOT / document).read_text(encoding="utf-8"))), [])

    def test_a_missing_file_is_found(self):
        self.assertEqual(list(missing("`harness/cli/parse.cpp`, `harness/cli/no_such_file.cpp`, `kernels/ops/F.h`")),
                         ["harness/cli/no_such_file.cpp"])


if __name__ == "__main__":
    unittest.main()
