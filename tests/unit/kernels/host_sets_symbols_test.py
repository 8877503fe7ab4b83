# SPDX-License-Identifier: Apache-2.0
"""The host kernels of each instruction set show the linker one symbol, their table: whatever else
they define (inline functions, templates of the standard library) cannot stand in for code that must
run on a weaker processor.

usage: host_sets_symbols_test.py NM OBJECT...
"""
import subprocess
import sys
import unittest

NM, *OBJECTS = sys.argv[1:]


def symbols(path, *options):
    lines = subprocess.run([NM, *options, path], check=True, capture_output=True, text=True).stdout.splitlines()
    return [line.split()[-2:] for line in lines]


class OneSymbolEach(unittest.TestCase):
    def test_only_the_table_is_global(self):
        for path in OBJECTS:
            names = [name for _, name in symbols(path, "--defined-only", "--extern-only")]
            self.assertEqual(len(names), 1, f"{path}: {names[:9]}")
            self.assertTrue(names[0].startswith("stepmark_host_kernels_"), names)

    def test_nothing_of_ours_is_borrowed_where_an_inline_would_be(self):
        for path in OBJECTS:
            weak = [name for kind, name in symbols(path) if kind in "WVu" and not name.startswith("__")]
            self.assertEqual(weak, [], path)

    def test_objects_hold_kernels(self):
        self.assertTrue(OBJECTS)
        for path in OBJECTS:
            local = [name for kind, name in symbols(path, "--defined-only") if kind == "t"]
            self.assertTrue(any("host_gemm" in name for name in local), path)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
