# SPDX-License-Identifier: Apache-2.0
"""plan --list: the legal plans of a workload on so many accelerators, without any."""

import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import stepmark_tool as tool  # noqa: E402
from stepmark_tool import stepmark  # noqa: E402

NODES = ["--workload", "llama3-8b", "--cluster", "aws-p5", "--nodes", "2", "--global-batch", "32"]


class PlanList(tool.ToolTest):
    def listed(self, *more):
        result = stepmark("plan", "--list", *NODES, "--json", *more)
        self.expect(result, tool.OK)
        return json.loads(result.out)

    def one(self, plan):
        result = stepmark("plan", "--workload", "llama3-8b", "--plan", plan["plan"], "--ranks", "16", "--cluster",
                          "aws-p5", "--json")
        self.expect(result, tool.OK)
        return json.loads(result.out)

    @tool.once_per_machine
    def test_every_plan_of_the_list_can_be_asked_for(self):
        value = self.listed("--top", "40")
        self.assertEqual((value["ranks"], value["global_batch"]), (16, 32))
        plans = value["plans"]
        self.assertEqual(len({plan["plan"] for plan in plans}), 40)
        self.assertGreater(value["legal_plans"], 1000)
        for plan in plans[::8]:
            with self.subTest(plan=plan["plan"]):
                one = self.one(plan)
                stages = one.get("pipeline", {}).get("stages") or [{"peak_bytes_per_rank": one["memory_bytes_per_rank"]["total"]}]
                self.assertEqual(plan["memory_bytes_per_rank"], max(stage["peak_bytes_per_rank"] for stage in stages))
                self.assertEqual(plan["fits"], one["memory"]["fits"])
                for axis, sent in plan["axes"].items():  # one: of rank 0; the list: of the rank that sends most
                    self.assertGreater(sent["bus_bytes_per_rank"],
                                       0.99 * one["communication"][axis]["bus_bytes_per_rank"])

    @tool.once_per_machine
    def test_what_fits(self):
        fitting = [plan["plan"] for plan in self.listed("--top", "40")["plans"] if plan["fits"]]
        self.assertTrue(0 < len(fitting) < 40)
        value = self.listed("--fits", "--top", str(len(fitting)))
        self.assertEqual([plan["plan"] for plan in value["plans"]], fitting)
        self.assertLessEqual(value["looked_at"], 40)

    def test_the_order_is_that_of_declared_rates(self):
        seconds = [plan["at_declared_rates_s"] for plan in self.listed("--fits")["plans"]]
        self.assertEqual(seconds, sorted(seconds))
        self.assertGreater(seconds[0], 0)

    def test_links(self):
        for plan in self.listed()["plans"]:
            keys = dict(pair.split("=") for pair in plan["plan"].split(","))
            tiers = {axis: sent["tier"] for axis, sent in plan["axes"].items()}
            with self.subTest(plan=plan["plan"]):
                self.assertEqual(tiers.get("tp", "scale-up"), "scale-up")  # of 8 accelerators
                if "pp" in keys and int(keys["dp"]) * int(keys["tp"]) == 8:
                    self.assertEqual(tiers["pp"], "scale-out")

    def test_sequences_are_shared_as_asked_for(self):
        value = self.listed("--plan", "cp=2,cp_kind=ring", "--top", "3")
        for plan in value["plans"]:
            self.assertIn(",cp=2,cp_kind=ring,", plan["plan"])
            self.assertIn("dp_cp", plan["axes"])
            self.assertGreater(plan["axes"]["cp"]["bus_bytes_per_rank"], 0)
        result = stepmark("plan", "--list", *NODES, "--plan", "cp=3")
        self.expect(result, tool.USAGE, "cp=3")

    def test_experts_are_spread(self):
        result = stepmark("plan", "--list", "--workload", "tiny-mixtral", "--ranks", "4",
                          "--global-batch", "4", "--top", "0", "--json")
        self.expect(result, tool.OK)
        plans = json.loads(result.out)["plans"]
        spread = [dict(pair.split("=") for pair in plan["plan"].split(",")) for plan in plans]
        self.assertEqual({keys.get("ep", "1") for keys in spread}, {"1", "2", "4"})
        self.assertTrue({"1", "2"} <= {keys.get("etp") for keys in spread})
        for plan in [plan for plan, keys in zip(plans, spread) if "ep" in keys][::101]:
            with self.subTest(plan=plan["plan"]):
                one = stepmark("plan", "--workload", "tiny-mixtral", "--plan", plan["plan"], "--ranks", "4", "--json")
                self.expect(one, tool.OK)
                one = json.loads(one.out)
                self.assertEqual(plan["memory_bytes_per_rank"], one["memory_bytes_per_rank"]["most"])
                self.assertGreaterEqual(plan["axes"]["ep"]["bus_bytes_per_rank"],
                                        0.999 * one["communication"]["ep"]["bus_bytes_per_rank"])

    def test_table(self):
        result = stepmark("plan", "--list", *NODES, "--top", "3")
        self.expect(result, tool.OK)
        for text in ("llama3-8b on 16 ranks of aws-p5, 32 sequences per step", "legal plans", "at rates",
                     "more: --top 0 shows all", "an order, no"):
            self.assertIn(text, result.out)
        alone = stepmark("plan", "--list", "--workload", "tiny", "--ranks", "4")
        self.expect(alone, tool.OK)
        self.assertIn("with --cluster", alone.out)
        self.assertNotIn("at rates", alone.out)

    def test_mistakes(self):
        for words, text in ((["--workload", "tiny", "--nodes", "2"], "of which cluster"),
                            (["--workload", "tiny", "--fits"], "--fits needs --cluster"),
                            (["--workload", "llama3-405b", "--cluster", "aws-p5", "--nodes", "1", "--global-batch", "8",
                              "--fits"], "legal plans fits"),
                            (["--workload", "tiny", "--ranks", "7", "--global-batch", "3"], "no plan of tiny has"),
                            (["--workload", "tiny", "--program", "0"], "excludes"),
                            (["--workload", "tiny", "--ranks", "7", "--nodes", "2"], "excludes")):
            with self.subTest(words=words):
                result = stepmark("plan", "--list", *words)
                self.expect(result, tool.USAGE, text)
                self.assertEqual(len(result.err.strip().splitlines()), 1, result.err)
        self.expect(stepmark("plan", "--fits", "--workload", "tiny"), tool.USAGE, "--list")


if __name__ == "__main__":
    tool.main()
