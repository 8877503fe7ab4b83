# SPDX-License-Identifier: Apache-2.0
"""scripts/demo-renewal: what it states as true is what the comparison says of its journals."""

import json
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, str(ROOT / "scripts"))
import stepmark_tool as tool  # noqa: E402
from demo_renewal import journals, truth  # noqa: E402
from stepmark_tool import stepmark  # noqa: E402


class Demo(tool.ToolTest):
    def compared(self, seed):
        folder = pathlib.Path(self.path(f"seed{seed}"))
        folder.mkdir()
        files = journals.write_all(folder, seed)
        (folder / "prices.yaml").write_text(truth.prices(), encoding="utf-8")
        (folder / "mix.yaml").write_text(truth.mix(), encoding="utf-8")
        labels = [word for name, paths in files.items()
                  for word in ("--label", f"{name}={','.join(map(str, paths))}")]
        result = stepmark("compare", "--across", *labels, "--prices", folder / "prices.yaml",
                          "--portfolio", folder / "mix.yaml", "--json")
        self.expect(result, tool.OK)
        return json.loads(result.out)

    def test_break_even_prices_and_verdicts_are_those_of_the_stated_truth(self):
        inside = total = 0
        for seed in range(1, 7):
            found = self.compared(seed)
            self.assertEqual(len(found["works"]), len(truth.STEP_S))
            for work in found["works"]:
                workload = work["equal"]["model"]
                for pair in work["pairs"]:
                    money, = (one for one in pair["money"] if one["kind"] == truth.PRICE_KIND)
                    a, b = pair["a"], pair["b"]
                    even = money["break_even_a"]
                    total += 1
                    inside += even["lower"] <= truth.break_even(workload, a, b) <= even["upper"]
                    ratio = truth.cost(workload, b) / truth.cost(workload, a)
                    # True differences are over 5 %, which is found every time, or under the margin, which is none.
                    self.assertTrue(abs(ratio - 1) > 0.05 or abs(ratio - 1) < 0.015, (workload, a, b, ratio))
                    right = ("undecided", "same") if abs(ratio - 1) < 0.015 else ("faster",) if ratio < 1 else ("slower",)
                    self.assertIn(money["cost_verdict"], right, (seed, workload, a, b, ratio))
        self.assertEqual(total, 36)
        self.assertGreaterEqual(inside, 0.95 * total, f"{inside} of {total}")

    def test_every_draw_of_the_mix_moves_what_the_truth_decides(self):
        for seed in range(1, 4):
            found = {one["workload"]: one for one in self.compared(seed)["portfolio"]["workloads"]}
            small, large = found["llama3-8b"], found["llama3-70b"]
            self.assertEqual((small["shares"], small["decided"]), ({"east": 1.0}, True), seed)
            self.assertEqual((large["shares"], large["decided"]), ({"north": 1.0}, False), seed)

    def test_the_mix_is_allocated_and_costs_less_than_today(self):
        portfolio = self.compared(1)["portfolio"]
        self.assertEqual(portfolio["why"], "")
        self.assertLess(portfolio["cost_per_month"], portfolio["now"])
        shares = {one["workload"]: one["shares"] for one in portfolio["workloads"]}
        self.assertGreater(shares["llama3-8b"].get("east", 0), 0.5)  # where its tokens are cheapest
        used = {one["provider"]: one["gpu_hours"] for one in portfolio["providers"]}
        self.assertLessEqual(used["east"], truth.CAPACITY["east"][0] * 730 * 1.000001)

    def test_the_script_shows_all_of_it(self):
        out = self.path("shown")
        done = subprocess.run([sys.executable, ROOT / "scripts" / "demo-renewal", "--out", out, "--binary", tool.BINARY],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stdout)
        for words in ("What is true", "breaks even", "Portfolio demo-renewal", "USD a month",
                      "6 floors from 5 journals", "not met"):
            self.assertIn(words, done.stdout)
        page = pathlib.Path(out, "decision.html").read_text(encoding="utf-8")
        self.assertIn('"decision"', page)


if __name__ == "__main__":
    tool.main()
