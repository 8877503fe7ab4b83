# SPDX-License-Identifier: Apache-2.0
"""The command `run` on the CUDA backend, as its users meet it, on the emulated GPU and the emulated
NCCL: every family of cases, parallel steps against one rank, ranks that share a GPU, wrong data, a
killed rank, missing libraries. No figure of these runs is performance, and each record must say so.
"""

import json
import os
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))
import stepmark_tool as tool  # noqa: E402

KILLED = 128 + signal.SIGKILL

NANO = """\
workload: nano
description: for an emulated GPU
source: this project
model: {family: llama, layers: 2, hidden: 64, heads: 4, kv_heads: 2, ffn: 96, vocab: 128, max_seq: 32}
plan: {micro_batch: 2, seq: 16, precision: bf16}
"""

COLLECTIVES = """\
  - family: collective
    collectives: [all_reduce, all_to_all_v]
    min: 4KiB
    max: 4KiB
    placement: out-of-place
"""

KERNELS = """\
  - family: kernel
    ops: [clip_scale, step_count]
    max_gflop: 0.001
    max_bytes: 4MiB
  - family: overlap
    gemm: {m: 32, n: 32, k: 32}
    collectives: [all_gather]
    bytes: 4KiB
    occupy_ctas: [2]
"""

GROUPS = """\
  - family: groups
    plan: ["tp=2,dp=2", "tp=2"]
    traffic:
      tp: {op: all_reduce, bytes: 4KiB}
      dp: {op: reduce_scatter, bytes: 16KiB}
"""


OF_PLANS = """\
  - family: groups
    workload: nano.yaml
    plan: ["tp=2,sp=on,pp=2,accumulation=2"]
  - family: overlap
    workload: nano.yaml
    plan: ["tp=2,zero=1"]
"""


