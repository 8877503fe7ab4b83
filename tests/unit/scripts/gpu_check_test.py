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

from gpu_check import processes, records, runner, shares, site, summary  # noqa: E402
from gpu_check.context import Done, StageError  # noqa: E402
from gpu_check.stage import Outcome, Stage  # noqa: E402
from gpu_check.stages import (against_torch, all_stages, kernels, ranks, step,  # noqa: E402
                              tests as gpu_tests)


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


def reaching_some(context):
    context.reach("first", True, "1.2x")
    context.reach("second", False, "0.9x")
    time.sleep(600)


def stage(run, share=1.0, least_s=0.2, goals=()):
    return Stage(run.__name__, "title", "wanted", share, run, least_s, goals)


class Runs(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.out = pathlib.Path(self.folder.name)
        self.site = site.Site(root=REPO, bundle=None, build=self.out, backend="host", rehearsal=False, env={})
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
        results = self.run_all(stage(hanging), stage(hanging_deaf), stage(passing, 4), total_s=6)
        self.assertLess(time.monotonic() - begin, 20)
        self.assertEqual([r.result for r in results], ["timeout", "timeout", "pass"])
        self.assertEqual(results[0].figures, {"seen": 7})
        self.assertIn("no end within", results[0].figure)
        self.assertEqual(summary.exit_code(results), 1)

    def test_nothing_that_a_stage_started_outlives_it(self):
        results = self.run_all(stage(leaving_processes), total_s=2)
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
        again = Stage("passing", "title", "wanted", 1, silent, 0.2)
        self.assertEqual(self.run_all(again)[0].result, "FAIL")

    def test_the_end_of_the_time_is_kept(self):
        begin = time.monotonic()
        results = self.run_all(stage(hanging), stage(passing), stage(failing, least_s=30), total_s=4.0)
        self.assertLess(time.monotonic() - begin, 12)
        self.assertEqual([r.result for r in results], ["timeout", "pass", "not run"])
        self.assertIn("needs 30 s", results[-1].figure)
        self.assertNotEqual(summary.exit_code(results), 0)

    def test_a_stage_that_hangs_takes_its_own_time_only(self):
        results = self.run_all(stage(hanging), stage(passing), stage(passing), total_s=6.0)
        self.assertEqual([r.result for r in results], ["timeout", "pass", "pass"])
        self.assertLess(results[0].limit_s, 6.0 / 3)

    def test_what_a_stage_leaves_is_shared_out(self):
        results = self.run_all(stage(passing), stage(passing), total_s=20.0)
        self.assertGreater(results[1].limit_s, 1.5 * results[0].limit_s)

    def test_stages_tell_their_share(self):
        self.run_all(stage(passing), total_s=20.0)
        self.assertIn("at most 18 s, 90 % of the time", self.told[0])

    def test_goals_have_states_of_their_own(self):
        goals = (("first", "speed a", ">= 1.1x"), ("second", "speed b", ">= 1.1x"), ("third", "speed c", "x"))
        results = self.run_all(stage(reaching_some, goals=goals), stage(passing), stage(skipping), total_s=4)
        self.assertEqual([goal.state for goal in results[0].goals], ["met", "NOT MET", "not run"])
        self.assertEqual(results[0].goals[0].figure, "1.2x")  # kept, although the stage had no end
        self.assertIn("no end within", results[0].goals[2].figure)
        self.assertEqual([result.goals[0].state for result in results[1:]], ["met", "not run"])
        lines = summary.table(results).splitlines()
        self.assertEqual(lines[0].split(), ["stage", "goal", "wanted", "seen", "state", "seconds"])
        self.assertEqual(len(lines), 1 + 3 + 1 + 1)
        self.site.rehearsal = True
        rehearsed = self.run_all(stage(reaching_some, goals=goals), total_s=2)
        self.assertEqual([goal.state for goal in rehearsed[0].goals], ["rehearsed", "rehearsed", "not run"])

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
        self.assertEqual(len(summary.table(results).splitlines()), 3)
        summary.write(results, self.out / "x.json", "test", 9)
        content = json.loads((self.out / "x.json").read_text())
        self.assertFalse(content["passed"])
        self.assertEqual(content["stages"][0]["figures"], {"answer": 42})
        self.assertEqual([(goal["stage"], goal["state"]) for goal in content["goals"]],
                         [("passing", "met"), ("failing", "NOT MET")])

    def test_file_name(self):
        machine = Outcome(True, "", {"gpus": [{"name": "NVIDIA H200 NVL"}]})
        results = self.run_all(Stage("machine", "", "", 1, lambda _: machine, 0.1))
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
        """Of a stage whose every command lists and measures these records."""
        listed = json.dumps([{"case": record["case_id"]} for record in measured])

        class Fake:
            site = site.Site(REPO, None, REPO, "cuda", False, {})
            goals, figures = {}, {}

            @staticmethod
            def left_s():
                return 50.0

            def keep(self, **figures):
                self.figures.update(figures)

            def reach(self, key, met, figure):
                self.goals[key] = [met, figure]

            @staticmethod
            def run(*_, **__):
                return Done(0, listed, "")

            @staticmethod
            def measure(*_, **__):
                return Done(code, "", ""), list(measured)
        fake = Fake()
        fake.goals, fake.figures = {}, {}
        return fake

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
        self.assertIn("1 of 2, least 0.89 (adamw)", slow.figure)
        # Bound by arithmetic, or by its launch: shown, not judged.
        other = [self.record("softmax", roofline=0.5, note="compute bound"),
                 self.record("zero", roofline=0.5, seconds=1.9e-4)]
        self.assertTrue(kernels.run(self.context(self.record(), *other)).passed)

    def test_an_expected_engine_that_was_refused_fails(self):
        refused = self.record("rope")
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

    def test_the_judged_kernels_are_a_goal(self):
        context = self.context(self.record(), self.record("adamw", roofline=0.89))
        kernels.run(context)
        self.assertEqual(context.goals[kernels.GOAL][0], False)
        none = self.context(self.record(note="compute bound"))
        kernels.run(none)
        self.assertNotIn(kernels.GOAL, none.goals)  # nothing was judged: not run

    def test_dims_of_cases(self):
        self.assertEqual(records.dims_of("kernel/gemm/bf16/m8192,n4096,k8192,trans_a1,accumulate1,out_f321"),
                         {"m": 8192, "n": 4096, "k": 8192, "trans_a": 1, "accumulate": 1, "out_f32": 1})
        dims = records.dims_of("kernel/attention_fwd/bf16/batch2,seq4096,heads32,kv_heads8,head_dim128")
        self.assertLessEqual(against_torch.ATTENTION.items(), dims.items())

    def step_record(self, gap=0.004, mfu=0.4, refused=""):
        record = self.record("step")
        record["metrics"] = [{"name": "mfu", "value": mfu, "note": "of 989 TFLOP/s"},
                             {"name": "gap", "value": gap, "note": ""}]
        record["numbers"].update(parameters=10, tokens_per_step=100, memory_bytes_per_rank=5)
        record.update(split=[])
        record["texts"].update(plan="seq=8")
        if refused:
            record["texts"]["engines_refused"] = refused
        return record

    def test_a_step_without_torch_still_tells_mfu_and_gap(self):
        context = self.context(self.step_record())
        self.assertIsNone(step.gpt2(context).passed)
        self.assertEqual({key: met for key, (met, _) in context.goals.items()}, {"mfu": True, "gap": True})
        context = self.context(self.step_record(gap=0.02, mfu=None))
        step.gpt2(context)
        self.assertEqual({key: met for key, (met, _) in context.goals.items()}, {"mfu": False, "gap": False})

    class Sides:
        """Steps of 1 s here, and of `ratio` there."""
        def __init__(self, ratio):
            self.ratio, self.order, self.facts = ratio, [], {"parameters": 10}

        def ours(self, clip):
            self.order.append("ours")
            return 1.0

        def theirs(self, clip):
            self.order.append("theirs")
            return self.ratio[clip]

        def form(self, clip):
            return "default"

    def judged(self, ratio, record=None, parameters=10):
        record = record or self.step_record()
        context = self.context(record)
        context.figures.update(tokens_per_step=100, parameters=parameters,
                               engines_refused=records.refused([record]))
        step.judge_record(context, record)
        sides = self.Sides(ratio)
        ratios = step.take_turns(context, sides, step.LLAMA_WANTED)
        return step.verdict(context, ratios, step.LLAMA_WANTED), context.goals, sides.order

    def test_sides_take_turns_and_each_clip_is_a_goal(self):
        outcome, goals, order = self.judged({1: 1.2, 0: 1.07})
        self.assertTrue(outcome.passed)
        self.assertEqual(order[:4], ["theirs", "ours", "ours", "theirs"])
        outcome, goals, _ = self.judged({1: 1.09, 0: 1.07})
        self.assertFalse(outcome.passed)
        self.assertEqual((goals["clip1"][0], goals["clip0"][0]), (False, True))
        self.assertIn("1.090x default", goals["clip1"][1])

    def test_a_step_fails_for_what_makes_its_speed_worthless(self):
        self.assertFalse(self.judged({1: 1.2, 0: 1.2}, parameters=11)[0].passed)
        self.assertFalse(self.judged({1: 1.2, 0: 1.2}, self.step_record(gap=0.02))[0].passed)
        refused = self.judged({1: 1.2, 0: 1.2}, self.step_record(refused="cuDNN was not found"))[0]
        self.assertFalse(refused.passed)
        self.assertIn("cuDNN was not found", refused.figure)

    def test_ranks_that_took_too_long_are_told(self):
        late = self.context(self.record(perf_valid=False))
        clock = iter(range(0, 1000, 100))
        real, ranks.time = ranks.time, type("Clock", (), {"monotonic": staticmethod(lambda: next(clock))})
        try:
            outcome = ranks.run(late)
        finally:
            ranks.time = real
        self.assertFalse(outcome.passed)
        self.assertIn("right, but after 100 s", outcome.figure)
        claims = ranks.run(self.context(self.record()))
        self.assertIn("claims performance", claims.figure)

    def test_verdict_of_a_test_program(self):
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
        self.assertEqual(names, [s.name for s in all_stages()])

    def test_list_and_mistakes(self):
        self.assertEqual(self.gpu_check("--list").returncode, 0)
        self.assertEqual(self.gpu_check("--only", "nothing").returncode, 2)
        self.assertEqual(self.gpu_check("--minutes", "0.1").returncode, 2)

    def test_limits_add_up_to_the_time(self):
        for minutes in (2, 4, 9, 15):
            seconds = minutes * 60 - runner.reserve_s(minutes * 60)
            kept = shares.chosen(all_stages(), seconds)
            limits = shares.limits(kept, seconds)
            self.assertAlmostEqual(sum(limits), seconds)
            self.assertTrue(all(limit >= stage.least_s for limit, stage in zip(limits, kept)))
            listed = self.gpu_check("--list", "--minutes", str(minutes)).stdout.splitlines()
            told = [float(line.rpartition("at most ")[2].split()[0]) for line in listed if "at most" in line]
            self.assertEqual(len(told), len(kept))
            self.assertLess(abs(sum(told) - seconds), len(told))

    def test_nine_minutes_have_every_stage_and_four_what_matters(self):
        names = [[s.name for s in shares.chosen(all_stages(), 60 * m - runner.RESERVE_S)] for m in (9, 4)]
        self.assertEqual(names[0], ["machine", "smoke", "step-gpt2-124m", "step-llama3-8b-4-layers", "gemm",
                                    "attention", "kernels", "experts", "tests", "ranks", "death",
                                    "sanitizer"])
        self.assertEqual(names[1], [*names[0][:7], "death"])

    def test_ranks_get_the_time_that_they_are_promised(self):
        seconds = 9 * 60 - runner.RESERVE_S
        limits = dict(zip((s.name for s in all_stages()), shares.limits(all_stages(), seconds)))
        self.assertGreaterEqual(limits["ranks"], 60)


if __name__ == "__main__":
    unittest.main(verbosity=2)
