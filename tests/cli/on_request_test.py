#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What measures less than everything: `run --verify-only`, and `steps`, which times on request."""
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import stepmark_tool as tool  # noqa: E402
from stepmark_tool import SMALL_SUITE, USAGE, stepmark  # noqa: E402

# A limit that MPI lacks makes a skipped case.
CONCURRENT = tool.CONCURRENT_SUITE.replace("max_ctas: [0, 4]", "max_ctas: [0]")
PREPARE = {"do": "prepare", "workload": "tiny", "plan": "layers=1,seq=16,micro_batch=2"}


class VerifyOnly(tool.ToolTest):
    def verify(self, suite, ranks=0):
        journal = self.path(f"{suite.split()[1]}{ranks}.smk")
        path = self.write("suite.yaml", suite)
        result = stepmark("run", "--suite", path, "--verify-only", "--out", journal, ranks=ranks)
        self.expect(result, tool.OK if ranks else tool.NOT_MEASURED)  # alone there are no collectives
        return [r for r in tool.records(journal) if r["outcome"] == "ok"]

    def check(self, records):
        self.assertTrue(records)
        for record in records:
            self.assertTrue(record["checks"])
            self.assertTrue(all(check["passed"] for check in record["checks"]))
            self.assertTrue(all(len(series["values"]) == 1 for series in record["series"]), record["series"])
            self.assertFalse(record["perf_valid"])
            self.assertIn("verified only", record["labels"])
            self.assertTrue(all(metric["value"] is None for metric in record["metrics"]))

    def test_cases_are_checked_and_timed_once(self):
        self.check(self.verify(SMALL_SUITE))

    @tool.needs_mpi
    def test_collectives_and_concurrent_cases_have_no_timing_loops(self):
        records = self.verify(SMALL_SUITE, ranks=2) + self.verify(CONCURRENT, ranks=2)
        self.check(records)
        self.assertEqual({r["family"] for r in records}, {"step", "collective", "kernel", "groups", "overlap"})
        numbers = [dict(r["numbers"]) for r in records]
        self.assertEqual([n["calls_per_sample"] for n in numbers if "calls_per_sample" in n], [1])
        self.assertEqual([n["comm_calls"] for n in numbers if "comm_calls" in n], [1])


class Steps(tool.ToolTest):
    def ask(self, *lines, ranks=0):
        text = "".join((json.dumps(line) if isinstance(line, dict) else line) + "\n" for line in lines)
        command = [*(tool.mpi_command(ranks) if ranks else []), tool.BINARY, "steps", "--backend", "host"]
        done = subprocess.run(command, input=text, env=tool.environment(), cwd=self.folder, timeout=120,
                              capture_output=True, text=True, check=False)
        return done, [json.loads(line) for line in done.stdout.splitlines()]

    def test_steps_are_timed_and_learn(self):
        done, answers = self.ask(PREPARE, {"do": "step", "count": 3}, {"do": "step", "count": 3})
        self.assertEqual(done.returncode, tool.OK, done.stderr)
        prepared, first, second = answers
        self.assertGreater(prepared["parameters"], 0)
        self.assertEqual(prepared["tokens"], 32)
        self.assertGreater(first["seconds"], 0)
        self.assertLess(first["loss"], prepared["loss"])
        self.assertLess(second["loss"], first["loss"])

    def test_mistakes_are_answers_and_do_not_end_it(self):
        done, answers = self.ask({"do": "step", "count": 1}, "no json", {"do": "dance"},
                                 {**PREPARE, "workload": "tinny"}, {**PREPARE, "plan": "seq=999999"},
                                 PREPARE, {"do": "step", "count": 0}, {"do": "release"},
                                 {"do": "step", "count": 1})
        self.assertEqual(done.returncode, tool.OK, done.stderr)
        words = ("nothing is prepared", "not understood", "no command 'dance'", "tiny", "seq", None,
                 "count is 0", None, "nothing is prepared")
        self.assertEqual(len(answers), len(words), done.stdout)
        for answer, word in zip(answers, words):
            self.assertIn(word or "", answer.get("error", ""))
            self.assertEqual("error" in answer, word is not None, answer)

    @tool.needs_mpi
    def test_of_several_ranks_there_are_none(self):
        done, _ = self.ask(PREPARE, ranks=2)
        self.assertEqual(done.returncode, USAGE, done.stderr)
        self.assertIn("use run", done.stderr)


if __name__ == "__main__":
    tool.main()
