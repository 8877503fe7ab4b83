# SPDX-License-Identifier: Apache-2.0
"""Ranks that die or stop, signals and full disks: the run ends in time with the documented exit code
and one clear message, keeps every case already measured, and --resume completes it.

Exit codes are those that the launcher hands on (Open MPI 4): a rank's own code when a rank ends by
itself, 128 + 9 when one was killed by SIGKILL, and 1 whenever mpirun itself got SIGINT or SIGTERM,
whatever the ranks say. The journal's end line has stepmark's own code in each case.
"""

import os
import resource
import shutil
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))
import stepmark_tool as tool  # noqa: E402

RANKS = 4
KILLED = 128 + signal.SIGKILL
LAUNCHER_STOPPED = 1
# A sanitizer takes a crash for its own report and ends with its own code; here it is the launcher's to see.
os.environ["ASAN_OPTIONS"] = ":".join(filter(None, [os.environ.get("ASAN_OPTIONS"), "handle_segv=0"]))
ENDS_WITHIN_S = 45

# Two short cases, a long one that is under way when the fault comes, and one that is not reached.
# No precision is ever reached, so that each case takes its share of the budget.
SUITE = """\
suite: faults
description: short cases, then a long one
budget: 8s
precision: 0.0001%
cases:
  - family: collective
    collectives: [all_reduce, broadcast]
    min: 4KiB
    max: 4KiB
    placement: out-of-place
  - family: step
    workload: tiny
    plan: ["tp=2,dp=2,layers=1,micro_batch=2,seq=16"]
  - family: collective
    collectives: [all_gather]
    min: 4KiB
    max: 4KiB
    placement: out-of-place
"""
CASES = 4


