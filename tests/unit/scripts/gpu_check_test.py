#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""scripts/gpu-check's orchestration with stages that hang, crash, fail and write nothing: each costs
its own time limit at most, and the next still runs."""
import io
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import unittest

REPO = pathlib.Path(__file__).resolve().parents[3]
sys.path.insert(0, str(REPO / "scripts"))

from gpu_check import processes, records, runner, site, summary  # noqa: E402
from gpu_check.context import StageError  # noqa: E402
from gpu_check.stage import Outcome, Stage  # noqa: E402
from gpu_check.stages import against_torch, all_stages, kernels, step, tests as gpu_tests  # noqa: E402


def passing(_):
    return Outcome(True, "42", {"answer": 42})


def failing(_):
    return Outcome(False, "0.5 of it", {"share": 0.5})


def throwing(context):
    context.keep(seen=3)
    raise StageError("no such thing\nand more")


def hanging(context):
    context.keep(seen=7)
    time.sleep(600)


def hanging_deaf(context):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    hanging(context)


def leaving_processes(context):
    """As mpirun does: a child in a process group of its own, which outlives the stage."""
    child = context.start([sys.executable, "-c", "import os, time; os.setpgid(0, 0); time.sleep(600)"])
    context.keep(child=child.pid)
    time.sleep(600)


def silent(_):
    return None


def crashing(_):
    os.kill(os.getpid(), signal.SIGSEGV)


def exiting(_):
    os._exit(9)


def skipping(_):
    return Outcome(None, "no tool")


def stage(run, limit_s=20.0, least_s=0.2):
    return Stage(run.__name__, "title", "wanted", limit_s, run, least_s)


class Runs(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.out = pathlib.Path(self.folder.name)
        self.site = site.Site(root=REPO, bundle=None, build=self.out, backend="host", rehearsal=True, env={})
        self.told = []

    def tearDown(self):
        self.folder.cleanup()

    def run_all(self, *stages, total_s=60.0):
        return runner.run_all(stages, self.site, self.out, total_s, report=self.told.append)

    def test_pass_and_fail(self):
        results = self.run_all(stage(passing), stage(failing), stage(passing))
        self.assertEqual([r.result for r in results], ["pass", "FAIL", "pass"])
        self.assertEqual(results[0].figures, {"answer": 42})
        self.assertEqual(results[1].figure, "0.5 of it")
        self.assertEqual(summary.exit_code(results), 1)
        self.assertEqual(summary.exit_code(results[:1]), 0)

    def test_an_exception_is_a_failure_with_its_first_line(self):
        results = self.run_all(stage(throwing), stage(passing))
        self.assertEqual((results[0].result, results[0].figure), ("FAIL", "no such thing"))
        self.assertEqual(results[0].figures, {"seen": 3})
        self.assertEqual(results[1].result, "pass")
        self.assertIn("Traceback", (self.out / "logs" / "throwing.log").read_text())

    def test_stages_that_hang_are_ended_and_keep_their_figures(self):
        begin = time.monotonic()
        results = self.run_all(stage(hanging, 0.5), stage(hanging_deaf, 0.5), stage(passing))
        self.assertLess(time.monotonic() - begin, 20)
        self.assertEqual([r.result for r in results], ["timeout", "timeout", "pass"])
        self.assertEqual(results[0].figures, {"seen": 7})
        self.assertIn("no end within", results[0].figure)
        self.assertEqual(summary.exit_code(results), 1)

    def test_nothing_that_a_stage_started_outlives_it(self):
        results = self.run_all(stage(leaving_processes, 1.5))
        child = results[0].figures["child"]
        until = time.monotonic() + 5
        while self.alive(child) and time.monotonic() < until:
            time.sleep(0.05)
        self.assertFalse(self.alive(child))

    @staticmethod
    def alive(pid):
        try:
            with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
                return file.read().rpartition(")")[2].split()[0] != "Z"
        except OSError:
            return False

    def test_stages_without_a_result_fail_and_say_how_they_ended(self):
        results = self.run_all(stage(silent), stage(crashing), stage(exiting), stage(passing))
        self.assertEqual([r.result for r in results], ["FAIL", "FAIL", "FAIL", "pass"])
        self.assertIn("exit code 0", results[0].figure)
        self.assertIn(f"signal {int(signal.SIGSEGV)}", results[1].figure)
        self.assertIn("exit code 9", results[2].figure)

    def test_an_old_result_is_not_taken_for_a_new_one(self):
        self.run_all(stage(passing))
        again = Stage("passing", "title", "wanted", 20, silent, 0.2)
        self.assertEqual(self.run_all(again)[0].result, "FAIL")

    def test_the_end_of_the_time_is_kept(self):
        begin = time.monotonic()
        results = self.run_all(stage(hanging, 600, 0.2), stage(hanging, 600, 30), stage(passing, 5, 30),
                               total_s=4.0)
        self.assertLess(time.monotonic() - begin, 12)
        self.assertEqual([r.result for r in results][-1], "not run")
        self.assertEqual(results[-1].figure, "out of time")
        self.assertNotEqual(summary.exit_code(results), 0)

    def test_a_slow_stage_leaves_later_ones_what_they_need(self):
        results = self.run_all(stage(hanging, 600, 0.5), stage(passing, 20, 3.0), total_s=5.0)
        self.assertEqual([r.result for r in results], ["timeout", "pass"])
        self.assertLess(results[0].seconds, 4.9)

    def test_skipped_is_not_passed(self):
        results = self.run_all(stage(passing), stage(skipping))
        self.assertEqual(results[1].result, "skipped")
        self.assertEqual(summary.exit_code(results), 3)
        self.assertEqual(summary.exit_code([]), 3)

    def test_commands_have_limits(self):
        def commands(context):
            slow = context.run(["sleep", "600"], timeout_s=0.3)
            absent = context.run(["/no/such/program"])
            words = context.run(["sh", "-c", "echo out; echo err >&2; exit 5"])
            return Outcome(True, "", {"slow": slow.code, "absent": absent.code, "code": words.code,
                                      "out": words.out, "last": words.last_words()})
        figures = self.run_all(stage(commands))[0].figures
        self.assertEqual(figures, {"slow": -1, "absent": 127, "code": 5, "out": "out\n", "last": "out"})

    def test_table_and_json(self):
        results = self.run_all(stage(passing), stage(failing))
        lines = summary.table(results).splitlines()
        self.assertEqual(lines[0].split(), ["stage", "result", "key", "figure", "wanted", "seconds"])
        self.assertEqual(len(lines), 3)
        summary.write(results, self.out / "x.json", "test")
        content = json.loads((self.out / "x.json").read_text())
        self.assertFalse(content["passed"])
        self.assertEqual(content["stages"][0]["figures"], {"answer": 42})

    def test_file_name(self):
        machine = Outcome(True, "", {"gpus": [{"name": "NVIDIA H200 NVL"}]})
        results = self.run_all(Stage("machine", "", "", 5, lambda _: machine, 0.1))
        self.assertEqual(summary.file_name(results), "gpu_nvidia_h200_nvl.json")


class Figures(unittest.TestCase):
    """The stages' judgement, on records as stepmark writes them."""

    @staticmethod
    def record(op="copy", seconds=1e-3, roofline=0.95, note="memory bound", **more):
        return {"case_id": f"kernel/{op}", "outcome": "ok", "checks": [], "perf_valid": True,
                "texts": {"op": op, "dtype": "bf16", "shape": f"{op} dtype=bf16 m=4 eps=1e-5"},
                "numbers": {"flops": 1e9, "bytes": 1e9},
                "summaries": [{"series": "other", "median": 9.0}, {"series": "time_s", "median": seconds}],
                "metrics": [{"name": "roofline", "value": roofline, "note": note}], **more}

    def context(self, *measured, code=0):
        class Fake:
            site = site.Site(REPO, None, REPO, "cuda", False, {})

            @staticmethod
            def left_s():
                return 50.0

            @staticmethod
            def measure(*_, **__):
                from gpu_check.context import Done
                return Done(code, "", ""), list(measured)
        return Fake()

    def setUp(self):
        self.stdout, sys.stdout = sys.stdout, io.StringIO()

    def tearDown(self):
        sys.stdout = self.stdout

    def test_reading_records(self):
        record = self.record()
        self.assertEqual(records.median_s(record), 1e-3)
        self.assertEqual(records.op_shape(record), {"m": 4, "eps": 1e-5})
        wrong = self.record(checks=[{"name": "c", "passed": False, "detail": "3 wrong"}])
        self.assertEqual(records.failures([record, wrong]), ["kernel/copy: c: 3 wrong"])

    def test_kernels_pass_at_ninety_percent(self):
        self.assertTrue(kernels.run(self.context(self.record())).passed)
        slow = kernels.run(self.context(self.record(), self.record("adamw", roofline=0.89)))
        self.assertFalse(slow.passed)
        self.assertIn("1 of 2 memory-bound, least 0.89 (adamw)", slow.figure)
        # Bound by arithmetic, or by its launch: shown, not judged.
        other = [self.record("gemm", roofline=0.5, note="compute bound"),
                 self.record("zero", roofline=0.5, seconds=1e-5)]
        self.assertTrue(kernels.run(self.context(self.record(), *other)).passed)

    def test_an_expected_engine_that_was_refused_fails(self):
        refused = self.record("attention_fwd")
        refused["texts"]["engines_refused"] = "cuDNN was not found"
        outcome = kernels.run(self.context(self.record(), refused))
        self.assertFalse(outcome.passed)
        self.assertIn("engine refused: cuDNN was not found", outcome.figure)

    def test_kernels_fail_without_judged_ones_or_with_wrong_data(self):
        self.assertFalse(kernels.run(self.context(self.record(note="compute bound"))).passed)
        wrong = self.record(checks=[{"name": "reference", "passed": False, "detail": "d"}])
        self.assertIn("reference", kernels.run(self.context(self.record(), wrong)).figure)
        with self.assertRaises(StageError):
            kernels.run(self.context())

    def test_comparisons_need_torch(self):
        for run in (against_torch.gemm, against_torch.attention, step.llama, step.gpt2):
            self.assertIsNone(run(self.context(self.record())).passed)

    def test_step_verdict(self):
        def verdict(ratio=1.2, overhead=0.001, same=True, refused=()):
            figures = {"speed_ratio": ratio, "tokens_per_s": 1.0, "engines_refused": refused,
                       "split": {"compute": 1.0 - overhead, "overhead": overhead}}
            return step.verdict(self.context(), figures, same, 1.10).passed
        self.assertTrue(verdict())
        self.assertFalse(verdict(ratio=1.09))
        self.assertFalse(verdict(overhead=0.02))
        self.assertFalse(verdict(same=False))
        self.assertFalse(verdict(refused=["step/x: engine refused: cuDNN was not found"]))

    def test_verdict_of_a_test_program(self):
        from gpu_check.context import Done
        self.assertEqual(gpu_tests.verdict(Done(0, "", "")), "pass")
        self.assertEqual(gpu_tests.verdict(Done(77, "skipped: no GPU: x\n", "")), "skipped: no GPU: x")
        failed = "[  FAILED  ] A.B, where GetParam() = 3 (5 ms)\n[  FAILED  ] A.C (1 ms)\n"
        self.assertEqual(gpu_tests.verdict(Done(1, failed, "")), "exit code 1: A.B, A.C")
        self.assertIn("no end", gpu_tests.verdict(Done(-1, "", "")))
        hung = "[  FAILED  ] A.B: no end within 57 s, the deadline of this process\n"
        self.assertEqual(gpu_tests.verdict(Done(1, hung, "")), "A.B: no end within 57 s")

    def test_test_programs_end_before_they_are_ended(self):
        deadline = gpu_tests.own_deadline(600, 60.0)["STEPMARK_TEST_DEADLINE_S"]
        self.assertEqual(deadline, "57")
        self.assertEqual(gpu_tests.own_deadline(20, 60.0)["STEPMARK_TEST_DEADLINE_S"], "17")
        self.assertEqual(gpu_tests.own_deadline(20, 2.0)["STEPMARK_TEST_DEADLINE_S"], "1")

    def test_processes(self):
        with subprocess.Popen(["sh", "-c", "sleep 600 & sleep 600; true"]) as child:
            until = time.monotonic() + 5
            while len(processes.descendants(child.pid)) < 2 and time.monotonic() < until:
                time.sleep(0.02)
            self.assertEqual(len(processes.descendants(child.pid)), 2)
            processes.kill_tree(child.pid)


