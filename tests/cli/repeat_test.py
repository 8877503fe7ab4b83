# SPDX-License-Identifier: Apache-2.0
"""run --repeat: whole restarts inside one invocation, their journal, budget, exit codes and faults."""

import json
import os
import shutil
import signal
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import stepmark_tool as tool  # noqa: E402
from stepmark_tool import stepmark  # noqa: E402

LAUNCHER_STOPPED = 1
CONFIGS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "cluster-configs")

# Two cases whose samples never suffice: each takes its share of the budget.
SUITE = """\
suite: repeated
description: two kernels
budget: 6s
precision: 0.0001%
repeat: 2
cases:
  - family: kernel
    ops: [gemm]
    max_gflop: 0.31
    max_bytes: 4MiB
"""
COLLECTIVES = """\
suite: collectives
description: two collectives
budget: 6s
precision: 0.0001%
cases:
  - family: collective
    collectives: [all_reduce, broadcast]
    min: 4KiB
    max: 4KiB
    placement: out-of-place
"""


def by_repetition(path):
    """Outcomes of each repetition's records, in the order of the journal's lines."""
    out = {}
    for record in tool.records(path):
        out.setdefault(record.get("repetition", 1), []).append(record)
    return out


class Alone(tool.ToolTest):
    def setUp(self):
        super().setUp()
        self.suite = self.write("suite.yaml", SUITE)
        self.journal = self.path("run.smk")
        self.plain = ["run", "--suite", self.suite, "--out", self.journal]
        self.command = [*self.plain, "--budget", "3s"]

    def test_every_repetition_has_a_record(self):
        result = stepmark(*self.command, "--repeat", 3)
        self.expect(result, tool.OK, "repetition 1 of 3", "repetition 3 of 3")
        repetitions = by_repetition(self.journal)
        self.assertEqual(sorted(repetitions), [1, 2, 3])
        for number, records in repetitions.items():
            self.assertEqual(len(records), len(repetitions[1]), number)
            for record in records:
                self.assertEqual(record["outcome"], "ok", record["reason"])
                self.assertTrue(all(check["passed"] for check in record["checks"]))
        lines = tool.read_lines(self.journal)
        self.assertEqual([line["repetition"] for line in lines if line["type"] == "resume"], [2, 3])
        self.assertEqual(len({line["run_id"] for line in lines if "run_id" in line}), 1)
        self.assertEqual([line["exit_code"] for line in lines if line["type"] == "end"], [0])
        self.assertEqual(result.out.count("cases measured"), 1)  # one table, at the end
        self.assertNotIn("in another environment", result.out)

    @tool.once_per_machine
    def test_the_suite_says_how_often(self):
        self.expect(stepmark(*self.command), tool.OK, "repetition 2 of 2")
        self.assertEqual(sorted(by_repetition(self.journal)), [1, 2])

    @tool.once_per_machine
    def test_once_overrides_the_suite_and_is_remarked(self):
        result = stepmark(*self.command, "--repeat", 1)
        self.expect(result, tool.OK, "--repeat 3")
        self.assertNotIn("repetition 1 of", result.err)
        self.assertEqual(sorted(by_repetition(self.journal)), [1])
        os.remove(self.journal)
        result = stepmark(*self.command, "--repeat", 2)
        self.assertNotIn("--repeat 3", result.err)

    def test_bounds(self):
        for wrong in ("0", "101", "-1", "two"):
            self.expect(stepmark(*self.command, "--repeat", wrong), tool.USAGE, "--repeat")
        suite = self.write("many.yaml", SUITE.replace("repeat: 2", "repeat: 101"))
        self.expect(stepmark("run", "--suite", suite, "--out", self.journal), tool.USAGE, "many.yaml:5")

    @tool.once_per_machine
    def test_json_is_one_document(self):
        result = stepmark(*self.command, "--json")
        self.expect(result, tool.OK)
        report = json.loads(result.out)
        self.assertEqual(report["run"]["repetitions"], 2)
        self.assertEqual(len(report["records"]), len(by_repetition(self.journal)[1]))

    @tool.once_per_machine
    def test_the_budget_is_for_all_repetitions(self):
        # Each repetition samples for its share: a third each, whatever the machine makes of it.
        self.expect(stepmark(*self.plain, "--repeat", 3), tool.OK)
        sampled = {number: sum(sum(record["series"][0]["values"]) for record in records)
                   for number, records in by_repetition(self.journal).items()}
        self.assertLess(sum(sampled.values()), 6, sampled)
        for number, seconds in sampled.items():
            self.assertLess(seconds, 3.5, (number, sampled))

    @tool.once_per_machine
    def test_traces_of_all_repetitions_are_kept(self):
        result = stepmark("run", "--workload", "tiny", "--plan", "layers=1,seq=16,micro_batch=1", "--budget", "2s",
                          "--repeat", 2, "--trace", self.path("traces"), "--out", self.journal)
        self.expect(result, tool.OK)
        for number in (1, 2):
            self.assertEqual(len(os.listdir(self.path(f"traces/repetition{number}"))), 1)

    def test_resume_measures_what_is_missing(self):
        self.expect(stepmark(*self.command, "--repeat", 3), tool.OK)
        kept = [line for line in tool.read_lines(self.journal) if line["type"] != "end"
                and line.get("repetition", 1) != 2]
        self.write("run.smk", tool.journal_text(kept))
        before = by_repetition(self.journal)
        result = stepmark(*self.command, "--resume")  # the journal knows that it is three
        self.expect(result, tool.OK, "repetition 2 of 3")
        after = by_repetition(self.journal)
        self.assertEqual(sorted(after), [1, 2, 3])
        for number in (1, 3):
            self.assertEqual(after[number], before[number])
        more = stepmark(*self.command, "--resume", "--repeat", 4)
        self.expect(more, tool.OK, "repetition 4 of 4")
        self.assertEqual(sorted(by_repetition(self.journal)), [1, 2, 3, 4])

    def test_a_program_that_is_gone_cannot_restart(self):
        binary = self.path("stepmark")
        shutil.copy(tool.BINARY, binary)
        os.symlink(CONFIGS, self.path("cluster-configs"))
        process = tool.subprocess.Popen([binary, *map(str, self.command), "--repeat", "2"], env=tool.environment(),
                                        stdout=tool.subprocess.PIPE, stderr=tool.subprocess.PIPE, text=True)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.kill)
        while "[1/" not in process.stderr.readline():
            self.assertIsNone(process.poll())
        os.chmod(binary, 0o600)
        _, err = process.communicate(timeout=60)
        self.assertEqual(process.returncode, tool.ENVIRONMENT, err)
        self.assertIn("repetition 2 of 2 cannot start", err)
        self.assertTrue(all(r["outcome"] == "ok" for r in by_repetition(self.journal)[1]))
        self.assertEqual({r["outcome"] for r in by_repetition(self.journal)[2]}, {"not-measured"})
        self.assertEqual(tool.read_lines(self.journal)[-1]["exit_code"], tool.ENVIRONMENT)
        self.expect(stepmark(*self.command, "--resume"), tool.OK)
        self.assertEqual(sorted(by_repetition(self.journal)), [1, 2])

    def test_interrupted_in_the_second(self):
        process = tool.subprocess.Popen([tool.BINARY, *self.plain, "--budget", "60s", "--repeat", "3"],
                                        env=tool.environment(), stdout=tool.subprocess.DEVNULL,
                                        stderr=tool.subprocess.PIPE, text=True)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.kill)
        line = ""
        while "repetition 2 of 3: suite" not in line:
            line = process.stderr.readline()
            self.assertNotEqual(line, "", "ended early")
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
        self.assertEqual(process.returncode, tool.NOT_MEASURED, err)
        self.assertIn("SIGINT", err)
        repetitions = by_repetition(self.journal)
        self.assertEqual({r["outcome"] for r in repetitions[1]}, {"ok"})
        for number in (2, 3):
            self.assertEqual([r["case_id"] for r in repetitions[number]], [r["case_id"] for r in repetitions[1]])
            self.assertEqual({r["outcome"] for r in repetitions[number]}, {"not-measured"})
        self.expect(stepmark(*self.command, "--resume"), tool.OK)

    def test_a_skipped_case_is_the_exit_code_of_all(self):
        suite = self.write("collectives.yaml", COLLECTIVES)
        result = stepmark("run", "--suite", suite, "--repeat", 2, "--out", self.journal)
        self.expect(result, tool.NOT_MEASURED)
        self.assertEqual({r["outcome"] for r in tool.records(self.journal)}, {"skipped"})
        self.assertEqual(tool.read_lines(self.journal)[-1]["exit_code"], tool.NOT_MEASURED)


    def test_spread_over_time(self):
        # Two kernels of at least half a second each, then a pause to the middle of the time.
        self.expect(stepmark(*self.command, "--repeat-over", "14s"), tool.OK)
        repetitions = by_repetition(self.journal)
        first, second = (repetitions[number][0]["started_unix_s"] for number in (1, 2))
        self.assertGreater(second - first, 6)
        told = stepmark(*self.plain, "--budget", "3s", "--repeat", 1, "--repeat-over", "14s")
        self.expect(told, tool.USAGE, "there is one: give --repeat 3")
        told = stepmark(*self.plain, "--budget", "30s", "--repeat-over", "14s")
        self.expect(told, tool.USAGE, "the budget of 30.0 s", "lower --budget")
        self.expect(stepmark(*self.plain, "--repeat-over", "soon"), tool.USAGE, "--repeat-over", "soon")


