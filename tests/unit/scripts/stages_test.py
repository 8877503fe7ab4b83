#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""scripts/test with build tools of our own: one account over all stages, and its last line."""
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

REPO = pathlib.Path(__file__).resolve().parents[3]
JUNIT = """<testsuite>
<testcase name="unit" status="run"/>
<testcase name="browser_report" status="notrun"><skipped message="SKIP_RETURN_CODE=77"/>
<system-out>skipped: no chromium</system-out></testcase>
</testsuite>"""
FAKES = {
    "cmake": 'case "$*" in *"--build --preset $BROKEN"*) echo broken; exit 1 ;; esac\n',
    "ctest": 'while [ $# -gt 0 ]; do [ "$1" != --output-junit ] || { mkdir -p "$(dirname "$2")"; cat "$JUNIT" >"$2"; }; '
             "shift; done\n",
    "clang++-15": "exit 0\n",
}


class Stages(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        for name in ("scripts/test", "scripts/tally", "tests/allowed-skips.txt"):
            (self.root / name).parent.mkdir(exist_ok=True)
            shutil.copy(REPO / name, self.root / name)
        (self.root / "bin").mkdir()
        (self.root / "junit.xml").write_text(JUNIT, encoding="utf-8")
        for name, body in FAKES.items():
            self.program("bin/" + name, body)
        self.program("scripts/setup", "exit 0\n")
        self.program("scripts/lint", 'scripts/tally add "$STEPMARK_TALLY" lint layers passed\n')

    def program(self, name, body):
        file = self.root / name
        file.write_text("#!/bin/bash\n" + body, encoding="utf-8")
        file.chmod(0o755)

    def run_stages(self, *stages, ci="", broken="none"):
        path = f"{self.root / 'bin'}:{os.environ['PATH']}"
        env = dict(os.environ, PATH=path, CI=ci, BROKEN=broken, JUNIT=str(self.root / "junit.xml"))
        done = subprocess.run([self.root / "scripts" / "test", *stages], env=env, capture_output=True, text=True,
                              timeout=100, check=False)
        return done.returncode, done.stdout

    def test_the_last_line_counts_all_stages(self):
        code, output = self.run_stages("lint", "debug", "fuzz", "release")
        self.assertEqual(code, 0, output)
        self.assertIn("\nskipped: debug/browser_report: no chromium\n", output)
        self.assertTrue(output.endswith("\n4 passed, 0 failed, 3 skipped\n"), output)

    def test_a_missing_tool_fails_in_ci(self):
        code, output = self.run_stages("lint", "release", ci="true")
        self.assertEqual(code, 1, output)
        self.assertRegex(output, r"\nrelease +FAILED +1 passed, 1 failed, 0 skipped")
        self.assertTrue(output.endswith("\n2 passed, 1 failed, 0 skipped\n"), output)

    def test_a_broken_build_is_a_failure_and_the_rest_runs(self):
        code, output = self.run_stages("debug", "release", broken="host-debug")
        self.assertEqual(code, 1, output)
        self.assertIn("\nfailed: debug/build: see above\n", output)
        self.assertTrue(output.endswith("\n1 passed, 1 failed, 1 skipped\n"), output)

    def test_tests_that_leave_no_account_have_failed(self):
        self.program("bin/ctest", "exit 0\n")
        code, output = self.run_stages("release")
        self.assertEqual(code, 1, output)
        self.assertIn("failed: release/ctest: left no account", output)


if __name__ == "__main__":
    unittest.main(verbosity=2)