class Faults(tool.ToolTest):
    def setUp(self):
        super().setUp()
        self.suite = self.write("faults.yaml", SUITE)
        self.journal = self.path("run.smk")

    def command(self, *more):
        return ["run", "--suite", self.suite, "--out", self.journal, *more]

    def run_until_long_case(self, *more):
        job = tool.Job(RANKS, *self.command(*more), cwd=self.folder)
        self.addCleanup(job.kill)
        job.wait_for_records(self.journal, 2)
        return job

    def end(self, job, code):
        """Ends in time, with this code; returns result and the records measured before the fault."""
        result = job.end(ENDS_WITHIN_S)
        self.assertEqual(result.code, code, str(result))
        measured = [r for r in tool.records(self.journal) if r["outcome"] == "ok"]
        self.assertGreaterEqual(len(measured), 2, str(result))
        for record in measured:
            self.assertGreater(len(record["series"][0]["values"]), 0)
        return result, measured

    def wait_for_end_line(self):
        # A witness may write a moment longer than a launcher without ranks stays.
        deadline = time.monotonic() + 10
        while tool.read_lines(self.journal)[-1]["type"] != "end" and time.monotonic() < deadline:
            time.sleep(0.05)
        return tool.read_lines(self.journal)

    def expect_rest_listed(self, measured, code):
        lines = self.wait_for_end_line()
        rest = [line for line in lines if line.get("outcome") == "not-measured"]
        self.assertEqual(len(measured) + len(rest), CASES)
        for record in rest[1:]:
            self.assertIn("not reached", record["reason"])
        self.assertEqual(lines[-1]["type"], "end")
        self.assertEqual(lines[-1]["exit_code"], code)

    def expect_one_message(self, result, *texts):
        errors = [line for line in result.err.splitlines() if "error: " in line]
        self.assertEqual(len(errors), 1, str(result))
        for text in texts:
            self.assertIn(text, errors[0])
        # The case under way is named: the long one, or that before it at worst.
        self.assertTrue(any(name in errors[0] for name in ("'step/tiny", "'collective/")), errors)

    def expect_resume_completes(self, measured):
        done = tool.stepmark(*self.command("--resume"), ranks=RANKS, cwd=self.folder)
        self.expect(done, tool.OK)
        last = {}
        for record in tool.records(self.journal):
            last[record["case_id"]] = record
        self.assertEqual(len(last), CASES)
        self.assertEqual({r["outcome"] for r in last.values()}, {"ok"}, str(done))
        for record in measured:  # kept, not measured again
            self.assertEqual(last[record["case_id"]], record)
        self.assertIn(f"{CASES} of {CASES} cases measured", done.out)

    def test_killed_rank(self):
        job = self.run_until_long_case()
        pid = job.rank_pid(2)
        os.kill(pid, signal.SIGKILL)
        result, measured = self.end(job, KILLED)
        self.expect_one_message(result, f"rank 2 (pid {pid}) is gone", "2 of 4 cases are kept")
        self.expect_rest_listed(measured, tool.NOT_MEASURED)
        self.expect_resume_completes(measured)

    def kill_in_the_second_repetition(self, rank):
        budget = ["--budget", "18s"]
        job = tool.Job(RANKS, *self.command("--repeat", "3", *budget), cwd=self.folder)
        self.addCleanup(job.kill)
        job.wait_for_records(self.journal, CASES + 2)
        pid = job.rank_pid(rank)
        os.kill(pid, signal.SIGKILL)
        result, measured = self.end(job, KILLED)
        self.assertIn(f"rank {rank} (pid {pid}", result.err)
        self.assertIn("of 4 cases of repetition 2 are kept", result.err)
        self.assertEqual(len([record for record in measured if "repetition" not in record]), CASES)
        # The rest of the repetition under way and all of the last have a line each.
        lines = self.wait_for_end_line()
        rest = [(line.get("repetition", 1), line["case_id"]) for line in lines if line.get("outcome") == "not-measured"]
        done = {(record.get("repetition", 1), record["case_id"]) for record in measured}
        every = [(number, case) for number in (1, 2, 3) for case in lines[0]["cases"]]
        self.assertEqual(rest, [one for one in every if one not in done])
        self.assertEqual(lines[-1]["exit_code"], tool.NOT_MEASURED)
        done = tool.stepmark(*self.command("--resume", *budget), ranks=RANKS, cwd=self.folder)
        self.expect(done, tool.OK, "repetition 2 of 3")
        last = {(r["case_id"], r.get("repetition", 1)): r for r in tool.records(self.journal)}
        self.assertEqual(len(last), 3 * CASES)
        self.assertEqual({record["outcome"] for record in last.values()}, {"ok"}, str(done))
        for record in measured:  # kept, not measured again
            self.assertEqual(last[record["case_id"], record.get("repetition", 1)], record)

    @tool.once_per_machine
    def test_killed_in_the_second_repetition(self):
        self.kill_in_the_second_repetition(2)

    @tool.once_per_machine
    def test_killed_rank_zero_in_the_second_repetition(self):
        self.kill_in_the_second_repetition(0)

    def test_killed_rank_zero(self):
        # Who writes the journal is gone: its witness ends it and speaks.
        job = self.run_until_long_case()
        pid = job.rank_pid(0)
        os.kill(pid, signal.SIGKILL)
        result, measured = self.end(job, KILLED)
        self.expect_one_message(result, f"rank 0 (pid {pid}", "is gone", "of 4 cases are kept")
        self.expect_rest_listed(measured, tool.NOT_MEASURED)
        self.expect_resume_completes(measured)

    @tool.once_per_machine
    def test_all_ranks_killed(self):
        job = self.run_until_long_case()
        for pid in [job.rank_pid(rank) for rank in range(RANKS)]:
            os.kill(pid, signal.SIGKILL)
        result, measured = self.end(job, KILLED)
        self.expect_one_message(result, "rank 0 (pid", "is gone", "of 4 cases are kept")
        self.expect_rest_listed(measured, tool.NOT_MEASURED)

    @tool.once_per_machine
    def test_crashed_rank(self):
        job = self.run_until_long_case()
        pid = job.rank_pid(3)
        os.kill(pid, signal.SIGSEGV)
        result, measured = self.end(job, 128 + signal.SIGSEGV)
        self.expect_one_message(result, f"rank 3 (pid {pid}) is gone: crashed (SIGSEGV)")
        self.expect_rest_listed(measured, tool.NOT_MEASURED)

    @tool.once_per_machine
    def test_crashed_rank_zero(self):
        job = self.run_until_long_case()
        os.kill(job.rank_pid(0), signal.SIGABRT)
        result, measured = self.end(job, 128 + signal.SIGABRT)
        self.expect_one_message(result, "rank 0 (pid", "crashed (SIGABRT)", "of 4 cases are kept")
        self.expect_rest_listed(measured, tool.NOT_MEASURED)

    @tool.once_per_machine
    def test_killed_launcher(self):
        # Nobody reads what ranks say now: the journal has it, and no rank stays.
        job = self.run_until_long_case()
        pids = [job.rank_pid(rank) for rank in range(RANKS)]
        job.process.kill()
        job.process.wait()
        deadline = time.monotonic() + ENDS_WITHIN_S
        while any(tool.process_runs(pid) for pid in pids):
            self.assertLess(time.monotonic(), deadline, "a rank stays")
            time.sleep(0.05)
        time.sleep(0.5)  # a witness may be at it
        job.end(ENDS_WITHIN_S)
        lines = tool.read_lines(self.journal)
        self.assertEqual(lines[-1]["type"], "end")
        self.assertEqual(lines[-1]["exit_code"], tool.NOT_MEASURED)
        self.assertRegex(lines[-1]["reason"], "is gone.*case '")
        measured = [r for r in tool.records(self.journal) if r["outcome"] == "ok"]
        self.expect_rest_listed(measured, tool.NOT_MEASURED)
        self.expect_resume_completes(measured)

    def test_killed_in_start_up(self):
        for rank in (0, 1):
            with self.subTest(rank=rank):
                self.journal = self.path(f"{rank}.smk")
                job = tool.Job(RANKS, *self.command(), cwd=self.folder,
                               prefix=["sh", "-c", f'[ "$OMPI_COMM_WORLD_RANK" = {(rank + 1) % RANKS} ] && '
                                                   'sleep 5; exec "$0" "$@"'])
                self.addCleanup(job.kill)
                pid = job.rank_pid(rank, wait_for="stepmark-watch")
                os.kill(pid, signal.SIGKILL)
                deadline = time.monotonic() + ENDS_WITHIN_S
                while any(map(tool.process_runs, tool.children(job.process.pid))):
                    self.assertLess(time.monotonic(), deadline, "a rank stays")
                    time.sleep(0.05)
                # mpirun 4.1.4 itself does not always end when a rank dies in MPI_Init.
                result = job.end(10)
                self.assertIn(result.code, (KILLED, None), str(result))
                errors = [line for line in result.err.splitlines() if "error: " in line]
                # On a busy machine the launcher's signal may be reported before the witness has spoken.
                errors = [line for line in errors if "received SIGTERM; during: start of the job" not in line]
                self.assertEqual(len(errors), 1, str(result))
                self.assertRegex(errors[0], rf"rank {rank} \(pid {pid}.*is gone.*start of the (job|program)")
                self.assertFalse(os.path.exists(self.journal))

    @tool.once_per_machine
    def test_asked_to_finish(self):
        # What a batch system sends some time before the end; any rank may get it.
        for number, rank in ((signal.SIGUSR1, 2), (signal.SIGUSR2, 0)):
            with self.subTest(rank=rank):
                self.journal = self.path(f"{rank}.smk")
                job = self.run_until_long_case()
                os.kill(job.rank_pid(rank), number)
                result, measured = self.end(job, tool.NOT_MEASURED)
                name = number.name
                self.expect_one_message(result, f"rank {rank} received {name}; stopped after case",
                                        f"{len(measured)} of 4 cases are kept", "--resume")
                self.assertIn(f"{len(measured)} of 4 cases measured", result.out)
                self.expect_rest_listed(measured, tool.NOT_MEASURED)
                self.expect_resume_completes(measured)

    @tool.once_per_machine
    def test_other_signals_that_end_a_process(self):
        for rank, number in enumerate((signal.SIGQUIT, signal.SIGXCPU, signal.SIGALRM)):
            with self.subTest(signal=number):
                self.journal = self.path(f"{rank}.smk")
                job = self.run_until_long_case()
                os.kill(job.rank_pid(rank), number)
                result, measured = self.end(job, tool.NOT_MEASURED)
                self.expect_one_message(result, f"received {number.name}", "2 of 4 cases are kept")
                self.expect_rest_listed(measured, tool.NOT_MEASURED)

    @tool.once_per_machine
    def test_folder_that_disappears(self):
        os.mkdir(self.path("sub"))
        self.journal = self.path("sub/run.smk")
        job = self.run_until_long_case()
        measured = [r for r in tool.records(self.journal) if r["outcome"] == "ok"]
        shutil.rmtree(self.path("sub"))
        result = job.end(ENDS_WITHIN_S)
        self.assertEqual(result.code, tool.ENVIRONMENT, str(result))
        self.expect_one_message(result, "is gone", self.path("run.smk"), "--resume")
        self.journal = self.path("run.smk")  # where the run was started
        kept = [r for r in tool.records(self.journal) if r["outcome"] == "ok"]
        self.assertEqual(kept[:2], measured)
        # The case under way is not lost; that before it may have noticed, while it was written.
        self.assertIn(len(kept), (2, 3))
        self.expect_resume_completes(kept)

    def test_stopped_rank(self):
        job = self.run_until_long_case("--case-deadline", "6")
        pid = job.rank_pid(1)
        os.kill(pid, signal.SIGSTOP)
        result, measured = self.end(job, tool.NOT_MEASURED)
        self.expect_one_message(result, f"rank 1 (pid {pid}) is stopped", "deadline")
        self.expect_rest_listed(measured, tool.NOT_MEASURED)
        self.expect_resume_completes(measured)

    @tool.once_per_machine
    def test_stopped_rank_zero(self):
        # Rank 1 speaks and wakes rank 0 up, which writes the rest of the journal.
        job = self.run_until_long_case("--case-deadline", "6")
        pid = job.rank_pid(0)
        os.kill(pid, signal.SIGSTOP)
        result, measured = self.end(job, tool.NOT_MEASURED)
        self.expect_one_message(result, f"rank 0 (pid {pid}) is stopped", "--resume")
        self.assertIn(f"rank 0 (pid {pid}) was stopped", tool.read_lines(self.journal)[-1]["reason"])
        self.expect_rest_listed(measured, tool.NOT_MEASURED)
        self.expect_resume_completes(measured)

    @tool.once_per_machine
    def test_interrupted_launcher(self):
        # Ctrl-C: mpirun passes it on to the ranks as SIGTERM.
        job = self.run_until_long_case()
        job.process.send_signal(signal.SIGINT)
        result, measured = self.end(job, LAUNCHER_STOPPED)
        self.expect_one_message(result, "received SIG", "2 of 4 cases are kept", "--resume")
        self.expect_rest_listed(measured, tool.NOT_MEASURED)
        self.expect_resume_completes(measured)

    @tool.once_per_machine
    def test_terminated_launcher(self):
        job = self.run_until_long_case()
        job.process.send_signal(signal.SIGTERM)
        result, measured = self.end(job, LAUNCHER_STOPPED)
        self.expect_one_message(result, "received SIGTERM", "2 of 4 cases are kept", "--resume")
        self.expect_rest_listed(measured, tool.NOT_MEASURED)
        self.expect_resume_completes(measured)

    @tool.once_per_machine
    def test_terminated_rank_zero(self):
        job = self.run_until_long_case()
        os.kill(job.rank_pid(0), signal.SIGTERM)
        result, measured = self.end(job, tool.NOT_MEASURED)
        self.expect_one_message(result, "received SIGTERM", "2 of 4 cases are kept", "--resume")
        self.expect_rest_listed(measured, tool.NOT_MEASURED)
        self.expect_resume_completes(measured)

    @tool.once_per_machine
    def test_file_size_limit(self):
        job = self.run_until_long_case()
        size = os.path.getsize(self.journal) + 200  # less than any further record
        resource.prlimit(job.rank_pid(0), resource.RLIMIT_FSIZE, (size, size))
        result, measured = self.end(job, tool.ENVIRONMENT)
        self.expect_one_message(result, "File too large", "2 of 4 cases are kept", "--resume")
        self.expect_resume_completes(measured)

    @tool.once_per_machine
    def test_full_disk(self):
        disk = self.path("disk")
        os.mkdir(disk)
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "none", disk],
                                 stderr=subprocess.DEVNULL, check=False) if shutil.which("mount") else None
        if mounted is None or mounted.returncode != 0:
            self.skipTest("may not mount a small disk")
        self.addCleanup(subprocess.run, ["umount", disk], check=False)
        self.journal = os.path.join(disk, "run.smk")
        job = self.run_until_long_case()
        filler = os.path.join(disk, "filler")
        try:
            with open(filler, "wb", buffering=0) as file:
                while file.write(b"\0" * 4096):
                    pass
        except OSError:
            pass
        result, measured = self.end(job, tool.ENVIRONMENT)
        self.expect_one_message(result, "No space left on device", "2 of 4 cases are kept")
        os.remove(filler)
        self.expect_resume_completes(measured)


