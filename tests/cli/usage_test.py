# SPDX-License-Identifier: Apache-2.0
"""Mistakes in options and files, and what the commands print: no launcher needed."""

import json
import os
import re
import shutil
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import stepmark_tool as tool  # noqa: E402
from stepmark_tool import stepmark  # noqa: E402

COMMANDS = ["run", "steps", "plan", "compare", "report", "import", "history", "contract", "doctor", "list", "completion"]
WORKLOAD = """\
workload: small
description: d
source: s
model:
  family: gpt2
  layers: 2
  hidden: 64
  heads: 4
  ffn: 128
  vocab: 256
  max_seq: 32
plan:
  seq: 16
"""
LISTS = ["workloads", "suites", "clusters", "gpus", "prices", "sla", "published", "cases", "backends"]


class Help(tool.ToolTest):
    def test_every_command_explains_itself(self):
        self.assertIn("Exit codes", stepmark("--help").out)
        for command in COMMANDS:
            result = stepmark(command, "--help")
            self.expect(result, tool.OK)
            self.assertIn("Usage", result.out, command)
        self.assertRegex(stepmark("--version").out, r"^\d+\.\d+")

    def test_lists(self):
        for what in LISTS:
            self.expect(stepmark("list", what), tool.OK)
            result = stepmark("list", what, "--json")
            self.expect(result, tool.OK)
            self.assertGreater(len(json.loads(result.out)), 0, what)

    def test_doctor(self):
        self.assertNotEqual(stepmark("doctor").out, "")
        findings = json.loads(stepmark("doctor", "--ranks", "2", "--json").out)
        self.assertIn("loopback", [finding["what"] for finding in findings])

    @unittest.skipUnless(shutil.which("bash"), "no bash")
    def test_completion(self):
        for shell in ("bash", "zsh"):
            script = self.write("completion." + shell, stepmark("completion", shell).out)
            subprocess.run(["bash", "-n", script], check=True, timeout=30)
        script = self.path("completion.bash")

        def complete(*words):
            text = (f"source {script}; COMP_WORDS=(stepmark {' '.join(words)}); "
                    f"COMP_CWORD={len(words)}; _stepmark; printf '%s\\n' \"${{COMPREPLY[@]}}\"")
            env = dict(os.environ, PATH=f"{os.path.dirname(tool.BINARY)}:{os.environ['PATH']}")
            done = subprocess.run(["bash", "-c", text], env=env, cwd=self.folder, check=True,
                                  stdout=subprocess.PIPE, text=True, timeout=30)
            return done.stdout.split()

        self.assertEqual(complete("comp"), ["compare", "completion"])
        self.assertEqual(complete("run", "--prec"), ["--precision"])
        self.assertEqual(complete("run", "--suite", "qui"), ["quick"])