@tool.needs_mpi
class Together(tool.ToolTest):
    def setUp(self):
        super().setUp()
        self.suite = self.write("collectives.yaml", COLLECTIVES)
        self.journal = self.path("run.smk")

    @tool.once_per_machine
    def test_ranks_restart_together(self):
        for ranks, budget in ((2, "3s"), (4, "4s")):
            journal = self.path(f"run{ranks}.smk")
            result = stepmark("run", "--suite", self.suite, "--repeat", 3, "--budget", budget, "--out", journal,
                              ranks=ranks)
            self.expect(result, tool.OK)
            repetitions = by_repetition(journal)
            self.assertEqual([len(repetitions[k]) for k in (1, 2, 3)], [2, 2, 2])
            self.assertEqual({r["outcome"] for r in tool.records(journal)}, {"ok"})

    def test_asked_to_finish_between_repetitions(self):
        job = tool.Job(2, "run", "--suite", self.suite, "--repeat", 2, "--budget", "2s", "--repeat-over", "10m",
                       "--out", self.journal, cwd=self.folder)
        self.addCleanup(job.kill)
        job.wait_for_records(self.journal, 2)
        time.sleep(1.5)
        os.kill(job.rank_pid(1), signal.SIGUSR1)
        result = job.end(60)
        self.assertEqual(result.code, tool.NOT_MEASURED, str(result))
        self.assertIn("rank 1 received SIGUSR1; stopped after case", result.err)
        self.assertIn("before the next repetition", result.err)
        self.assertEqual([(r.get("repetition", 1), r["outcome"]) for r in tool.records(self.journal)],
                         [(1, "ok"), (1, "ok"), (2, "not-measured"), (2, "not-measured")])

    @tool.once_per_machine
    def test_over_tcp(self):
        # Another transport of MPI, whose addresses must not be those of the last repetition.
        with_tcp = self.path("tcp.sh")
        self.write("tcp.sh", '#!/bin/sh\nOMPI_MCA_btl=tcp,self exec "$@"\n')
        os.chmod(with_tcp, 0o755)
        result = stepmark("run", "--suite", self.suite, "--repeat", 3, "--budget", "3s", "--out", self.journal,
                          ranks=4, prefix=(with_tcp,))
        self.expect(result, tool.OK)
        self.assertEqual(sorted(by_repetition(self.journal)), [1, 2, 3])

    @tool.once_per_machine
    def test_mpi_that_does_not_start_again(self):
        # MPI reads this file whenever it starts: the second start fails inside MPI_Init.
        home = self.path("home/.openmpi")
        os.makedirs(home)
        start = self.write("start.sh", f'#!/bin/sh\nHOME={self.path("home")} exec "$@"\n')
        os.chmod(start, 0o755)
        job = tool.Job(2, "run", "--suite", self.suite, "--repeat", 2, "--out", self.journal, cwd=self.folder,
                       prefix=(start,))
        self.addCleanup(job.kill)
        job.wait_for_records(self.journal, 1)
        with open(os.path.join(home, "mca-params.conf"), "w", encoding="utf-8") as file:
            file.write("pml = none_such\n")
        result = job.end(90)
        # Open MPI says why and ends the job itself: mpirun returns its code and not ours.
        self.assertIn(result.code, (LAUNCHER_STOPPED, tool.ENVIRONMENT), str(result))
        self.assertIn("none_such", result.err)
        deadline = time.monotonic() + 10  # a witness may write a moment longer
        while tool.read_lines(self.journal)[-1]["type"] != "end" and time.monotonic() < deadline:
            time.sleep(0.05)
        self.assertEqual([(r.get("repetition", 1), r["outcome"]) for r in tool.records(self.journal)],
                         [(1, "ok"), (1, "ok"), (2, "not-measured"), (2, "not-measured")])
        self.assertEqual(tool.read_lines(self.journal)[-1]["type"], "end")
        os.remove(os.path.join(home, "mca-params.conf"))
        done = stepmark("run", "--suite", self.suite, "--out", self.journal, "--resume", ranks=2)
        self.expect(done, tool.OK)
        self.assertEqual(sorted(by_repetition(self.journal)), [1, 2])


if __name__ == "__main__":
    tool.main()
