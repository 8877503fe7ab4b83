# SPDX-License-Identifier: Apache-2.0
"""Providers against each other: compare --across, with labels and prices; and prices like for like."""

import datetime
import json
import os
import random
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import stepmark_tool as tool  # noqa: E402
from stepmark_tool import stepmark  # noqa: E402

PRICES = """prices: renewal
currency: USD
date: {date}
source: a letter
providers:
  - {{provider: A, prices: [{{kind: on-demand, per_gpu_hour: 3}}]}}
  - {{provider: B, prices: [{{kind: on-demand, per_node_hour: 16, gpus_per_node: 8}}]}}
"""


class Across(tool.ToolTest):
    def setUp(self):
        super().setUp()
        self.random = random.Random(1)

    def journal(self, name, seconds, plan="dp=8,tp=1", cluster=None, **numbers):
        """A run of one step of about that time."""
        level = seconds * (1 + 0.004 * self.random.gauss(0, 1))
        values = [level * (1 + 0.002 * self.random.gauss(0, 1)) for _ in range(20)]
        case = "step/w/" + plan
        texts = {"workload": "w", "plan": plan, "precision": "bf16", **({"cluster": cluster} if cluster else {})}
        facts = {"tokens_per_step": 8192, "gpus": 8, "ranks": 8, "parameters": 1e9, **numbers}
        started = self.random.random() * 1e9
        lines = [{"type": "run", "schema_version": 1, "run_id": name, "started": "2026-01-01T00:00:00Z",
                  "tool_version": "1", "git_revision": "", "build_type": "Release", "dirty": False,
                  "command": [], "suite": "s", "backend": "host", "ranks": 8, "config": {}, "environment": [],
                  "cases": [case]},
                 {"type": "record", "case_id": case, "family": "step", "provenance": "measured", "outcome": "ok",
                  "reason": "", "perf_valid": True, "labels": [], "numbers": facts, "texts": texts,
                  "series": [{"name": "time_s", "unit": "s", "values": values}], "summaries": [], "metrics": [],
                  "split": [], "timeline": [], "checks": [{"name": "loss", "passed": True, "detail": ""}],
                  "started_unix_s": started, "wall_s": 1.0},
                 {"type": "end", "exit_code": 0, "reason": ""}]
        return self.write(name + ".smk", "".join(json.dumps(line) + "\n" for line in lines))

    def side(self, name, seconds, **more):
        return ",".join(self.journal(f"{name}{i}", seconds, **more) for i in range(3))

    def prices(self, date=None):
        return self.write("prices.yaml", PRICES.format(date=date or datetime.date.today().isoformat()))

    def test_break_even_by_hand(self):
        a, b = self.side("a", 1.0), self.side("b", 1.25, plan="dp=4,tp=2")
        words = ["compare", "--across", "--label", "A=" + a, "--label", "B=" + b, "--prices", self.prices()]
        result = stepmark(*words, "--json")
        self.expect(result, tool.OK)
        work, = json.loads(result.out)["works"]
        pair, = work["pairs"]
        self.assertEqual((pair["a"], pair["b"], pair["verdict"]), ("A", "B", "slower"))
        ratio = pair["rate_ratio"]
        self.assertAlmostEqual(ratio["value"], 1.25, delta=0.02)
        money, = pair["money"]
        # B asks 16 / 8 = 2: A breaks even at 2 x ratio, B at 3 / ratio; the intervals follow.
        for key in "value", "lower", "upper":
            self.assertAlmostEqual(money["break_even_a"][key], 2 * ratio[key], places=9)
        self.assertAlmostEqual(money["break_even_b"]["lower"], 3 / ratio["upper"], places=9)
        self.assertEqual(money["cost_verdict"], "faster")  # B is cheaper: 2 x 1.25 against 3
        table = stepmark(*words)
        self.expect(table, tool.OK)
        for text in ("Equal: parameters 1000000000", "A faster", "B cheaper", "breaks even", "Assumed",
                     "1 of 1 works compared between 2 providers; exit code 0"):
            self.assertIn(text, table.out)
        self.assertNotIn("days old", table.out)

    def test_published_prices_are_found_by_name(self):
        files = [self.side("a", 1.0, cluster="aws-p5"), self.side("b", 1.0, cluster="oci-h100")]
        result = stepmark("compare", "--across", *files, "--prices", "published", "--json")
        self.expect(result, tool.OK)
        found = json.loads(result.out)
        asked = {one["provider"]: {term["kind"]: term for term in one["terms"]} for one in found["prices"]["providers"]}
        self.assertEqual(sorted(asked), ["aws-p5", "oci-h100"])  # and none of the other fifty
        self.assertEqual(asked["aws-p5"]["on-demand"]["per_gpu_hour"], 6.88)
        for terms in asked.values():
            for term in terms.values():
                self.assertTrue(term["source"] and term["date"], term)
        self.assertNotIn("gcp-", " ".join(found["remarks"]))
        wrong = stepmark("compare", "--across", *files, "--prices", "publisht")
        self.expect(wrong, tool.USAGE, "did you mean 'published'?")

    def test_the_cluster_names_the_provider(self):
        files = [self.side("a", 1.0, cluster="aws"), self.side("b", 1.0, cluster="gcp")]
        result = stepmark("compare", "--across", *files, "--json")
        self.expect(result, tool.OK)
        self.assertEqual(json.loads(result.out)["providers"], ["aws", "gcp"])
        self.expect(stepmark("compare", "--across", self.side("c", 1.0), files[0]), tool.USAGE, "give --label NAME=")
        self.expect(stepmark("compare", "--across", files[0]), tool.USAGE, "needs two of them")

    def test_other_work_is_refused(self):
        result = stepmark("compare", "--across", "--label", "A=" + self.side("a", 1.0),
                          "--label", "B=" + self.side("b", 1.0, tokens_per_step=4096))
        self.expect(result, tool.NOT_MEASURED)
        self.assertIn("tokens per step is 8192 and 4096", " ".join(result.out.split()))

    def test_what_a_change_costs_by_hand(self):
        """Like for like: the same provider in May and in June."""
        a, b = self.side("a", 1.0), self.side("b", 1.1)
        words = ["compare", "--label", "A=" + a, "--label", "A=" + b, "--prices", self.prices()]
        result = stepmark(*words, "--json")
        self.expect(result, tool.CHECK_FAILED)  # 10 % slower
        side, = json.loads(result.out)["sides"]
        case, = side["cases"]
        cost, = side["costs"]
        self.assertEqual((cost["case_id"], cost["kind"], cost["gpus"]), (case["case_id"], "on-demand", 8))
        # 8 GPUs at 3 an hour.
        self.assertAlmostEqual(cost["per_step_baseline"], 8 * 3 * case["baseline_s"] / 3600, places=9)
        self.assertAlmostEqual(cost["per_step_candidate"], 8 * 3 * case["candidate_s"] / 3600, places=9)
        for key, of in ("value", "ratio"), ("lower", "lower"), ("upper", "upper"):
            self.assertAlmostEqual(cost["per_month"][key], 8 * 3 * 730 * (case[of] - 1), places=6)
        for key, of in ("value", "ratio"), ("lower", "upper"), ("upper", "lower"):
            self.assertAlmostEqual(cost["break_even_candidate"][key], 3 / case[of], places=9)
        table = stepmark(*words)
        self.assertIn("cost of step", table.out)
        # Another provider's price: B asks 2 for what takes 1.1 times as long.
        result = stepmark("compare", "--label", "A=" + a, "--label", "B=" + b, "--prices", self.prices(), "--json")
        side, = json.loads(result.out)["sides"]
        cost, = side["costs"]
        self.assertAlmostEqual(cost["per_month"]["value"], 8 * 730 * (2 * side["cases"][0]["ratio"] - 3), places=6)

    def test_prices_must_name_a_side(self):
        a, b = self.side("a", 1.0), self.side("b", 1.0)
        self.expect(stepmark("compare", a, b, "--prices", self.prices()), tool.USAGE,
                    "has prices of A, B, and the sides are of no name", "--label A=FILE.smk")
        clustered = [self.side(name, 1.0, cluster="A") for name in "cd"]
        self.expect(stepmark("compare", *clustered, "--prices", self.prices()), tool.OK)

    def test_prices_are_checked(self):
        sides = ["--label", "A=" + self.side("a", 1.0), "--label", "B=" + self.side("b", 1.0)]
        old = stepmark("compare", "--across", *sides, "--prices", self.prices("2025-01-01"))
        self.expect(old, tool.OK)
        self.assertIn("days old", old.out)
        wrong = self.write("wrong.yaml", PRICES.format(date="2026-01-01").replace("per_gpu_hour: 3", "per_gpu_hour: 0"))
        self.expect(stepmark("compare", "--across", *sides, "--prices", wrong), tool.USAGE, "wrong.yaml:6:")
        self.expect(stepmark("compare", "--across", "--label", "nonsense"), tool.USAGE, "NAME=FILE.smk")


if __name__ == "__main__":
    tool.main()