class Mistakes(tool.ToolTest):
    def refuse(self, arguments, *texts):
        result = stepmark(*arguments, cwd=self.folder)
        self.expect(result, tool.USAGE, *texts)
        self.assertEqual(len(result.err.strip().splitlines()), 1, str(result))
        self.assertEqual(os.listdir(self.folder), self.before, "left something behind")

    def setUp(self):
        super().setUp()
        self.before = []

    @tool.once_per_machine
    def test_command_line(self):
        self.refuse([], "subcommand is required")
        self.refuse(["rnu"], "no command 'rnu'", "run, steps, plan")
        self.refuse(["repotr"], "did you mean 'report'")
        self.refuse(["run", "--sute", "quick"], "did you mean '--suite'")
        self.refuse(["run", "--sute=quick"], "did you mean '--suite' instead of '--sute=quick'")
        self.refuse(["run", "-suite", "quick"], "did you mean '--suite' instead of '-suite'")
        self.refuse(["run", "--suite", "quick", "--busget", "1m"], "did you mean '--budget'")
        for given in (["--suite", "quick"], ["--suite=quick"]):  # what is there already is not meant
            for order in ([*given, "--sute", "x"], ["--sute", "x", *given]):
                result = stepmark("run", *order)
                self.expect(result, tool.USAGE, "--sute")
                self.assertNotIn("did you mean", result.err)
        for far in ("--out-of-here", "--sp", "--resonance", "-1"):
            result = stepmark("run", "--suite", "quick", far)
            self.expect(result, tool.USAGE)
            self.assertNotIn("did you mean", result.err)
        self.refuse(["run", "--suite", "quikc"], "did you mean 'quick'")
        self.refuse(["run", "--workload", "tinny"], "did you mean 'tiny'")
        self.refuse(["run", "--backend", "host", "--workload", "tiny", "--cluster", "cw-h100"],
                    "cw-h100.yaml:6", "H100-80", "the device found is CPU")
        self.refuse(["run", "--workload", "tiny", "--cluster", "aws-p9"], "did you mean 'aws-p")
        self.refuse(["run", "--plan", "tp=2"], "--plan needs --workload")
        self.refuse(["run", "--suite", "quick", "--workload", "tiny"], "exclude each other")
        self.refuse(["run", "--resume"], "--resume requires --out")
        self.refuse(["run", "--budget", "soon"], "--budget", "'soon'", "10m")
        self.refuse(["run", "--budget", "0s"], "--budget must be positive")
        self.refuse(["run", "--precision", "0%"], "--precision must be positive")
        self.refuse(["run", "--precision", "5"], "'5' could be 5 % or 500 %: write 5% or 0.05")
        self.refuse(["compare", "a.smk", "b.smk", "--margin", "2"], "'2' could be 2 % or 200 %")
        self.refuse(["run", "--precision", "500%"], "at most 100%")
        self.refuse(["run", "--case-deadline", "-1"], "'-1': expected a positive number")
        self.refuse(["run", "--backend", "hots"], "no 'hots'", "host")
        self.refuse(["run", "--only", "nothing-like-it"], "no case is left")
        self.refuse(["doctor", "--ranks", "0"], "'0': expected a whole number from 1 to 1048576")
        self.refuse(["list", "things"], "workloads")
        self.refuse(["completion", "fish"], "bash")
        self.refuse(["compare"], "files is required")
        self.refuse(["report", self.path("none.smk")], "No such file")

    def test_impossible_plans(self):
        def refuse(plan, ranks, *texts, workload="tiny"):
            self.refuse(["plan", "--workload", workload, "--plan", plan, "--ranks", ranks], *texts)

        refuse("", 0, "from 1 to 1048576")
        refuse("", -3, "from 1 to 1048576")
        refuse("tp=2,dp=2", 3, "needs 4 ranks, but the world has 3")
        refuse("tp=3", 3, "does not divide the 8 attention heads")
        refuse("tp=24", 24, "does not divide the 64 attention heads", workload="llama3-70b")
        refuse("layers=9", 1, "more than the 4 layers")
        refuse("seq=4096", 1, "longer than the 128 positions")
        refuse("tp=2,sp=on,micro_batch=1,seq=3", 2, "divisible by tp=2")
        refuse("tq=2", 2, "--plan:1:1", "did you mean 'tp'")
        refuse("offload=2", 2, "--plan:1:1: offload: offloading to the host is not built yet, see docs/architecture.md")
        refuse("vpp=2", 2, "--plan:1:1: vpp: interleaved stages per rank of a pipeline are given by the key 'chunks'")
        refuse("pp=2,schedule=pipedream", 2, "--plan:1:15", "expected one of gpipe 1f1b interleaved zb-h1")
        refuse("pp=2,chunks=2,accumulation=2", 2, "schedule=1f1b: 2 chunks per stage; it takes one")
        refuse("pp=8", 8, "needs a layer for each of 8 stages, tiny has 4")
        refuse("tp=2,pp=2,tpp=2", 4, "--plan:1:11", "valid keys")
        refuse("tp=x", 1, "--plan:1:4", "expected a whole number")
        refuse("micro_batch=0", 1, "--plan:1:13")
        refuse("precision=fp8", 1, "expected fp32 or bf16")
        self.refuse(["plan", "--workload", "tiny", "--ranks", "4", "--program", "4"], "ranks 0 to 3")

    def test_files(self):
        def refuse_suite(old, new, *texts):
            self.assertIn(old, tool.SMALL_SUITE)
            path = self.write("bad.yaml", tool.SMALL_SUITE.replace(old, new, 1))
            self.before = ["bad.yaml"]
            self.refuse(["run", "--suite", path], *texts)

        refuse_suite("budget: 3s", "budgte: 3s", "bad.yaml:3:1", "'budgte'", "'budget'")
        refuse_suite("budget: 3s", "budget: [3s]", "bad.yaml:3:")
        refuse_suite("precision: 5%", "precision: high", "bad.yaml:4:")
        refuse_suite("family: step", "family: stp", "bad.yaml:6:", "'step'")
        refuse_suite("workload: tiny", "workload: tinny", "did you mean 'tiny'")
        refuse_suite("[all_reduce]", "[all_redcue]", "bad.yaml:10:", "'all_reduce'")
        refuse_suite("[gemm]", "[gem]", "bad.yaml:15:", "'gemm'")
        refuse_suite("[gemm]", "[gemm]\n    dtypes: [fp16]", "bad.yaml:16:", "op gemm has no fp16", "fp32, bf16")
        refuse_suite("min: 4KiB", "min: large", "bad.yaml:11:")
        refuse_suite("min: 4KiB", "min: 1GB", "bad.yaml:11:", "1000000000 or 1073741824", "1GiB")
        refuse_suite("min: 4KiB\n    max: 4KiB", "sizes: []", "bad.yaml:11:", "at least one size")
        refuse_suite("description: one of each family\n", "", "description")
        path = self.write("bad.yaml", WORKLOAD + "  micro_bacth: 4\n")
        self.refuse(["plan", "--workload", path], "bad.yaml:14:3", "'micro_bacth'", "'micro_batch'")
        path = self.write("bad.yaml", "cluster: c\nprovidr: x\n")
        self.refuse(["plan", "--workload", "tiny", "--cluster", path], "bad.yaml:", "'providr'")
        path = self.write("bad.yaml", "suite: [broken\n")
        self.refuse(["run", "--suite", path], "bad.yaml:")
        self.refuse(["run", "--suite", self.path("none.yaml")], "none.yaml")

    def test_nothing_is_left(self):
        path = self.write("bad.yaml", "suite: s\ndescription: d\ncases:\n  - family: collective\n"
                          "    collectives: [all_reduce]\n    sizes: [1, 2]\n")
        self.before = ["bad.yaml"]
        self.refuse(["run", "--suite", path], "no case is left", "no element in 1B, 2B: dropped")

    def test_workloads_of_a_suite(self):
        os.makedirs(self.path("mine"))
        suite = "suite: s\ndescription: d\ncases:\n  - family: step\n    workload: {}\n    plan: [tp=1]\n"
        self.before = ["mine"]

        def refuse(workload, text, *texts):
            if text is not None:
                self.write("mine/w.yaml", text)
            self.write("mine/s.yaml", suite.format(workload))
            self.refuse(["list", "cases", "--suite", "mine/s.yaml"], *texts)

        refuse("w.yaml", None, "mine/w.yaml: cannot read", "mine/s.yaml:5:15")
        refuse("w.yaml", WORKLOAD + "  micro_bacth: 4\n", "mine/w.yaml:14:3", "'micro_bacth'",
               "(workload of mine/s.yaml:5:15)")
        refuse("tinny", None, "mine/s.yaml:5:15", "did you mean 'tiny'")
        # Results go by name: two files of one name cannot stand beside each other.
        self.write("mine/v.yaml", WORKLOAD)
        two = suite.format("w.yaml") + "  - family: step\n    workload: v.yaml\n"
        self.write("mine/w.yaml", WORKLOAD)
        self.write("mine/s.yaml", two)
        self.refuse(["list", "cases", "--suite", "mine/s.yaml"], "mine/s.yaml:8:15: workload 'small'",
                    "'mine/w.yaml'", "mine/s.yaml:5:15")
        self.write("mine/t.yaml", WORKLOAD.replace("small", "tiny", 1))
        self.write("mine/s.yaml", suite.format("tiny") + "  - family: step\n    workload: t.yaml\n")
        self.refuse(["list", "cases", "--suite", "mine/s.yaml"], "mine/s.yaml:8:15: workload 'tiny'")

    def test_unwritable_output(self):
        self.write("file", "not a folder\n")
        self.before = ["file"]
        for out in ("none/x.smk", "file/x.smk", "/proc/x.smk", self.folder):
            self.refuse(["run", "--workload", "tiny", "--out", out], "cannot write")
        self.refuse(["run", "--workload", "tiny", "--out", self.folder, "--resume"][:5], "cannot write")

    def test_existing_journal_is_left_untouched(self):
        path = self.write("old.smk", "whatever is in here\n")
        self.before = ["old.smk"]
        self.refuse(["run", "--workload", "tiny", "--out", path], "exists already", "--resume")
        with open(path, encoding="utf-8") as file:
            self.assertEqual(file.read(), "whatever is in here\n")


