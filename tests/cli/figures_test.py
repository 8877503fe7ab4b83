# SPDX-License-Identifier: Apache-2.0
"""A figure that cannot be given costs the figure: the case keeps its samples, the run goes on."""

import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import stepmark_tool as tool  # noqa: E402
from stepmark_tool import stepmark  # noqa: E402

WRONG_PEAK = """\
cluster: wrong-peak
provider: nobody
source: made up, a millionth of what any processor does
node:
  accelerator: none
  accelerators: 1
  dense_tflops: {fp32: 0.00001}
"""

PLAN = "layers=1,seq=16,micro_batch=1"


class Figures(tool.ToolTest):
    def measure(self, *arguments):
        result = stepmark("run", "--workload", "tiny", "--plan", PLAN, "--budget", "1s",
                          "--out", "w.smk", *arguments, cwd=self.folder)
        self.expect(result, tool.OK)
        record, = tool.records(self.path("w.smk"))
        self.assertEqual(record["outcome"], "ok")
        self.assertGreater(len(record["series"][0]["values"]), 0)
        return result, record

    def test_an_impossible_peak_makes_utilisation_na_and_keeps_the_case(self):
        cluster = self.write("wrong.yaml", WRONG_PEAK)
        result, record = self.measure("--cluster", cluster)
        metrics = {metric["name"]: metric for metric in record["metrics"]}
        for name in ("mfu", "mfu_causal", "hfu"):
            self.assertIsNone(metrics[name]["value"])
            self.assertRegex(metrics[name]["note"], r"^over 1 \([0-9.]+\): the cluster file's peak or")
            self.assertIn(f"{name} is N/A: {metrics[name]['note']}", record["labels"])
        self.assertGreater(metrics["step_time"]["value"], 0)
        texts = dict(record["texts"])
        self.assertRegex(texts["gemm_engine"], r"^openblas [0-9.]+ \S+$")
        self.assertRegex(texts["attention_engine"], r"^own \S+ with openblas ")
        self.assertGreater(metrics["tflops_per_gpu"]["value"],
                           metrics["tflops_per_gpu_causal"]["value"])
        self.assertIn("mfu is N/A: over 1", " ".join(result.out.split()))
        # Nothing is missing, so that nothing is repeated.
        again = stepmark("run", "--workload", "tiny", "--plan", PLAN, "--budget", "1s", "--cluster",
                         cluster, "--out", "w.smk", "--resume", cwd=self.folder)
        self.expect(again, tool.OK)
        self.assertEqual(len(tool.records(self.path("w.smk"))), 1)


if __name__ == "__main__":
    tool.main()
