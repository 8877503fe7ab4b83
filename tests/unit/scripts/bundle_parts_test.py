#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The parts of scripts/bundle that need no build: which libraries, which test commands, the archive."""
import pathlib
import sys
import tempfile
import unittest
from unittest import mock

REPO = pathlib.Path(__file__).resolve().parents[3]
sys.path.insert(0, str(REPO / "scripts"))

from bundling import archive, build, libraries, openmpi, tests  # noqa: E402
from bundling.failure import BundleError, output_of  # noqa: E402

LDD = """\tlinux-vdso.so.1 (0x00007fff)
\tlibfmt.so.9 => /lib/x86_64-linux-gnu/libfmt.so.9 (0x00007f)
\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f)
\tlibm.so.6 => /lib/x86_64-linux-gnu/libm.so.6 (0x00007f)
\tlibmpi.so.40 => /opt/mpi/lib/libmpi.so.40 (0x00007f)
\tlibcudart.so.13 => not found
\t/lib64/ld-linux-x86-64.so.2 (0x00007f)
"""


class Libraries(unittest.TestCase):
    def test_glibc_and_cuda_stay_with_the_machine(self):
        self.assertEqual(set(libraries.resolve(LDD)), {"libfmt.so.9", "libmpi.so.40"})
        for name in ("libc.so.6", "libpthread.so.0", "libnss_files.so.2", "ld-linux-x86-64.so.2",
                     "libcuda.so.1", "libnccl.so.2", "libcudnn_graph.so.9", "libcublasLt.so.13",
                     "libnvidia-ml.so.1"):
            self.assertTrue(libraries.HOST.match(name), name)
        for name in ("libcap.so.2", "libmpi.so.40", "libmunge.so.2", "libcudd.so.1", "libstdc++.so.6"):
            self.assertFalse(libraries.HOST.match(name), name)

    def test_a_missing_library_is_named(self):
        with self.assertRaisesRegex(BundleError, "stepmark needs libfmt.so.9, which is not installed"):
            libraries.resolve("\tlibfmt.so.9 => not found\n", of="stepmark")

    def test_tools(self):
        with self.assertRaisesRegex(BundleError, "needs the program no-such-tool"):
            output_of("no-such-tool")
        with self.assertRaisesRegex(BundleError, "exit code 3: words"):
            output_of("sh", "-c", "echo words >&2; exit 3")

    def test_kernels_of_openblas_that_every_processor_can_run_stay(self):
        names = ("PRESCOTT", "NEHALEM", "SANDYBRIDGE", "HASWELL", "ZEN", "SKYLAKEX")
        listing = "".join(f"0000000000000000 D gotoblas_{name}\n" for name in names)
        with mock.patch.object(libraries, "output_of", return_value=listing):
            def replaced(*sets):
                return [option.removeprefix("-Wl,--defsym=gotoblas_") for option in libraries.kernels_left_out("a", sets)]
            self.assertEqual(replaced("x86-64-v2", "x86-64-v3"), ["PRESCOTT=gotoblas_NEHALEM", "SANDYBRIDGE=gotoblas_NEHALEM"])
            self.assertEqual(replaced("x86-64-v3"), [f"{name}=gotoblas_HASWELL" for name in ("NEHALEM", "PRESCOTT", "SANDYBRIDGE")])
            self.assertEqual(replaced("baseline"), [])
            self.assertEqual(replaced(), [])

    def test_plugins_of_fabrics_stay_behind(self):
        for name in ("mca_pml_ucx.so", "mca_btl_openib.so", "mca_mtl_psm2.so", "mca_spml_ucx.so",
                     "mca_btl_ofi.so", "mca_io_romio321.so", "mca_schizo_jsm.so"):
            self.assertTrue(openmpi.LEFT_OUT.search(name), name)
        for name in ("mca_btl_vader.so", "mca_btl_tcp.so", "mca_pml_ob1.so", "mca_plm_slurm.so",
                     "mca_pmix_ext3x.so", "mca_coll_tuned.so", "mca_ess_pmi.so", "mca_io_ompio.so"):
            self.assertFalse(openmpi.LEFT_OUT.search(name), name)

    def test_programs(self):
        for name in ("stepmark", "gpu_kernels", "stepmark_bench_cuda_kernels"):
            self.assertTrue(build.PROGRAMS.match(name))
        for name in ("emulated_kernels", "cli_test", "libstepmark.a", "stepmark_core"):
            self.assertFalse(build.PROGRAMS.match(name), name)


class Tests(unittest.TestCase):
    def test_commands_become_the_bundles(self):
        with tempfile.TemporaryDirectory() as holder:
            repo = pathlib.Path(holder, "repo")
            made, root = repo / "build" / "cuda", pathlib.Path(holder, "bundle")
            (repo / "tests").mkdir(parents=True)
            for name in ("x_test.py", "helper.py"):
                (repo / "tests" / name).write_text("", encoding="utf-8")
            ranks = {"name": "a", "command": ["/usr/bin/mpirun", "-np", "2", str(made / "t" / "gpu_a")],
                     "environment": [f"STEPMARK_BINARY={made}/bin/stepmark", "X=1"], "timeout_s": 5}
            script = {"name": "b", "command": ["/usr/bin/python3.11", str(repo / "tests" / "x_test.py")],
                      "environment": [], "timeout_s": 5}
            programs = {"gpu_a": None, "stepmark": None}
            got = tests.relocated(repo, made, root, [ranks, script], programs)
            self.assertEqual(got[0]["command"], ["{root}/bin/mpirun", "-np", "2", "{root}/bin/gpu_a"])
            self.assertEqual(got[0]["environment"], ["STEPMARK_BINARY={root}/bin/stepmark", "X=1"])
            self.assertEqual(got[1]["command"], ["python3", "{root}/tests/tests/x_test.py"])
            self.assertTrue((root / "tests" / "tests" / "helper.py").exists())
            with self.assertRaisesRegex(BundleError, "which the bundle does not carry"):
                tests.relocated(repo, made, root, [ranks], {"stepmark": None})


class Archive(unittest.TestCase):
    def test_same_folder_same_bytes(self):
        with tempfile.TemporaryDirectory() as holder:
            folder = pathlib.Path(holder, "f")
            (folder / "bin").mkdir(parents=True)
            (folder / "bin" / "a").write_text("x" * 1000, encoding="utf-8")
            first = archive.pack(folder).read_bytes()
            (folder / "bin" / "a").touch()
            self.assertEqual(archive.pack(folder).read_bytes(), first)
            self.assertEqual(archive.folder_bytes(folder), 1000)


if __name__ == "__main__":
    unittest.main(verbosity=2)
