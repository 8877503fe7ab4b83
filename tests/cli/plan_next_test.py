# SPDX-License-Identifier: Apache-2.0
"""compare --plan-next: what would decide, as commands that are run here as they are printed."""

import json
import os
import random
import re
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import stepmark_tool as tool  # noqa: E402
from stepmark_tool import stepmark  # noqa: E402

# Of which one kernel is measured: a run takes a second.
SUITE = """\
suite: gemms
description: GEMMs
budget: 1s
precision: 5%
cases:
  - family: kernel
    ops: [gemm]
    max_gflop: 0.31
    max_bytes: 4MiB
"""


def sh(script, folder, **more):
    return subprocess.run(["sh"], input=script, cwd=folder, env=tool.environment(), stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=tool.TIMEOUT_S, check=False, **more)


class PlanNext(tool.ToolTest):
    def measure(self, *names, suite="suite.yaml"):
        for name in names:
            self.expect(stepmark("run", "--suite", suite, "--out", name, "--only", "trans_b1", cwd=self.folder), tool.OK)

    def compare(self, *words):
        return stepmark("compare", *words, cwd=self.folder)

    @tool.once_per_machine
    def test_the_plan_runs_and_ends_with_a_comparison_of_all(self):
        self.write("suite.yaml", SUITE)
        self.measure("it's a.smk", "b.smk")
        # A spread that two runs do not suffice for, whatever the machine does.
        words = ["it's a.smk", "b.smk", "--margin", "45%", "--run-spread", "18%", "--smallest", "99%", "--power", "60%"]
        side, = json.loads(self.compare(*words, "--json").out)["sides"]
        undecided = [case for case in side["cases"] if case["verdict"] == "undecided"]
        self.assertTrue(undecided, side)
        more = max(case["to_decide"]["more_baseline"] for case in undecided)
        self.assertTrue(all(case["to_decide"]["need"] == "runs" for case in undecided), undecided)
        plan = self.compare(*words, "--plan-next")
        self.expect(plan, tool.OK)
        self.assertIn("with seed 2", plan.out)
        # As printed, but for the spread, which the runs tell now.
        script, count = re.subn(r"--run-spread[\s\\]+18%", "", plan.out)
        self.assertEqual(count, 1)
        done = sh(script, self.folder)
        # What the machine did meanwhile decides the verdict; that announced runs find, simulations show.
        self.assertIn(done.returncode, (tool.OK, tool.CHECK_FAILED), done.stdout + done.stderr)
        last = " ".join(done.stdout.split())
        self.assertIn(f"{len(undecided)} cases compared", last.replace("1 case compared", "1 cases compared"))
        self.assertIn(f"next-b{1 + more}.smk against the baseline it's a.smk,next-a2.smk", last)
        self.assertTrue(os.path.exists(self.path(f"next-a{1 + more}.smk")))

    def write_like(self, measured, name, seed, scale):
        """A journal as `measured`, of another run whose samples no machine had a part in."""
        noise = random.Random(seed)
        lines = tool.read_lines(self.path(measured))
        for line in lines:
            if line["type"] == "run":
                line["run_id"] = f"{seed:032x}"
            for series in line.get("series", []):
                series["values"] = [scale * noise.gauss(1e-3, 1e-5) for _ in range(60)]
        self.write(name, tool.journal_text(lines))

    def test_what_is_printed(self):
        self.write("suite.yaml", SUITE)
        self.measure("measured.smk")
        self.write_like("measured.smk", "a.smk", 1, 1)
        self.write_like("measured.smk", "b.smk", 2, 1.01)
        table = self.compare("a.smk", "b.smk")
        text = " ".join(table.out.split())
        self.assertIn("to decide", text)
        self.assertIn("+3 runs?", text)
        self.assertIn("3 more runs of the baseline and 3 of the candidate, which tell what they differ by: then ask again", text)
        plan = self.compare("a.smk", "b.smk", "--plan-next")
        self.expect(plan, tool.OK)
        calls = [line for line in plan.out.splitlines() if line.startswith(("a next-", "b next-"))]
        self.assertEqual(sorted(calls), sorted(f"{side} next-{side}{n}.smk" for side in "ab" for n in (2, 3, 4)))
        self.assertNotIn("--resume", plan.out)
        same = self.compare("a.smk", "b.smk", "--margin", "90%", "--plan-next")
        self.expect(same, tool.OK)
        self.assertEqual(same.out, "# Nothing is undecided: no further runs.\n")
        syntax = subprocess.run(["sh", "-n"], input=plan.out, text=True, check=False)
        self.assertEqual(syntax.returncode, 0)

        self.assertEqual(json.loads(self.compare("a.smk", "b.smk", "--smallest", "2%", "--json").out)["margin"], 0.01)
        self.expect(self.compare("a.smk", "b.smk", "--smallest", "2%", "--margin", "2%"), tool.USAGE,
                    "give a smaller --margin or a larger --smallest")
        self.expect(self.compare("a.smk", "b.smk", "b.smk", "--plan-next"), tool.USAGE, "given twice")
        self.write_like("measured.smk", "c.smk", 3, 1)
        self.expect(self.compare("a.smk", "b.smk", "c.smk", "--plan-next"), tool.USAGE, "two sides")


if __name__ == "__main__":
    tool.main()
