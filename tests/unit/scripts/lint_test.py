#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""scripts/lint in a repository of our own: it finds a planted pipe, and in CI a missing tool fails."""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

REPO = pathlib.Path(__file__).resolve().parents[3]
HIDDEN = ("clang", "shellcheck", "python3")


class Lint(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name) / "repo"
        for name in ("scripts/lint", "scripts/check-pipes", "scripts/tally", "tests/allowed-skips.txt"):
            (self.root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(REPO / name, self.root / name)
        self.plant("scripts/check-layers", "#!/bin/sh\nexit 0\n")
        self.plant("scripts/setup", "#!/usr/bin/env bash\nset -euo pipefail\n[[ $(a) == *b* ]]\n")
        self.plant("a.cpp", "int main() {}\n")
        self.bin = pathlib.Path(folder.name) / "bin"  # a machine without our tools
        self.bin.mkdir()
        for tool in pathlib.Path("/usr/bin").iterdir():
            if not tool.name.startswith(HIDDEN):
                (self.bin / tool.name).symlink_to(tool)
        (self.bin / "python3").symlink_to(sys.executable)
        self.git("init", "-q", "-b", "main")
        self.git("add", "-A")
        self.git("-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qm", "all")

    def git(self, *words):
        subprocess.run(["git", "-C", self.root, *words], check=True, timeout=60)

    def plant(self, name, text):
        file = self.root / name
        file.write_text(text, encoding="utf-8")
        file.chmod(0o755)

    def lint(self, ci=""):
        env = dict(os.environ, PATH=str(self.bin), CI=ci)
        env.pop("STEPMARK_TALLY", None)
        done = subprocess.run([self.root / "scripts" / "lint"], env=env, capture_output=True, text=True, timeout=100,
                              check=False)
        return done.returncode, done.stdout

    def test_missing_tools_are_named(self):
        code, output = self.lint()
        self.assertEqual(code, 0, output)
        self.assertIn("skipped: lint/shellcheck: no shellcheck\n", output)
        self.assertTrue(output.endswith("\n2 passed, 0 failed, 3 skipped\n"), output)

    def test_missing_tools_fail_in_ci(self):
        code, output = self.lint(ci="true")
        self.assertEqual(code, 1, output)
        self.assertIn("failed: lint/clang-tidy: skipped, which fails in CI: no clang-tidy 15\n", output)
        self.assertTrue(output.endswith("\n2 passed, 3 failed, 0 skipped\n"), output)

    def test_a_planted_pipe_is_found(self):
        self.plant("scripts/setup", "#!/usr/bin/env bash\nset -euo pipefail\na | " + "grep -q b\n")
        code, output = self.lint()
        self.assertEqual(code, 1, output)
        self.assertIn("scripts/setup:3: a pipe into 'grep -q'", output)
        self.assertIn("failed: lint/pipes\n", output)


if __name__ == "__main__":
    unittest.main(verbosity=2)
