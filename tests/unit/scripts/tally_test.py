#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""scripts/tally must count every test once, name what was skipped, inside a program too, and fail in CI
what tests/allowed-skips.txt does not have."""
import contextlib
import importlib.machinery
import importlib.util
import io
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest
from unittest import mock

REPO = pathlib.Path(__file__).resolve().parents[3]
LOADER = importlib.machinery.SourceFileLoader("tally", str(REPO / "scripts" / "tally"))
TALLY = importlib.util.module_from_spec(importlib.util.spec_from_loader("tally", LOADER))
LOADER.exec_module(TALLY)

# One ctest project with every end a test can have.
PROJECT = """
cmake_minimum_required(VERSION 3.22)
project(ends NONE)
enable_testing()
list(APPEND CMAKE_MODULE_PATH %s)
include(StepmarkTesting)
add_test(NAME good COMMAND ${CMAKE_COMMAND} -E true)
add_test(NAME bad COMMAND ${CMAKE_COMMAND} -E false)
add_test(NAME code_77 COMMAND sh -c "echo 'skipped: no chromium'; exit 77")
set_tests_properties(code_77 PROPERTIES SKIP_RETURN_CODE 77)
add_test(NAME no_program COMMAND /nonexistent/program)
stepmark_add_missing_test(no_tool "no node")
add_test(NAME gtest COMMAND ${CMAKE_COMMAND} -E cat ${CMAKE_SOURCE_DIR}/gtest.txt)
add_test(NAME unittest COMMAND ${CMAKE_COMMAND} -E cat ${CMAKE_SOURCE_DIR}/unittest.txt)
add_test(NAME quiet COMMAND ${CMAKE_COMMAND} -E cat ${CMAKE_SOURCE_DIR}/quiet.txt)
"""
GTEST = "x" * 5000 + """
[ RUN      ] World.Meets
/src/world_test.cpp:81: Skipped
needs two ranks

[  SKIPPED ] World.Meets (0 ms)
[ RUN      ] Ops/Gemm.Fp8/3
[  SKIPPED ] Ops/Gemm.Fp8/3, where GetParam() = 4-byte object (0 ms)
[  PASSED  ] 7 tests.
[  SKIPPED ] 2 tests, listed below:
[  SKIPPED ] World.Meets
[  SKIPPED ] Ops/Gemm.Fp8/3, where GetParam() = 4-byte object
"""
UNITTEST = """test_a (__main__.Disk.test_a) ... ok
test_full_disk (__main__.Disk.test_full_disk) ... skipped 'may not mount a "small" disk'
test_said (__main__.Disk.test_said)
A line of documentation. ... skipped "it's not there"