class RunOnEmulatedGpu(tool.ToolTest):
    def setUp(self):
        super().setUp()
        self.journal = self.path("run.smk")

    def run_cuda(self, *what, ranks=0, variables=None):
        prefix = ["env", *(f"{name}={value}" for name, value in (variables or {}).items())]
        return tool.stepmark("run", "--backend", "cuda", "--out", self.journal, *what, ranks=ranks,
                             cwd=self.folder, prefix=prefix)

    def run_cases(self, cases, *more, **options):
        suite = self.write("suite.yaml", "suite: emulated\ndescription: test\nbudget: 2s\n"
                           f"precision: 20%\ncases:\n{cases}")
        return self.run_cuda("--suite", suite, *more, **options)

    def step(self, plan):
        return ["--workload", self.write("nano.yaml", NANO), "--plan", plan]

    def run_step(self, plan, *more, **options):
        return self.run_cuda(*self.step(plan), "--budget", "2s", *more, **options)

    def measured(self, result, count):
        self.expect(result, tool.OK)
        records = tool.records(self.journal)
        self.assertEqual(len(records), count, str(result))
        for record in records:
            self.assertEqual(record["outcome"], "ok", str(result))
            self.assertTrue(all(check["passed"] for check in record["checks"]))
            self.assertFalse(record["perf_valid"])
            self.assertIn("emulated-gpu", record["labels"])
            self.assertTrue(all(metric["value"] is None for metric in record["metrics"]))
        return records

    def checks(self, record):
        return {check["name"] for check in record["checks"]}

    def test_one_rank_has_kernels_and_contention(self):
        records = self.measured(self.run_cases(KERNELS), 3)
        self.assertEqual({r["family"] for r in records}, {"kernel", "overlap"})
        self.assertEqual(tool.read_lines(self.journal)[0]["backend"], "cuda")

    def test_a_captured_step_does_what_single_launches_do(self):
        losses = []
        for more in ([], ["--eager"]):
            result = self.run_step("tp=1,accumulation=2", *more)
            numbers = dict(self.measured(result, 1)[0]["numbers"])
            losses.append((numbers["first_loss"], numbers["gradient_norm"]))
            os.remove(self.journal)
        # Each run tries anew which form of a GEMM is the fastest, and forms round differently, to bf16 (a quarter of its
        # 2^-8 is allowed): bits are emulated_executor's to compare, where nothing is chosen.
        for captured, launched in zip(*losses):
            self.assertAlmostEqual(captured, launched, delta=1e-3 * launched)

    def test_the_empty_graph_and_the_gap_are_of_the_graph(self):
        for more, captured in (((), True), (("--eager",), False)):
            record, = self.measured(self.run_step("tp=1", *more), 1)
            numbers = dict(record["numbers"])
            self.assertEqual("empty_graph_s" in numbers, captured, numbers)
            self.assertGreater(numbers["executor_overhead_s"], 0)
            self.assertGreaterEqual(numbers["gap_s"], 0)
            os.remove(self.journal)

    def test_power_is_read_at_instants(self):
        record, = self.measured(self.run_step("tp=1"), 1)
        self.assertEqual(dict(record["texts"])["gpu_power_source"], "instant")

    def test_parallel_steps_equal_one_rank(self):
        for plan, ranks in (("tp=2,sp=on", 2), ("dp=2", 2), ("tp=2,dp=2", 4), ("pp=2,schedule=zb-h1,accumulation=2", 2),
                            ("pp=2,tp=2,accumulation=2", 4), ("dp=2,zero=1,precision=bf16", 2),
                            ("tp=2,dp=2,sp=on,zero=1", 4), ("dp=4,zero=3,shard=2", 4)):
            with self.subTest(plan=plan):
                step = self.measured(self.run_step(plan, ranks=ranks), 1)[0]
                self.assertIn("loss and gradients against one rank", self.checks(step))
                self.assertEqual("zero=" in plan, "replicas after timing" in self.checks(step))
                # Each rank's GPU has a clock of its own.
                numbers = dict(step["numbers"])
                self.assertGreater(numbers["clock_error_s"], 0)
                self.assertLess(numbers["waiting_s"], 60)
                os.remove(self.journal)

    def test_collectives_and_groups_are_exact(self):
        self.write("nano.yaml", NANO)
        records = self.measured(self.run_cases(COLLECTIVES + GROUPS + OF_PLANS, ranks=4), 6)
        for record in records:
            self.assertTrue(any("exact" in name for name in self.checks(record)), record["checks"])

    def test_nccl_says_what_it_chose_when_asked(self):
        for more in ([], ["--nccl-choices"]):
            result = self.run_cases(COLLECTIVES, *more, ranks=2)
            record = next(r for r in self.measured(result, 2) if "all_reduce" in r["case_id"])
            texts = dict(record["texts"])
            self.assertEqual("NCCL log on" in record["labels"], bool(more))
            self.assertEqual("protocol" in texts, bool(more), texts)
            facts = self.facts()
            self.assertEqual(facts["nccl", "network"], "Emulated")
            self.assertEqual(facts["nccl", "same host"], "SHM/direct/direct")
            self.assertEqual(facts["nccl", "NVLS"], "not available")
            # What the program asks of NCCL's log is none of the user's settings.
            self.assertFalse([name for group, name in facts if name.startswith("NCCL_DEBUG")])
            os.remove(self.journal)

    def test_a_log_that_is_the_users_is_left_to_them(self):
        log = self.path("nccl.log")
        result = self.run_cases(COLLECTIVES, ranks=2, variables={
            "NCCL_DEBUG": "INFO", "NCCL_DEBUG_FILE": log, "NCCL_DEBUG_SUBSYS": "INIT"})
        self.measured(result, 2)
        facts = self.facts()
        self.assertIn("NCCL_DEBUG is set", facts["nccl", "transport"])
        self.assertEqual(facts["variables", "NCCL_DEBUG_FILE"], log)
        with open(log, encoding="utf-8") as file:
            self.assertIn("Using network", file.read())

    def facts(self):
        header = tool.read_lines(self.journal)[0]
        return {(f["section"], f["name"]): f["value"] for f in header["environment"]}

    def test_engines_are_facts(self):
        record, = self.measured(self.run_step("tp=1"), 1)
        texts = dict(record["texts"])
        self.assertRegex(texts["gemm_engine"], r"^cublaslt [0-9.]+$")
        self.assertRegex(texts["gemm_algorithms"], r"[0-9] x gemm dtype=bf16 .*: cublaslt [0-9.]+ algorithm=")
        self.assertEqual(texts["attention_engine"], "plain")  # as was asked for
        self.assertNotIn("engines_refused", texts)
        os.remove(self.journal)
        missing = {"STEPMARK_ATTENTION": "auto", "STEPMARK_CUDNN_LIBRARY": "/nonexistent/libcudnn.so.9"}
        plan = self.write("wide.yaml", NANO.replace("heads: 4, kv_heads: 2", "heads: 1"))
        record, = self.measured(self.run_cuda("--workload", plan, "--budget", "2s", variables=missing), 1)
        self.assertEqual(dict(record["texts"])["attention_engine"], "flash")
        self.assertIn("cuDNN was not found", dict(record["texts"])["engines_refused"])
        self.assertTrue(any(l.startswith("expected engine refused: ") for l in record["labels"]))

    def test_chunks_of_wide_heads_are_attended_to_on_tensor_cores(self):
        for heads, engine in (("heads: 2, kv_heads: 1", "flash"), ("heads: 4, kv_heads: 2", "plain")):
            plan = self.write("one.yaml", NANO.replace("layers: 2, hidden: 64", "layers: 1, hidden: 128")
                              .replace("heads: 4, kv_heads: 2", heads))
            result = self.run_cuda("--workload", plan, "--plan", "cp=2,cp_kind=ring", "--budget", "2s", ranks=2)
            record, = self.measured(result, 1)
            texts = dict(record["texts"])
            self.assertEqual(texts["attention_engine"], engine)
            self.assertEqual("tensor cores" in texts.get("engines_refused", ""), engine == "plain")
            os.remove(self.journal)

    def test_gpus_run_training_unless_told(self):
        # Each suite has its budget, which this time is too short for.
        for suite, budget in (([], "600 s"), (["--suite", "gpu-smoke"], "4.00 s")):
            result = self.run_cuda(*suite, "--repeat", "2", "--repeat-over", "1s")
            self.assertEqual(result.code, tool.USAGE, str(result))
            self.assertIn(f"the budget of {budget} for measuring", result.err)

    def test_odd_dims_are_padded_and_count_for_nothing(self):
        for vocab, plan, ranks, padding in ((50257, "tp=1", 0, "50257 -> 50304, MLP width 96 -> 128"),
                                            (49954, "tp=2", 2, "24977 -> 25024, MLP width 48 -> 64"),
                                            (7, "tp=4", 4, "2 -> 64, MLP width 24 -> 64"),
                                            (7, "tp=1", 0, "7 -> 64, MLP width 96 -> 128")):
            with self.subTest(vocab=vocab, plan=plan):
                # A large table of its own is emulated row by row.
                tied = "true" if vocab > 1000 else "false"
                odd = self.write("odd.yaml", NANO.replace("vocab: 128", f"vocab: {vocab}").replace(
                    "kv_heads: 2", "kv_heads: 4").replace("hidden: 64", "hidden: 16").replace(
                        "layers: 2", f"layers: 1, tied_embeddings: {tied}"))
                what = ["--workload", odd, "--budget", "2s", "--plan", f"{plan},seq=4,micro_batch=1"]
                record, = self.measured(self.run_cuda(*what, ranks=ranks), 1)
                os.remove(self.journal)
                self.expect(tool.stepmark("run", "--backend", "host", "--out", self.journal, *what,
                                          ranks=ranks, cwd=self.folder), tool.OK)
                host, = tool.records(self.journal)
                os.remove(self.journal)
                texts, numbers = dict(record["texts"]), dict(record["numbers"])
                self.assertEqual(texts["padding"], "vocabulary " + padding)
                self.assertLessEqual({"padding", "padding after timing"}, self.checks(record))
                if ranks:
                    self.assertIn("loss and gradients against one rank", self.checks(record))
                for name in ("padding_flops_per_step", "padding_bytes_per_rank", "padding_parameters_per_rank"):
                    self.assertGreater(numbers[name], 0)
                    self.assertNotIn(name, dict(host["numbers"]))
                for name in ("parameters", "tokens_per_step", "model_flops_per_step"):
                    self.assertEqual(numbers[name], dict(host["numbers"])[name], name)
                for name in ("first_loss", "gradient_norm"):
                    self.assertAlmostEqual(numbers[name] / dict(host["numbers"])[name], 1, delta=0.05)

    H100 = {"STEPMARK_EMULATED_GPU": "NVIDIA H100 80GB HBM3", "STEPMARK_EMULATED_GPU_MIB": "81559"}

    def test_the_peak_of_a_known_gpu_needs_no_cluster(self):
        for more, source in (((), "gpu h100-sxm5-80gb"), (("--cluster", "cw-h100"), "cluster cw-h100")):
            with self.subTest(more=more):
                record, = self.measured(self.run_step("tp=1", *more, variables={
                    **self.H100, "STEPMARK_EMULATED_POWER_LIMIT_W": "500"}), 1)
                numbers, texts = dict(record["numbers"]), dict(record["texts"])
                self.assertEqual(texts["peak_source"], source)
                self.assertEqual(numbers["peak_flops_per_s"], 989.4e12)
                self.assertEqual(numbers["peak_specified_power_w"], 700)
                self.assertEqual(numbers["gpu_power_limit_w"], 500)
                self.assertIn(numbers["gpu_sm_clock_mhz"], (1500, 1980))
                self.assertIn("power cap 500 W, the peak is specified at 700 W", record["labels"])
                os.remove(self.journal)

    def test_an_unknown_gpu_and_a_part_of_one_have_no_peak(self):
        part = {**self.H100, "STEPMARK_EMULATED_GPU": "NVIDIA H100 80GB HBM3 MIG 3g.40gb"}
        for variables, why in (({}, "'Emulated GPU'"), (part, "a part of NVIDIA H100 80GB HBM3 ")):
            record, = self.measured(self.run_step("tp=1", variables=variables), 1)
            self.assertNotIn("peak_flops_per_s", dict(record["numbers"]))
            self.assertIn(why, dict(record["texts"])["peak_unknown"])
            os.remove(self.journal)

    def test_a_cluster_of_another_gpu_is_refused(self):
        for ranks in (0, 2):
            result = self.run_step("tp=1", "--cluster", "cw-h200", variables=self.H100, ranks=ranks)
            self.assertEqual(result.code, tool.USAGE, str(result))
            for text in ("cw-h200.yaml:6", "H200-141", "NVIDIA H100 80GB HBM3 with 81559 MiB"):
                self.assertIn(text, result.err)
            self.assertEqual(result.err.count("the device found is"), 1, str(result))
            self.assertFalse(os.path.exists(self.journal))

    def test_ranks_share_a_gpu_only_when_told(self):
        one_gpu = {"STEPMARK_EMULATED_DEVICES": "1"}
        refused = self.run_cases(COLLECTIVES, ranks=2, variables=one_gpu)
        self.assertNotEqual(refused.code, tool.OK, str(refused))
        self.assertIn("--share-gpu", refused.err)
        result = self.run_cases(COLLECTIVES, "--share-gpu", ranks=2, variables=one_gpu)
        for record in self.measured(result, 2):
            self.assertIn("single-gpu-timesliced", record["labels"])

    def test_a_flipped_bit_is_found_and_named(self):
        result = self.run_cases(COLLECTIVES, ranks=2, variables={"NCCL_EMULATED_FLIP": "1:1"})  # 0 connects the ranks
        self.assertEqual(result.code, tool.CHECK_FAILED, str(result))
        failed = [r for r in tool.records(self.journal) if r["outcome"] == "failed"]
        self.assertEqual(len(failed), 1)
        self.assertIn("rank 1", failed[0]["reason"])
        self.assertIn("expected", failed[0]["reason"])

    def test_a_killed_rank_ends_the_run_and_loses_nothing(self):
        suite = self.write("suite.yaml", "suite: s\ndescription: test\nbudget: 20s\nprecision: 0.0001%\n"
                           f"cases:\n{COLLECTIVES}")
        job = tool.Job(2, "run", "--backend", "cuda", "--suite", suite, "--out", self.journal,
                       cwd=self.folder)
        self.addCleanup(job.kill)
        job.wait_for_records(self.journal, 1)
        os.kill(job.rank_pid(1), signal.SIGKILL)
        result = job.end(45)
        self.assertEqual(result.code, KILLED, str(result))
        self.assertIn("rank 1", result.err)
        self.assertEqual(tool.records(self.journal)[0]["outcome"], "ok")

    def test_a_missing_library_is_named_with_the_fix(self):
        missing = {"STEPMARK_NCCL_LIBRARY": "/nonexistent/libnccl.so.2"}
        result = self.run_cases(COLLECTIVES, ranks=2, variables=missing)
        self.assertNotEqual(result.code, tool.OK)
        self.assertIn("/nonexistent/libnccl.so.2", result.err)
        missing = {"STEPMARK_CUBLASLT_LIBRARY": "/nonexistent/libcublasLt.so"}
        result = self.run_step("tp=1", variables=missing)
        self.assertNotEqual(result.code, tool.OK)
        self.assertIn("/nonexistent/libcublasLt.so", result.err + str(tool.records(self.journal)))

    def test_doctor_says_why_a_library_is_not_used(self):
        result = tool.stepmark("doctor", "--json", prefix=["env", "STEPMARK_NCCL_LIBRARY=/no/libnccl.so"])
        findings = {finding["what"]: finding for finding in json.loads(result.out)}
        self.assertIn("not found: /no/libnccl.so", findings["NCCL"]["found"])
        self.assertIn("STEPMARK_NCCL_LIBRARY", findings["NCCL"]["advice"])


if __name__ == "__main__":
    tool.main()