class Suites(tool.ToolTest):
    def cases(self, *arguments, cwd=None):
        result = stepmark("list", "cases", "--json", *arguments, cwd=cwd)
        self.expect(result, tool.OK)
        return [case["case"] for case in json.loads(result.out)], result

    def test_every_world_has_cases(self):
        """Fallbacks that meet in a world of an odd number of ranks are one case."""
        for suite in ("standard", "quick"):
            for ranks in (1, 7):
                ids, result = self.cases("--suite", suite, "--ranks", ranks)
                self.assertEqual(len(ids), len(set(ids)))
                self.assertGreater(len(ids), 10)
        self.assertIn("measured once", result.err + self.cases("--suite", "standard", "--ranks", "7")[1].err)

    def test_own_workload_beside_the_suite(self):
        os.makedirs(self.path("mine/deep"))
        self.write("mine/deep/w.yaml", WORKLOAD)
        self.write("mine/s.yaml", "suite: s\ndescription: d\ncases:\n  - family: step\n"
                   "    workload: deep/w.yaml\n    plan: [tp=1]\n  - family: step\n    workload: tiny\n")
        for cwd, suite in ((self.folder, "mine/s.yaml"), (self.path("mine"), "s.yaml"),
                           ("/", self.path("mine/s.yaml"))):
            ids, _ = self.cases("--suite", suite, cwd=cwd)
            self.assertEqual(ids[0], "step/small/tp1.dp4.mb1.seq16.fp32")
            self.assertTrue(ids[1].startswith("step/tiny/"), ids)

    def test_dropped_and_merged_sizes_are_remarked(self):
        suite = self.write("s.yaml", "suite: s\ndescription: d\ncases:\n  - family: collective\n"
                           "    collectives: [all_reduce]\n    sizes: [1, 4, 5]\n    placement: both\n")
        ids, result = self.cases("--suite", suite)
        self.assertEqual(ids, [f"collective/all_reduce/fp32/sum/4B/{place}/world4"
                               for place in ("out-of-place", "in-place")])
        self.assertIn("no element in 1B: dropped", result.err)
        self.assertIn("5B round to the elements", result.err)


