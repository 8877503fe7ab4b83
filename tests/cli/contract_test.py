# SPDX-License-Identifier: Apache-2.0
"""Terms against journals: propose, check, explain, credits."""

import copy
import json
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import stepmark_tool as tool  # noqa: E402
from stepmark_tool import stepmark  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
GOLDEN = os.path.join(HERE, "..", "golden", "results", "journal.jsonl")
SAMPLE = os.path.join(HERE, "..", "samples", "contract", "renewal.yaml")
CASE = "step/tiny/dp2.tp2"
TERMS = f"""\
terms: small
parties: {{provider: P, customer: C}}
valid: {{from: 2026-09-01, until: 2027-08-31}}
quantity: {{nodes: 2, gpus_per_node: 2}}
fee: {{monthly: 1000, currency: EUR, per: order}}
floors:
  - floor: step
    case: {CASE}
    nodes: 2
    metric: tokens_per_s
    at_least: FLOOR tokens/s
    credit: 10%
credits:
  cap: 100%
  rounding: {{to: 0.01, mode: half-up}}
"""


class Contract(tool.ToolTest):
    def journal(self, number, step_s, change=None):
        """A run of one step on two hosts of two ranks, at 2048 tokens in `step_s`."""
        lines = tool.read_lines(GOLDEN)
        header = copy.deepcopy(lines[0])
        record = copy.deepcopy(next(line for line in lines if line.get("case_id") == CASE))
        header.update(run_id=f"run-{number}", cases=[CASE])
        header["environment"].append({"section": "placement", "name": "ranks by host",
                                      "value": "a x2, b x2", "fingerprint": False})
        record["started_unix_s"] = 1790000000 + number  # 2026-09-21
        record["series"][0]["values"] = [step_s * (1 + 0.0001 * i) for i in range(8)]
        if change:
            change(header, record)
        end = {"type": "end", "exit_code": 0, "reason": "all measured"}
        return self.write(f"{number}.smk", tool.journal_text([header, record, end]))

    def terms(self, floor):
        return self.write("terms.yaml", TERMS.replace("FLOOR", str(floor)))

    def test_floors_are_met_not_met_undecided_or_not_measured(self):
        runs = [self.journal(i, 0.25 + 0.0002 * i) for i in range(4)]
        for floor, code, verdict in ((8000, tool.OK, "met"), (8300, tool.CHECK_FAILED, "not met"),
                                     (8180, tool.NOT_MEASURED, "undecided")):
            result = stepmark("contract", "check", self.terms(floor), *runs)
            self.expect(result, code)
            self.assertIn(f"Exit code {code}", result.out)
            self.assertRegex(result.out, rf"log-normal +{verdict}\n")
        self.assertIn("further run", result.out)
        terms = self.write("other.yaml", TERMS.replace("FLOOR", "8000").replace("nodes: 2\n", "nodes: 1\n"))
        result = stepmark("contract", "check", terms, *runs, "--json")
        self.expect(result, tool.NOT_MEASURED)
        cell, = json.loads(result.out)["floors"][0]["cells"]
        self.assertEqual(cell["verdict"], "not measured")
        self.assertIn("2 nodes, from which nothing follows", cell["reason"])

    def test_evidence_is_named_down_to_the_sample(self):
        runs = [self.journal(i, 0.25 + 0.0002 * i) for i in range(3)]
        result = stepmark("contract", "explain", self.terms(8000), "step", *runs)
        self.expect(result, tool.OK)
        for text in (f"{runs[0]}:2", "2026-09-21T14:13:20Z", "0.25005"):
            self.assertIn(text, result.out.replace("\n    ", ""))
        result = stepmark("contract", "explain", self.terms(8000), "step", *runs, "--json")
        run = json.loads(result.out)["cells"][0]["runs"][0]
        self.assertEqual(run["line"], 2)
        self.assertEqual(len(run["series"]["values"]), 8)
        self.assertAlmostEqual(run["value"], 2048 / run["median_s"])
        result = stepmark("contract", "explain", self.terms(8000), "stepp", *runs)
        self.expect(result, tool.USAGE, "did you mean 'step'?")

    def test_runs_that_are_no_evidence_are_set_aside(self):
        def fail(_, record):
            record["checks"][0]["passed"] = False

        def imitate(_, record):
            record["provenance"] = "simulated"

        runs = [self.journal(i, 0.25 + 0.0002 * i) for i in range(3)]
        bad = self.journal(7, 9.0, fail)
        made_up = self.journal(8, 9.0, imitate)
        result = stepmark("contract", "check", self.terms(8000), *runs, bad, made_up)
        self.expect(result, tool.OK)
        self.assertIn(f"set aside: {bad}: its check 'loss vs one rank' failed", result.out.replace("\n    ", " "))
        self.assertIn("it is simulated, beside measured runs", result.out.replace("\n    ", " "))
        others = [self.journal(i, 0.25 + 0.0002 * i, imitate) for i in (10, 11, 12)]
        result = stepmark("contract", "check", self.terms(8000), *others)
        self.assertIn("All 3 results of runs are simulated, not measured.", result.out)
        self.assertEqual(result.out.count("simulated"), 1)  # said once, not per floor
        result = stepmark("contract", "check", self.terms(8000), runs[0], runs[0])
        self.expect(result, tool.USAGE, "are the same run")

    def test_a_draft_is_met_by_the_runs_it_stands_on(self):
        runs = [self.journal(i, 0.25 + 0.0002 * i) for i in range(6)]
        draft = self.path("draft.yaml")
        self.expect(stepmark("contract", "propose", *runs, "-o", draft), tool.OK)
        with open(draft, encoding="utf-8") as file:
            self.assertIn("# 6 measured runs in 6 journals", file.read())
        self.expect(stepmark("contract", "check", draft, *runs), tool.OK)
        self.expect(stepmark("contract", "propose", *runs, "-o", draft), tool.USAGE, "exists already")
        self.expect(stepmark("contract", "propose", runs[0]), tool.NOT_MEASURED, "a single run")

    def test_a_draft_begins_with_what_a_provider_publishes(self):
        runs = [self.journal(i, 0.25 + 0.0002 * i) for i in range(3)]
        draft = self.path("with-sla.yaml")
        self.expect(stepmark("contract", "propose", *runs, "--sla", "aws-ec2", "-o", draft), tool.OK)
        with open(draft, encoding="utf-8") as file:
            text = file.read()
        for words in ("objective: 99.5%", "aws.amazon.com/compute/sla", "uptime_at_least: 95%, credit: 30%"):
            self.assertIn(words, text)
        # Whatever the runs come to, the draft reads.
        self.assertIn(stepmark("contract", "check", draft, *runs).code, (tool.OK, tool.CHECK_FAILED, tool.NOT_MEASURED))
        self.expect(stepmark("contract", "propose", *runs, "--sla", "lambda"), tool.USAGE, "no availability that was found")
        self.expect(stepmark("contract", "propose", *runs, "--sla", "aws"), tool.USAGE, "aws-ec2")

    def test_credits_are_owed_for_outages_and_floors(self):
        result = stepmark("contract", "credits", SAMPLE, "--from", "2026-12", "--json")
        self.expect(result, tool.OK)
        self.assertEqual(json.loads(result.out)["owed"], "105000.00")
        self.assertIn("105000.00 USD", stepmark("contract", "credits", SAMPLE, "--from", "2026-12").out)
        runs = [self.journal(i, 0.25 + 0.0002 * i) for i in range(3)]
        result = stepmark("contract", "credits", self.terms(9000), *runs, "--from", "2026-09", "--to", "2026-10")
        self.expect(result, tool.NOT_MEASURED)  # October has no run
        self.assertIn("Owed in all: 100.00 EUR; 1 credit of floors is not decided", " ".join(result.out.split()))
        self.assertIn("no run of its case began in this period", result.out)
        self.expect(stepmark("contract", "credits", self.terms(9000), *runs, "--from", "2026-09"), tool.OK)

    def history(self, runs, *words):
        db = self.path("h.db")
        self.expect(stepmark("history", "add", *runs, "--db", db, "--place", "c", *words), tool.OK)
        return db

    def credits(self, terms, code, *words):
        result = stepmark("contract", "credits", terms, *words, "--json")
        self.expect(result, code)
        return json.loads(result.out)

    def test_credits_follow_from_the_medians_of_a_history(self):
        """2,048 tokens in 0.2500, 0.2502 and 0.2504 s (times 1.00035, the median of eight samples) are at most 8,189.1 tokens/s:
        below 9,000 in September, 10 % of 1,000 EUR are owed. October has no runs: nothing is decided, which is no 0."""
        runs = []
        for i in range(3):
            runs.append(self.journal(i, 0.25 + 0.0002 * i, lambda header, record: header.update(started="2026-09-21T15:06:40Z")))
        db = self.history(runs)
        made = self.credits(self.terms(9000), tool.OK, "--history", db, "--from", "2026-09")
        floor, = made["months"][0]["floors"]
        values = [run["value"] for run in floor["cells"][0]["runs"]]
        by_hand = sorted(2048 / ((0.25 + 0.0002 * i) * 1.00035) for i in range(3))
        for value, expected in zip(sorted(values), by_hand):
            self.assertAlmostEqual(value, expected, delta=1e-9 * expected)
        self.assertEqual((floor["verdict"], floor["credit"]), ("not met", "100.00"))
        self.assertEqual((made["owed"], made["not_decided"]), ("100.00", 0))
        self.assertIn("3 runs began from 2026-09-01 until 2026-09-30", made["remarks"][-1])
        both = self.credits(self.terms(9000), tool.NOT_MEASURED, "--history", db, "--from", "2026-09", "--to", "2026-10")
        empty, = both["months"][1]["floors"]
        self.assertEqual((empty["verdict"], empty["credit"]), ("not measured", None))
        self.assertEqual((both["owed"], both["not_decided"]), ("100.00", 1))
        text = stepmark("contract", "credits", self.terms(9000), "--history", db, "--from", "2026-10").out
        self.assertIn("N/A", text)
        self.assertIn("1 credit of floors is not decided", " ".join(text.split()))

    def test_a_history_says_what_its_journals_say(self):
        """The same floors, verdicts and money, with each run once where both are given."""
        runs = [self.journal(i, 0.25 + 0.0002 * i) for i in range(4)]
        db = self.path("h.db")
        for run in runs:
            self.expect(stepmark("history", "add", run, "--db", db, "--place", "c", "--time", "2026-09-21T15:00:00Z"), tool.OK)
        for floor in (8000, 8180, 8300):
            code = tool.NOT_MEASURED if floor == 8180 else tool.OK
            from_journals = self.credits(self.terms(floor), code, *runs, "--from", "2026-09")
            for words in (["--history", db], [*runs, "--history", db]):
                made = self.credits(self.terms(floor), code, *words, "--from", "2026-09")
                for key in ("verdict", "credit"):
                    self.assertEqual(made["months"][0]["floors"][0][key], from_journals["months"][0]["floors"][0][key])
                cell, own = made["months"][0]["floors"][0]["cells"][0], from_journals["months"][0]["floors"][0]["cells"][0]
                self.assertEqual(len(cell["runs"]), 4)
                for key in ("estimate", "lower", "upper"):
                    self.assertAlmostEqual(cell[key], own[key], delta=1e-9 * own[key])
                self.assertEqual(made["owed"], from_journals["owed"])

    def test_runs_of_several_places_are_not_taken_for_one_providers(self):
        db = self.path("h.db")
        for place, run in (("c", self.journal(1, 0.25)), ("d", self.journal(2, 0.26))):
            self.expect(stepmark("history", "add", run, "--db", db, "--place", place, "--time", f"2026-09-2{place == 'd':d}"), tool.OK)
        terms = self.terms(9000)
        words = ("--history", db, "--from", "2026-09")
        self.expect(stepmark("contract", "credits", terms, *words), tool.USAGE, "several places (c, d): say --place")
        self.expect(stepmark("contract", "credits", terms, *words, "--place", "e"), tool.USAGE, "no run is of place 'e', but of c, d")
        made = self.credits(terms, tool.NOT_MEASURED, *words, "--place", "d")  # a single run decides nothing
        self.assertEqual(made["months"][0]["floors"][0]["verdict"], "undecided")
        self.expect(stepmark("contract", "credits", terms, "--from", "2026-09", "--place", "d"), tool.USAGE, "--place is of a history")
        self.expect(stepmark("contract", "credits", terms, "--from", "2026-09", "--history", self.path("none.db")), tool.USAGE, "none.db")

    def test_what_a_history_keeps_as_no_evidence_is_none(self):
        """Failed cases and other stacks are set aside with their reason, as from journals."""
        def failed(header, record):
            record.update(outcome="failed", reason="wrong loss", series=[])
        runs = [self.journal(1, 0.25), self.journal(2, 0.25, failed)]
        db = self.path("h.db")
        for day, run in enumerate(runs):
            self.expect(stepmark("history", "add", run, "--db", db, "--place", "c", "--time", f"2026-09-2{day}"), tool.OK)
        made = self.credits(self.terms(9000), tool.NOT_MEASURED, "--history", db, "--from", "2026-09")
        aside = made["months"][0]["floors"][0]["set_aside"]
        self.assertEqual([one["reason"] for one in aside], ["failed: wrong loss"])

    def test_credits_on_what_was_not_measured_say_so(self):
        runs = [self.journal(i, 0.25 + 0.0002 * i, lambda header, record: record.update(provenance="simulated"))
                for i in range(3)]
        result = stepmark("contract", "credits", self.terms(9000), *runs, "--from", "2026-09")
        self.expect(result, tool.OK)
        self.assertIn("not met", result.out)
        self.assertIn("All 3 results of runs are simulated, not measured.", result.out)

    def test_mistakes_are_said_with_their_place(self):
        run = self.journal(1, 0.25)
        broken = self.write("broken.yaml", TERMS.replace("at_least: FLOOR tokens/s", "atleast: 8000 tokens/s"))
        self.expect(stepmark("contract", "check", broken, run), tool.USAGE, "broken.yaml:7:5: expected one of at_least")
        unit = self.write("unit.yaml", TERMS.replace("FLOOR tokens/s", "8000 tokens"))
        self.expect(stepmark("contract", "check", unit, run), tool.USAGE, "unit.yaml:7:12: floor 'step': tokens_per_s is in")
        self.expect(stepmark("contract", "chek", unit, run), tool.USAGE, "did you mean 'check'")
        self.expect(stepmark("contract", "credits", SAMPLE, "--from", "2026"), tool.USAGE, "expected a month")


if __name__ == "__main__":
    tool.main()