class Alone(tool.ToolTest):
    """Without a launcher, the exit code of an interrupted run is stepmark's own."""

    def test_interrupted(self):
        suite = self.write("long.yaml", SUITE.replace("tp=2,dp=2", "tp=1,dp=1").replace("8s", "60s"))
        journal = self.path("run.smk")
        process = subprocess.Popen([tool.BINARY, "run", "--suite", suite, "--out", journal],
                                   env=tool.environment(), stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.kill)
        line = ""
        while "broadcast" not in line:  # skipped on one rank; the step comes next
            line = process.stderr.readline()
            self.assertNotEqual(line, "", "ended early")
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=ENDS_WITHIN_S)
        self.assertEqual(process.returncode, tool.NOT_MEASURED, err)
        self.assertIn("received SIGINT", err)
        outcomes = [record["outcome"] for record in tool.records(journal)]
        self.assertEqual(outcomes, ["skipped", "skipped", "not-measured", "not-measured"])

    def test_killed(self):
        suite = self.write("long.yaml", SUITE.replace("tp=2,dp=2", "tp=1,dp=1").replace("8s", "60s"))
        journal = self.path("run.smk")
        process = subprocess.Popen([tool.BINARY, "run", "--suite", suite, "--out", journal],
                                   env=tool.environment(), stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.kill)
        line = ""
        while "broadcast" not in line:
            line = process.stderr.readline()
            self.assertNotEqual(line, "", "ended early")
        process.kill()
        _, err = process.communicate(timeout=ENDS_WITHIN_S)
        self.assertRegex(err, rf"error: rank 0 \(pid {process.pid}.*is gone.*case '")
        self.assertEqual(tool.read_lines(journal)[-1]["exit_code"], tool.NOT_MEASURED)


if __name__ == "__main__":
    tool.main()