class Plans(tool.ToolTest):
    def test_outputs(self):
        plan = ["plan", "--workload", "tiny", "--plan", "tp=2,dp=2", "--ranks", "4"]
        self.assertIn("memory per rank", stepmark(*plan).out)
        facts = json.loads(stepmark(*plan, "--json").out)
        self.assertTrue(facts["validated_all_ranks"])
        self.assertEqual(facts["communication"]["tp"]["ranks"], 2)
        programs = [stepmark(*plan, "--program", rank).out for rank in range(4)]
        self.assertEqual(len(set(programs)), 4)
        self.assertIn("layer0", programs[0])

    def test_whose_the_logits_are_is_said(self):
        plan = ["plan", "--workload", "tiny", "--ranks", "4", "--plan"]
        self.assertIn("\nlogits: ", stepmark(*plan, "tp=2,dp=2").out)
        stages = stepmark(*plan, "tp=2,pp=2,accumulation=2").out
        self.assertIn("\nlogits (of rank 2; rank 0 has none): ", stages)
        self.assertEqual(json.loads(stepmark(*plan, "tp=2,pp=2,accumulation=2", "--json").out)["logits"]["rank"], 2)

    def test_padding_and_its_cost_are_named(self):
        plan = ["plan", "--workload", "gpt2-124m", "--plan", "micro_batch=8,precision=bf16"]
        host = stepmark(*plan, "--backend", "host")
        self.assertNotIn("padding", host.out)
        gpu = stepmark(*plan, "--backend", "cuda")
        self.assertRegex(gpu.out, r"padding for aligned GEMMs: vocabulary 50257 -> 50304 per rank; "
                         r"36096 parameters, [0-9.]+ MiB per rank, 0\.0[0-9] % of the kernels' FLOPs")
        # A cluster's accelerators are GPUs, wherever this runs.
        self.assertIn("50257 -> 50304", stepmark(*plan, "--cluster", "aws-p5").out)
        self.assertIn("no padding: dims are multiples of 64", stepmark(
            "plan", "--workload", "llama3-8b", "--backend", "cuda").out)
        facts, alone = (json.loads(stepmark(*plan, "--json", "--backend", backend).out)
                        for backend in ("cuda", "host"))
        padding = facts["padding"]
        self.assertEqual(padding["multiple"], 64)
        self.assertEqual(padding["dims"], [{"name": "vocabulary", "width": 50257, "stored": 50304}])
        self.assertEqual(padding["parameters_per_rank"], 47 * 768)
        # Counts of the model do not know it; memory does.
        for key in ("parameters", "model_flops_per_step", "kernel_flops_per_rank", "tokens_per_step"):
            self.assertEqual(facts[key], alone[key], key)
        self.assertEqual(facts["memory_bytes_per_rank"]["total"],
                         alone["memory_bytes_per_rank"]["total"] + padding["memory_bytes_per_rank"])
        self.assertEqual(alone["padding"]["dims"], [])

    def test_rows_that_stay_misaligned_are_named(self):
        path = self.write("w.yaml", "workload: w\ndescription: d\nsource: s\nmodel: {family: gpt2, "
                          "layers: 1, hidden: 100, heads: 5, ffn: 400, vocab: 640, max_seq: 16}\n"
                          "plan: {precision: bf16}\n")
        self.assertIn("MISALIGNED: rows of hidden 100, query width 100",
                      stepmark("plan", "--workload", path, "--backend", "cuda").out)
        self.assertNotIn("MISALIGNED", stepmark("plan", "--workload", path, "--backend", "host").out)
        self.expect(stepmark("plan", "--workload", path, "--backend", "tpu"), tool.USAGE, "tpu")

    def test_the_optimizer_is_said(self):
        def plan(text, *more):
            return stepmark("plan", "--workload", "tiny", "--ranks", "1", "--plan", text, *more)

        self.assertIn("optimizer: AdamW, optimizer_overlap=auto (nothing to overlap: gradients are final with "
                      "the last one); gradient norm computed, clipped to 1\n", plan("seq=64").out)
        text = plan("bucket_mib=1,clip=0").out
        self.assertIn("a run tries the serial and the overlapped form and keeps the faster); no gradient norm", text)
        self.assertRegex(text, r"overlapped, [1-9][0-9] % of the parameters are updated beside the backward pass")
        self.assertIn("gradient norm computed, not clipped", plan("clip=0,grad_norm=on").out)
        facts = json.loads(plan("bucket_mib=1,clip=0,optimizer_overlap=on", "--json").out)
        self.assertIn("optimizer_overlap=on", facts["plan"])
        self.assertEqual([facts["optimizer"][key] for key in ("overlap", "beside_backward", "gradient_norm", "clipped")],
                         ["on", True, False, False])
        for overlap, beside in (("on", True), ("off", False), ("auto", False)):
            program = plan(f"bucket_mib=1,clip=0,optimizer_overlap={overlap}", "--program", "0").out
            self.assertEqual("optimizer-low" in program, beside)
            self.assertNotIn("sum_squares", program)
        self.expect(plan("optimizer_overlap=maybe"), tool.USAGE, "--plan:1:19", "auto, on or off")

    def test_sharded_state_is_said(self):
        def plan(text, *more):
            return stepmark("plan", "--workload", "tiny", "--ranks", "4", "--plan", text, *more)

        self.assertRegex(plan("tp=2,zero=1").out, r"its state sharded over 2 ranks \(dp\), [0-9.]+ MiB each: gradients "
                         "are reduce-scattered, updated parameters gathered")
        self.assertIn("its state whole: there is one rank to shard it over", plan("tp=4,zero=1").out)
        self.assertNotIn("its state", plan("tp=2").out)
        whole, shards = (json.loads(plan(f"bucket_mib=1,zero={zero}", "--json").out) for zero in (0, 1))
        self.assertEqual([facts["optimizer"]["state_shards"] for facts in (whole, shards)], [1, 4])
        memory = [facts["memory_bytes_per_rank"]["optimizer"] for facts in (whole, shards)]
        self.assertAlmostEqual(memory[1] / memory[0], 1 / 4, delta=1e-3)
        self.assertEqual(set(shards["communication"]["dp"]["calls"]), {"all_reduce", "reduce_scatter", "all_gather"})
        self.assertAlmostEqual(shards["communication"]["dp"]["bus_bytes_per_rank"]
                               / whole["communication"]["dp"]["bus_bytes_per_rank"], 1, delta=1e-3)
        self.expect(plan("zero=4"), tool.USAGE, "--plan:1:6: zero='4': expected 0", "1 the optimizer's state")

    def test_sharded_gradients_and_parameters_are_said(self):
        def plan(text, *more):
            return stepmark("plan", "--workload", "tiny", "--ranks", "4", "--plan", text, *more)

        self.assertIn("layer by layer in every micro-step, and kept as shards, updated parameters gathered", plan("zero=2").out)
        self.assertIn("parameters gathered before each use, one layer ahead", plan("zero=3").out)
        self.assertRegex(plan("zero=3,shard=2,reshard=off,reduce=bf16").out,
                         r"over 2 ranks \(dp\.shard\).*gathered once per step.*2 groups hold the same.*reduced in bf16")
        self.assertIn("beside the next step's forward pass", plan("zero=1,gather=forward").out)
        whole, grads, params = (json.loads(plan(f"zero={zero}", "--json").out) for zero in (0, 2, 3))
        memory = [facts["memory_bytes_per_rank"] for facts in (whole, grads, params)]
        self.assertAlmostEqual(memory[1]["grad"] / memory[0]["grad"], 1 / 4, delta=1e-3)
        self.assertAlmostEqual(memory[2]["param"] / memory[0]["param"], 1 / 4, delta=1e-3)
        self.assertGreater(memory[0]["total"], memory[2]["total"])
        self.assertEqual([facts["optimizer"]["parameters_sharded"] for facts in (whole, grads, params)], [False, False, True])
        self.expect(plan("zero=3,shard=3"), tool.USAGE, "shard=3 does not divide the 4 data-parallel ranks; shard=2 does")

    def test_plan_says_what_recomputation_saves_and_costs(self):
        def plan(keys, *options):
            result = stepmark("plan", "--workload", "tiny", "--plan", f"tp=2,dp=1,seq=64,micro_batch=4,accumulation=1,{keys}", "--ranks", 2,
                              "--backend", "host", *options)
            self.expect(result, tool.OK)
            return result.out

        self.assertRegex(plan("recompute=none"), r"activations: [0-9.]+ MiB kept of each layer .* 1 in flight; recompute=none\n")
        self.assertRegex(plan("recompute=full"), r"recompute=full: [0-9.]+ ?.FLOP computed again, [0-9.]+ % of the kernels' \(in HFU, not in MFU\)")
        none, some, full = (json.loads(plan(f"recompute={kind}", "--json")) for kind in ("none", "selective", "full"))
        kept = [facts["activations"]["kept_bytes_per_layer"] for facts in (none, some, full)]
        self.assertEqual(kept[2], 4 * 64 * 256 * 4)
        self.assertEqual(sorted(kept, reverse=True), kept)
        self.assertEqual(none["model_flops_per_step"], full["model_flops_per_step"])
        self.assertAlmostEqual(full["kernel_flops_per_rank"] - none["kernel_flops_per_rank"],
                               full["activations"]["recomputed_flops_per_rank"], delta=1)
        self.assertGreater(none["memory_bytes_per_rank"]["total"], full["memory_bytes_per_rank"]["total"])
        self.assertEqual(full["communication"]["tp"]["calls"]["all_reduce"] - none["communication"]["tp"]["calls"]["all_reduce"],
                         2 * none["activations"]["layers"])

    def test_the_page_of_a_form_shows_its_program(self):
        for form in ("zero1", "zero2", "zero3", "hybrid", "recompute"):
            path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "docs", "forms", f"{form}.md")
            with open(path, encoding="utf-8") as file:
                page = file.read()
            command, program = re.search(r"^```\n\$ stepmark (.*)\n((?:.*\n)*?)```$", page, re.M).groups()
            self.assertEqual(stepmark(*command.split()).out, program, form)

    def fit(self, plan, ranks, cluster, workload="llama3-8b"):
        command = ["plan", "--workload", workload, "--plan", plan, "--ranks", ranks, "--cluster", cluster]
        result, data = stepmark(*command), stepmark(*command, "--json")
        self.expect(result, tool.OK)
        self.expect(data, tool.OK)
        return result.out, json.loads(data.out)

    def test_memory_is_what_the_driver_reports(self):
        text, facts = self.fit("tp=8", 8, "aws-p5")
        self.assertEqual(facts["memory"]["available_bytes"], 81559 << 20)
        self.assertTrue(facts["memory"]["fits"])
        self.assertIn("aws-p5 has 79.6 GiB per accelerator (81559 MiB as the driver reports it)", text)
        self.assertRegex(text, r"the plan needs [0-9.]+ GiB: fits")
        cluster = self.write("c.yaml", "cluster: c\nprovider: p\nsource: s\nnode:\n  accelerator: a\n"
                             "  accelerators: 8\n  memory_gb: 80\n")
        self.assertIn('74.5 GiB per accelerator ("80 GB" read as 1e9 bytes each)',
                      self.fit("tp=8", 8, cluster)[0])

    def test_lever_that_is_named_makes_the_plan_fit(self):
        text, facts = self.fit("tp=1,micro_batch=2,seq=1024", 8, "aws-p5")
        self.assertIn("DOES NOT FIT", text)
        self.assertIn("more data-parallel ranks would not help", text)
        self.assertFalse(facts["memory"]["fits"])
        lever = facts["memory"]["fits_with"]
        self.assertIn("fits with tp=", text)
        _, other = self.fit(lever["plan"], lever["ranks"], "aws-p5")
        self.assertTrue(other["memory"]["fits"])
        self.assertEqual(other["memory_bytes_per_rank"]["total"], lever["needed_bytes"])


if __name__ == "__main__":
    tool.main()