class CommandLine(unittest.TestCase):
    def gpu_check(self, *arguments):
        env = dict(os.environ, PATH="/nowhere")  # no nvidia-smi, whatever the machine has
        return subprocess.run([sys.executable, REPO / "scripts" / "gpu-check", *arguments], env=env,
                              capture_output=True, text=True, check=False)

    def test_without_a_gpu(self):
        done = self.gpu_check()
        self.assertEqual(done.returncode, 4, done.stderr)
        lines = done.stdout.splitlines()
        self.assertIn("no NVIDIA GPU here, nothing was run", lines[-1])
        names = [line.split()[0] for line in lines[:-1]]
        self.assertEqual(names, [s.name for s in all_stages(site.Site(REPO, None, REPO, "cuda", False, {}))])

    def test_list_and_unknown_stage(self):
        self.assertEqual(self.gpu_check("--list").returncode, 0)
        self.assertEqual(self.gpu_check("--only", "nothing").returncode, 2)

    def test_stages_fit_into_nine_minutes(self):
        for bundle in (None, {"gpu_tests": []}):
            stages = all_stages(site.Site(REPO, bundle, REPO, "cuda", False, {}))
            self.assertLessEqual(sum(s.least_s for s in stages), 9 * 60 - runner.RESERVE_S)
            self.assertTrue(all(s.least_s <= s.limit_s for s in stages))


if __name__ == "__main__":
    unittest.main(verbosity=2)
