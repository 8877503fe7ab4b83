# SPDX-License-Identifier: Apache-2.0
"""scripts/bundle: small enough, and it runs under another path in a root that has glibc, bash and
coreutils only. Exit code 77 (skipped) where no such root can be entered."""

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import minimal_root  # noqa: E402

REPO = pathlib.Path(__file__).resolve().parents[2]
BUILD = os.environ["STEPMARK_BUILD"]
LIMIT_MB = 60
SUITE = """suite: bundled
description: one of each
budget: 5s
cases:
  - family: step
    workload: tiny
    plan: ["tp=2", "tp=1"]
  - family: collective
    collectives: [all_reduce]
    min: 4KiB
    max: 4KiB
  - family: kernel
    ops: [gelu_fwd]
    max_bytes: 64MiB
    max_gflop: 1
"""


def bundle(*arguments):
    return subprocess.run([sys.executable, REPO / "scripts" / "bundle", "--no-build", *arguments],
                          capture_output=True, text=True, check=False)


class Bundle(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.holder = tempfile.TemporaryDirectory()
        out = pathlib.Path(cls.holder.name)
        cls.made = bundle("--build", BUILD, "--out", out / "out", "--limit-mb", str(LIMIT_MB))
        if cls.made.returncode != 0:
            raise AssertionError(cls.made.stderr + cls.made.stdout)
        archive = re.search(r"archive\s+(\S+)", cls.made.stdout).group(1)
        cls.root = str(out / "root")
        os.mkdir(cls.root)
        minimal_root.make(cls.root)
        home = pathlib.Path(cls.root, "opt", "another place")  # a blank must not hurt
        home.mkdir()
        subprocess.run(["tar", "xf", archive, "-C", home], check=True)
        folder = next(home.iterdir())
        cls.folder = folder
        cls.bin = f"/opt/another place/{folder.name}/bin"
        (pathlib.Path(cls.root) / "suite.yaml").write_text(SUITE, encoding="utf-8")

    @classmethod
    def tearDownClass(cls):
        cls.holder.cleanup()

    def inside(self, program, *arguments, code=0):
        done = minimal_root.run(self.root, f"{self.bin}/{program}", *arguments)
        self.assertEqual(done.returncode, code, done.stderr + done.stdout)
        return done

    def test_lists_and_doctor(self):
        self.assertIn("llama3-8b", self.inside("stepmark", "list", "workloads").stdout)
        findings = json.loads(self.inside("stepmark", "doctor", "--json").stdout)
        data = next(f for f in findings if f["what"] == "data")
        self.assertTrue(data["found"].startswith("/opt/another place/"), data)

    def test_two_ranks_measure(self):
        self.assertIn("openmpi", json.loads((self.folder / "bundle.json").read_text()))
        done = self.inside("mpirun", "--oversubscribe", "--bind-to", "none", "-np", "2",
                           f"{self.bin}/stepmark", "run", "--suite", "/suite.yaml", "--out",
                           "/tmp/two.smk")
        self.assertIn("2 ranks", done.stdout)
        # Plugins that miss a library, folders of the machine it was built on: all would be told.
        self.assertNotIn("/usr/lib", done.stderr)
        self.assertNotRegex(done.stderr, r"(?i)mca|pmix|cannot open")
        journal = pathlib.Path(self.root, "tmp", "two.smk").read_text(encoding="utf-8")
        records = [r for r in map(json.loads, journal.splitlines()) if r["type"] == "record"]
        self.assertEqual({r["family"] for r in records}, {"step", "collective", "kernel"})
        self.assertEqual({r["outcome"] for r in records}, {"ok"})

    def test_mpirun_explains_itself(self):
        done = minimal_root.run(self.root, f"{self.bin}/mpirun", "-np", "1", "/no/such/program")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("/no/such/program", done.stderr)
        self.assertNotIn("I couldn't open the help file", done.stderr)

    def test_says_which_glibc(self):
        needed = re.search(r"glibc (\d+)\.(\d+) or newer", self.made.stdout)
        self.assertGreaterEqual((int(needed.group(1)), int(needed.group(2))), (2, 17))
        note = pathlib.Path(self.folder, "libexec", "glibc")
        original = note.read_text(encoding="utf-8")
        note.write_text("2.999\n", encoding="utf-8")  # as if made on a distribution to come
        try:
            done = self.inside("stepmark", "list", "suites", code=4)
        finally:
            note.write_text(original, encoding="utf-8")
        self.assertIn("needs glibc 2.999", done.stderr)

    def test_carries_no_glibc_and_no_cuda(self):
        names = {path.name for path in (self.folder / "lib").iterdir()}
        self.assertIn("libstdc++.so.6", names)
        for name in names:
            self.assertNotRegex(name, r"^(ld-linux|libc\.so|libm\.so|libcuda|libnccl|libcudnn|libcublas)")

    def test_finds_cuda_of_toolkit_then_packages(self):
        toolkit = pathlib.Path(self.root, "opt", "toolkit")
        (toolkit / "lib64").mkdir(parents=True)
        package = pathlib.Path(self.root, "opt", "venv", "lib", "python3.12", "site-packages", "nvidia", "nccl", "lib")
        package.mkdir(parents=True)
        done = minimal_root.run(
            self.root, "/bin/sh", "-c",
            f"export CUDA_HOME=/opt/toolkit VIRTUAL_ENV=/opt/venv; root='{self.bin[:-4]}'; "
            '. "$root/libexec/environment.sh"; echo "$STEPMARK_LIBRARY_PATH"')
        self.assertEqual(
            done.stdout.strip(),
            "/opt/toolkit/lib64:/opt/venv/lib/python3.12/site-packages/nvidia/nccl/lib", done.stderr)

    def test_too_large_is_an_error(self):
        with tempfile.TemporaryDirectory() as out:
            done = bundle("--build", BUILD, "--out", out, "--limit-mb", "5")
        self.assertEqual(done.returncode, 4)
        self.assertRegex(done.stderr, "over the limit of 5 MB; largest: .*lib/libopenblas")


if __name__ == "__main__":
    reason = minimal_root.why_not()
    if reason:
        print(f"skipped: {reason}")
        sys.exit(77)
    unittest.main(verbosity=2)
