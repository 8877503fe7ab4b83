# SPDX-License-Identifier: Apache-2.0
"""A measured step as a CCL-Bench card and traces: what its tools read, and what is refused."""

import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import stepmark_tool as tool  # noqa: E402
from stepmark_tool import stepmark  # noqa: E402

PLAN = "layers=1,micro_batch=2,seq=16"


class Export(tool.ToolTest):
    def measured(self, *plan, ranks=0):
        path = self.path("run.smk")
        result = stepmark("run", "--workload", "tiny", *plan, "--budget", "2s", "--out", path, ranks=ranks)
        self.expect(result, tool.OK)
        return path

    def test_a_trace_has_one_step_with_the_work_of_the_timeline_in_it(self):
        journal, out = self.measured("--plan", PLAN), self.path("card")
        self.expect(stepmark("export", "ccl-bench", journal, "--out", out, "--cluster", "aws-p5"), tool.OK)
        self.assertEqual(sorted(os.listdir(out)), ["kineto_trace_0.json", "workload_card.yaml"])
        with open(os.path.join(out, "kineto_trace_0.json"), encoding="utf-8") as file:
            trace = json.load(file)
        step, = (e for e in trace["traceEvents"] if e["cat"] == "user_annotation")
        self.assertEqual(step["name"], "ProfilerStep#1")
        kernels = [e for e in trace["traceEvents"] if e["cat"] == "kernel"]
        record, = (line for line in tool.read_lines(journal) if line.get("family") == "step")
        self.assertEqual(len(kernels), len(record["timeline"]))
        for event, (_, stream, label, _, begin, end) in zip(kernels, record["timeline"]):
            self.assertTrue(event["name"].endswith(label))
            self.assertEqual("collective" in event["name"], stream != "compute")
            self.assertAlmostEqual(event["ts"], begin * 1e6, places=3)
            self.assertAlmostEqual(event["dur"], (end - begin) * 1e6, places=3)
            self.assertGreaterEqual(event["ts"], step["ts"])
            self.assertLessEqual(event["ts"] + event["dur"], step["ts"] + step["dur"] + 1e-3)
        with open(os.path.join(out, "workload_card.yaml"), encoding="utf-8") as file:
            card = file.read()
        for line in ("version: 1", "phase: training", "precision: fp32", "batch_size: 2", "seq_len: 16", "tp: 1",
                     "name: stepmark", "- 3600", "- json", "total_count: 1"):
            self.assertIn(line, card)
        # One layer of a workload of four: not the shipped one, so its dims are not told.
        self.assertIn("num_layers: ~", card)
        again = stepmark("export", "ccl-bench", journal, "--out", out)
        self.expect(again, tool.USAGE)
        self.assertIn("is not empty", again.err)

    @tool.needs_mpi
    def test_what_a_transfer_waits_for_is_in_its_kernel(self):
        journal, out = self.measured("--plan", PLAN, ranks=2), self.path("card")
        self.expect(stepmark("export", "ccl-bench", journal, "--out", out), tool.OK)
        record, = (line for line in tool.read_lines(journal) if line.get("family") == "step")
        for rank in (0, 1):
            own = [span for span in record["timeline"] if span[0] == rank]
            with open(os.path.join(out, f"kineto_trace_{rank}.json"), encoding="utf-8") as file:
                kernels = [e for e in json.load(file)["traceEvents"] if e["cat"] == "kernel"]
            self.assertEqual(len(kernels), len([span for span in own if span[3] != "waiting"]))
            self.assertFalse([e for e in kernels if "waiting" in e["name"]])
            for stream in {span[1] for span in own}:
                self.assertAlmostEqual(sum(e["dur"] for e in kernels if e["args"]["stream"] == stream),
                                       sum(1e6 * (span[5] - span[4]) for span in own if span[1] == stream), places=1)

    def test_what_cannot_be_exported_is_said(self):
        log = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "samples", "import", "nvcre.json")
        imported = self.path("theirs.smk")
        self.expect(stepmark("import", log, "--out", imported), tool.OK)
        steps = [line["case_id"] for line in tool.read_lines(imported) if line.get("family") == "step"]
        result = stepmark("export", "ccl-bench", imported, "--out", self.path("a"), "--case", steps[0])
        self.expect(result, tool.USAGE)
        self.assertIn("has no timeline", result.err)
        result = stepmark("export", "ccl-bench", imported, "--out", self.path("a"), "--case", "step/none")
        self.expect(result, tool.USAGE)
        self.assertIn("has no step 'step/none'; it has " + steps[0], result.err)
        result = stepmark("export", "chakra", imported, "--out", self.path("a"))
        self.expect(result, tool.USAGE)
        self.assertFalse(os.path.exists(self.path("a")))


if __name__ == "__main__":
    tool.main()
