#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""scripts/check-pipes must find each kind of pipe into a reader that leaves early, and nothing else."""
import contextlib
import importlib.machinery
import importlib.util
import io
import pathlib
import tempfile
import unittest

REPO = pathlib.Path(__file__).resolve().parents[3]
LOADER = importlib.machinery.SourceFileLoader("check_pipes", str(REPO / "scripts" / "check-pipes"))
CHECK = importlib.util.module_from_spec(importlib.util.spec_from_loader("check_pipes", LOADER))
LOADER.exec_module(CHECK)


def check(files):
    with contextlib.redirect_stdout(io.StringIO()) as output:
        return CHECK.main([str(file) for file in files]), output.getvalue()


def run(text):
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "planted"
        file.write_text(text, encoding="utf-8")
        code, output = check([file])
        return code, output.replace(f"{file}:", "")


def runs_shells(file):
    if not file.is_file() or "__pycache__" in file.parts:
        return False
    return file.suffix == ".py" or "sh" in file.read_text(encoding="utf-8", errors="replace").split("\n", 1)[0]


class CheckPipes(unittest.TestCase):
    def test_finds_readers_that_leave_early(self):
        for reader in ("grep -q x", "grep -Eq x", "grep -i -q x", "grep --quiet x", "grep -m 1 x", "grep -l x", "head",
                       "head -n 1", "sed -n '/x/q'", "sed 5q", "sed '1q'", "awk '{ print; exit }'",
                       "LC_ALL=C grep -q x", "command grep -q x"):
            for pipe in ("a | {}", "a |{}", "x=$(a | {})", "a |\n  {}", "a | \\\n  {}", "if b && a |& {}; then"):
                text = "#!/bin/bash\n" + pipe.format(reader) + "\n"
                code, output = run(text)
                self.assertEqual(code, 1, text)
                self.assertTrue(output.startswith("2: a pipe into '"), text + output)

    def test_accepts_the_rest(self):
        for text in ("a | grep x", "a | grep -c x", "a | grep -vE 'quiet -q'", "a || head -n 1 file", "head -n 1 file",
                     "grep -q x <<<\"$(a)\"", "grep -q x file | cat", "a | tail -n 1", "a | sort -u", "# a | " + "head",
                     "a | sed 's/q/p/'", "a | sed -E 's/^v([0-9]+).*/\\1/'", "a | awk '{ print $1 }'",
                     "a | xargs", "| read"):
            self.assertEqual(run(text + "\n"), (0, ""), text)

    def test_this_tree_is_clean(self):
        folders = ("scripts/**/*", ".ci/*", "tests/cli/*.py", "tests/fault/*.py")
        files = [file for folder in folders for file in REPO.glob(folder) if runs_shells(file)]
        self.assertGreater(len(files), 20)
        self.assertEqual(check(files), (0, ""))


if __name__ == "__main__":
    unittest.main(verbosity=2)