OK (skipped=2)
"""


class OfCtest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp()
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        root = pathlib.Path(cls.folder)
        (root / "CMakeLists.txt").write_text(PROJECT % (REPO / "cmake"), encoding="utf-8")
        (root / "gtest.txt").write_text(GTEST, encoding="utf-8")
        (root / "unittest.txt").write_text(UNITTEST, encoding="utf-8")
        (root / "quiet.txt").write_text("Ran 3 tests in 0.1s\n\nOK (skipped=1)\n", encoding="utf-8")
        # As scripts/test calls it.
        limits = ["--test-output-size-passed", "10000000", "--test-output-size-failed", "10000000"]
        subprocess.run(["cmake", "-G", "Ninja", "-S", root, "-B", root / "b"], check=True, stdout=subprocess.DEVNULL, timeout=60)
        subprocess.run(["ctest", "--output-junit", root / "junit.xml", *limits], cwd=root / "b", check=False,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60)
        cls.file = root / "tally"
        TALLY.from_ctest(cls.file, "release", root / "junit.xml")

    def entries(self, ci="", outcome=None):
        with mock.patch.dict(os.environ, CI=ci):
            return {e.name: e.reason for e in TALLY.load(self.file) if outcome in (None, e.outcome)}

    def test_every_test_is_counted_once(self):
        self.assertEqual(set(self.entries(outcome="passed")), {"good", "gtest", "unittest", "quiet"})
        self.assertEqual(set(self.entries(outcome="failed")), {"bad", "no_program"})

    def test_what_was_skipped_is_named_with_its_reason(self):
        self.assertEqual(self.entries(outcome="skipped"), {
            "code_77": "no chromium", "no_tool": "no node", "gtest World.Meets": "needs two ranks",
            "gtest Ops/Gemm.Fp8/3": "no reason given", "unittest test_full_disk": 'may not mount a "small" disk',
            "unittest test_said": "it's not there", "quiet part 1": "not named: run the program with -v"})

    def test_a_skip_fails_in_ci(self):
        self.assertEqual(self.entries("true", "skipped"), {})
        self.assertEqual(self.entries("true", "failed")["code_77"], "skipped, which fails in CI: no chromium")

    def test_no_account_is_a_failure(self):
        with tempfile.TemporaryDirectory() as folder:
            file = os.path.join(folder, "tally")
            TALLY.from_ctest(file, "debug", os.path.join(folder, "absent.xml"))
            self.assertIn("left no account", TALLY.load(file)[0].reason)
            self.assertEqual(TALLY.load(file)[0].outcome, "failed")


class Closing(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.file = os.path.join(folder.name, "tally")

    def close(self, ci):
        with mock.patch.dict(os.environ, CI=ci), contextlib.redirect_stdout(io.StringIO()) as output:
            code = TALLY.main(["close", self.file])
        return code, output.getvalue().splitlines()

    def add(self, *words):
        self.assertEqual(TALLY.main(["add", self.file, *words]), 0)

    def test_last_line_is_the_count(self):
        self.add("lint", "layers", "passed")
        self.add("lint", "clang-tidy (2 files)", "failed")
        self.add("release", "browser_report", "skipped", "no chromium")
        self.assertEqual(self.close(""), (1, ["skipped: release/browser_report: no chromium",
                                              "failed: lint/clang-tidy (2 files)",
                                              "1 passed, 1 failed, 1 skipped"]))

    def test_skips_fail_in_ci_but_for_those_of_the_list(self):
        self.add("lint", "layers", "passed")
        self.add("cuda", "gpu_kernels", "skipped", "no GPU: no driver")
        code, lines = self.close("true")
        self.assertEqual((code, lines[-1]), (0, "1 passed, 0 failed, 1 skipped"))
        self.assertIn("[GPU: ", lines[0])
        self.add("lint", "shellcheck", "skipped", "no shellcheck")
        self.assertEqual(self.close("")[0], 0)
        code, lines = self.close("true")
        self.assertEqual((code, lines[-1]), (1, "1 passed, 1 failed, 1 skipped"))

    def test_the_reason_counts_too(self):
        self.assertTrue(TALLY.why_allowed("cuda", "gpu_kernels", "no GPU: no driver"))
        self.assertFalse(TALLY.why_allowed("cuda", "gpu_kernels", "no python3"))
        self.assertFalse(TALLY.why_allowed("release", "kernels_torch", "PyTorch is not installed"))

    def test_every_line_of_the_list_says_why(self):
        self.assertGreater(len(list(TALLY.allowed_skips())), 1)
        for pattern, words, why in TALLY.allowed_skips():
            self.assertTrue(pattern and words and why, pattern)

    def test_every_reason_of_the_list_is_of_a_kind(self):
        for pattern, _, why in TALLY.allowed_skips():
            self.assertIn(why.partition(":")[0], TALLY.KINDS, pattern)

    def test_nothing_run_is_a_failure(self):
        pathlib.Path(self.file).touch()
        self.assertEqual(self.close("")[0], 1)


class OfALog(unittest.TestCase):
    """What scripts/fresh-machine accepts: outputs of scripts/setup, scripts/lint and scripts/test."""
    GPU = "skipped: cuda/gpu_kernels: no GPU: no driver [GPU: the same sources run as emulated_*]"
    MACHINE = ("skipped: release/cli_surroundings test_quota: may not make: quota "
               "[machine: needs root, a cgroup or a namespace of one's own]")

    def skips(self, *lines):
        with tempfile.TemporaryDirectory() as folder:
            log = pathlib.Path(folder, "log")
            log.write_bytes(b"[1/2] Building \xff\n" + "\n".join([*lines, "7 passed, 0 failed, 2 skipped", ""]).encode())
            with contextlib.redirect_stdout(io.StringIO()) as output:
                return TALLY.main(["skips", str(log)]), output.getvalue().splitlines()

    def test_what_is_accepted_is_told_apart_with_its_reason(self):
        self.assertEqual(self.skips(self.MACHINE, self.GPU, self.MACHINE), (0, [
            "skipped for want of a GPU: 1", "  " + self.GPU,
            "skipped as this machine has or permits no more: 2", "  " + self.MACHINE, "  " + self.MACHINE,
            "missing, or skipped without a reason that tests/allowed-skips.txt has: nothing"]))

    def test_what_is_missing_fails(self):
        for line in ("setup: no ccache in this distribution", "lint: shellcheck skipped: not installed",
                     "skipped: release/browser_report: no chromium",
                     "skipped: release/browser_report: no GPU [GPU: the same sources run as emulated_*]",
                     "skipped: cuda/gpu_kernels: no GPU [machine: too small]", "skipped: something"):
            code, output = self.skips(self.GPU, line)
            self.assertEqual((code, output[-1]), (1, "  " + line))
            self.assertTrue(output[-2].endswith(": 1"), output)

    def test_close_and_skips_agree(self):
        with tempfile.TemporaryDirectory() as folder:
            file = os.path.join(folder, "tally")
            TALLY.main(["add", file, "cuda", "gpu_kernels", "skipped", "no GPU: no driver"])
            TALLY.main(["add", file, "release", "cli_output X", "skipped", "may not make a device node here: [1] no"])
            with mock.patch.dict(os.environ, CI="true"), contextlib.redirect_stdout(io.StringIO()) as output:
                TALLY.main(["close", file])
        self.assertEqual(self.skips(*output.getvalue().splitlines())[0], 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
