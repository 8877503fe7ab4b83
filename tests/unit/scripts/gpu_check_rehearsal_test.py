#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""scripts/gpu-check --rehearse on the build that STEPMARK_BUILD names: on its emulated GPU, or on the
host backend. Every stage comes to its end and says what it found, with less than 4 minutes of one core:
so much that a machine which is busy with other things does not fail it."""
import json
import os
import pathlib
import resource
import subprocess
import sys
import tempfile
import unittest

REPO = pathlib.Path(__file__).resolve().parents[3]
sys.path.insert(0, str(REPO / "scripts"))

from gpu_check import site, stages  # noqa: E402

MOST_CPU_S = 240
MINUTES = 20  # of a busy machine; an idle one needs one or two
EMULATED = (pathlib.Path(os.environ["STEPMARK_BUILD"]) / site.EMULATED).exists()
NEEDS_A_GPU = {"sanitizer"}


class Rehearsal(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        out = pathlib.Path(cls.folder.name)
        cls.done = subprocess.run([sys.executable, REPO / "scripts" / "gpu-check", "--rehearse", "--out", out,
                                   "--minutes", str(MINUTES)], capture_output=True, text=True, check=False)
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        cls.cpu_s = used.ru_utime + used.ru_stime
        cls.words = cls.done.stdout + cls.done.stderr
        for log in sorted((out / "logs").glob("*.log")) if cls.done.returncode not in (0, 3) else []:
            cls.words += f"\n--- {log.name}\n" + log.read_text(encoding="utf-8", errors="replace")[-3000:]
        file = out / "rehearsal.json"
        cls.content = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {"stages": [], "goals": []}
        cls.torch = site.python_with_torch() is not None

    def stage(self, name):
        return next(stage for stage in self.content["stages"] if stage["name"] == name)

    def test_every_stage_passes_in_its_time(self):
        self.assertLess(self.cpu_s, MOST_CPU_S)
        skipped = NEEDS_A_GPU | (set() if self.torch else {s.name for s in stages.all_stages() if s.goals or
                                                           s.name in ("gemm", "attention")} - {"kernels"})
        got = {stage["name"]: stage["result"] for stage in self.content["stages"]}
        want = {s.name: "skipped" if s.name in skipped else "pass" for s in stages.all_stages()}
        self.assertEqual(got, want, self.words)
        self.assertEqual(list(got), list(want))  # in this order
        self.assertEqual(self.done.returncode, 3, self.words)  # as something was skipped
        for stage in self.content["stages"]:
            self.assertLessEqual(stage["seconds"], stage["limit_s"], stage["name"])

    def test_figures_of_a_rehearsal_meet_no_goal_of_speed(self):
        speed = {s.name for s in stages.all_stages() if s.goals}
        states = {goal["state"] for goal in self.content["goals"] if goal["stage"] in speed}
        self.assertLessEqual(states, {"rehearsed", "not run"}, self.words)
        self.assertIn("rehearsed", states)
        self.assertIn("figures mean nothing", self.content["what"])

    def test_what_stages_measured_is_kept(self):
        self.assertEqual(self.stage("machine")["figures"]["doctor"] != {}, True)
        self.assertTrue(self.stage("smoke")["figures"]["engines"])
        self.assertTrue(self.stage("kernels")["figures"]["kernels"])
        engines = [step["gemm_engine"] for step in self.stage("experts")["figures"]["steps"]]
        self.assertEqual(len(engines), 2)
        # A seed's rows are multiplied by the library that multiplies all else, the router's by one own op.
        self.assertEqual(["own kernel" in engine for engine in engines], [False, EMULATED], engines)
        ranks = self.stage("ranks")["figures"]
        self.assertGreater(ranks["2 ranks"]["checks"], ranks["2 ranks"]["cases"] - 1)
        self.assertEqual(self.stage("death")["figures"]["last_line"], "end")
        steps = [self.stage(name)["figures"] for name in ("step-gpt2-124m", "step-llama3-8b-4-layers")]
        for step in steps:
            self.assertGreater(step["parameters"], 0)
            self.assertEqual("empty_graph_s" in step and step["empty_graph_s"] is not None, EMULATED)
        if not self.torch:
            return
        self.assertEqual([step["both_in_memory"] for step in steps], [True, False])  # both ways
        for step in steps:
            self.assertEqual(step["pytorch"]["parameters"], step["parameters"])
            for rounds in step["rounds"].values():
                self.assertGreaterEqual(len(rounds["stepmark_s"]), 2)
                self.assertEqual(len(rounds["stepmark_s"]), len(rounds["pytorch_s"]))


if __name__ == "__main__":
    unittest.main(verbosity=2)
