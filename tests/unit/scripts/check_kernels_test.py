# SPDX-License-Identifier: Apache-2.0
"""scripts/check-kernels: what it reads of ptxas's report, and what it lets pass."""
import glob
import contextlib
import importlib.machinery
import importlib.util
import io
import os
import unittest

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "..")
LOADER = importlib.machinery.SourceFileLoader("check_kernels",
                                              os.path.join(ROOT, "scripts", "check-kernels"))
check = importlib.util.module_from_spec(importlib.util.spec_from_loader("check_kernels", LOADER))
LOADER.exec_module(check)

REPORT = """\
ptxas info    : 0 bytes gmem
ptxas info    : Compiling entry function '_Z4fastPf' for 'sm_90'
ptxas info    : Function properties for _Z4fastPf
    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 40 registers, used 1 barriers
ptxas info    : Compiling entry function '_Z5spillPf' for 'sm_90'
ptxas info    : Function properties for _Z5spillPf
    8 bytes stack frame, 4 bytes spill stores, 8 bytes spill loads
ptxas info    : Used 64 registers, used 1 barriers
"""


class CheckKernels(unittest.TestCase):
    def test_reads_registers_and_spills(self):
        fast, spill = check.parse_ptxas(REPORT)
        self.assertEqual((fast["kernel"], fast["registers"], fast["stores"]), ("_Z4fastPf", 40, 0))
        self.assertEqual((spill["registers"], spill["stack"], spill["stores"], spill["loads"]),
                         (64, 8, 4, 8))

    def over(self, limits):
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            count = check.report("a.cu", check.parse_ptxas(REPORT), {}, check.read_limits(limits))
        return count, out.getvalue()

    def test_spills_beyond_the_limit_fail(self):
        count, text = self.over("a.cu . 0")
        self.assertEqual(count, 1)
        self.assertIn("SPILLS MORE THAN 0 bytes", text)
        self.assertEqual(self.over("a.cu spill 12")[0], 0)
        self.assertEqual(self.over("a.cu spill 11")[0], 1)

    def test_what_no_line_names_may_have_none(self):
        self.assertEqual(self.over("b.cu . 100")[0], 1)

    def test_a_line_that_cannot_be_read_is_an_error(self):
        with self.assertRaisesRegex(SystemExit, "spill-limits.txt:2: expected SOURCE KERNEL BYTES"):
            check.read_limits("# a comment\na.cu .\n")

    def test_the_list_is_of_sources_that_are_there(self):
        with open(check.LIMITS, encoding="utf-8") as file:
            for source, _, _ in check.read_limits(file.read()):
                self.assertTrue(glob.glob(os.path.join(ROOT, "kernels", "cuda", "**", source), recursive=True), source)

    def test_one_architecture_and_no_result(self):
        command = check.command_of({"command": "/usr/bin/ccache /x/nvcc -I/a --generate-code=arch=1 "
                                               "-compress-mode=size -O3 -MD -MT o -MF d -x cu -c "
                                               "f.cu -o f.o"}, "90")
        self.assertEqual(command, ["/x/nvcc", "-I/a", "-O3", "-x", "cu", "f.cu", "-arch=sm_90",
                                   "-cubin", "-o", os.devnull, "-Xptxas", "-v"])


if __name__ == "__main__":
    unittest.main()
