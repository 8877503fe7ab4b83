# SPDX-License-Identifier: Apache-2.0
"""Whole runs of a small suite, alone and under mpirun, and what is done with their journals."""

import glob
import json
import math
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import stepmark_tool as tool  # noqa: E402
from stepmark_tool import stepmark  # noqa: E402


class Alone(tool.ToolTest):
    def setUp(self):
        super().setUp()
        self.suite = self.write("small.yaml", tool.SMALL_SUITE)

    def test_skipped_collectives_are_missing_cells(self):
        journal = self.path("run.smk")
        result = stepmark("run", "--suite", self.suite, "--out", journal)
        self.expect(result, tool.NOT_MEASURED, "needs at least 2 ranks")
        records = tool.records(journal)
        for record in records:
            skipped = record["family"] == "collective"
            self.assertEqual(record["outcome"], "skipped" if skipped else "ok")
            self.assertTrue(all(check["passed"] for check in record["checks"]))
        self.assertEqual({r["family"] for r in records}, {"step", "collective", "kernel"})
        self.assertEqual(tool.read_lines(journal)[-1]["exit_code"], tool.NOT_MEASURED)

    @tool.once_per_machine
    def test_stand_in_for_a_collective(self):
        suite = self.write("concurrent.yaml", tool.CONCURRENT_SUITE)
        journal = self.path("run.smk")
        result = stepmark("run", "--suite", suite, "--out", journal)
        self.expect(result, tool.NOT_MEASURED)  # groups need ranks
        groups, overlap = tool.records(journal)
        self.assertEqual(groups["outcome"], "skipped")
        self.assertEqual(overlap["outcome"], "ok", overlap["reason"])
        self.assertEqual(overlap["texts"]["beside"], "occupy")
        self.assertIn("occupy 2 CTAs", result.out)

    @tool.once_per_machine
    def test_only_json_and_default_name(self):
        result = stepmark("run", "--suite", self.suite, "--only", "kernel/", "--budget", "1s",
                          "--json", cwd=self.folder)
        self.expect(result, tool.OK)
        json.loads(result.out)
        journals = glob.glob(self.path("stepmark-small-*.smk"))
        self.assertEqual(len(journals), 1)
        self.assertEqual({r["family"] for r in tool.records(journals[0])}, {"kernel"})

    @tool.once_per_machine
    def test_own_workload_of_a_suite(self):
        """Its text is in the journal, and decides whether a run may be resumed."""
        os.makedirs(self.path("mine"))
        with open(os.path.join(self.folder, "mine", "w.yaml"), "w", encoding="utf-8") as file:
            file.write(tool.OWN_WORKLOAD)
        self.write("mine/s.yaml", "suite: s\ndescription: d\nbudget: 1s\ncases:\n  - family: step\n"
                   "    workload: w.yaml\n")
        journal = self.path("run.smk")
        command = ["run", "--suite", self.path("mine/s.yaml"), "--out", journal]
        self.expect(stepmark(*command), tool.OK)
        header = tool.read_lines(journal)[0]
        self.assertEqual(header["config"]["workloads"], {"own": tool.OWN_WORKLOAD})
        self.assertEqual(tool.records(journal)[0]["case_id"], "step/own/tp1.dp1.mb1.seq16.fp32")
        self.expect(stepmark(*command, "--resume"), tool.OK)
        self.assertEqual(len(tool.records(journal)), 1)
        self.write("mine/w.yaml", tool.OWN_WORKLOAD.replace("hidden: 64", "hidden: 32"))
        self.expect(stepmark(*command, "--resume"), tool.USAGE)

    @tool.once_per_machine
    def test_remarks_are_kept(self):
        suite = self.write("s.yaml", "suite: s\ndescription: d\nbudget: 1s\ncases:\n"
                           "  - family: collective\n    collectives: [all_reduce]\n    sizes: [1, 4]\n"
                           "  - family: kernel\n    ops: [gemm]\n    max_gflop: 0.31\n    max_bytes: 4MiB\n")
        journal = self.path("run.smk")
        result = stepmark("run", "--suite", suite, "--out", journal)
        self.expect(result, tool.NOT_MEASURED, "no element in 1B: dropped")  # collectives need ranks
        remark = "all_reduce fp32 on 1 ranks: no element in 1B: dropped"
        self.assertIn("Remark: " + remark, result.out)
        self.assertIn(remark, tool.read_lines(journal)[0]["config"]["remarks"])
        self.assertFalse([r for r in tool.records(journal) if "/1B/" in r["case_id"]])

    def test_workload_with_trace(self):
        result = stepmark("run", "--workload", "tiny", "--plan", "layers=1,seq=16,micro_batch=1",
                          "--budget", "1s", "--trace", "traces", "--out", "w.smk", cwd=self.folder)
        self.expect(result, tool.OK)
        traces = glob.glob(self.path("traces/*"))
        self.assertEqual(len(traces), 1)
        with open(traces[0], encoding="utf-8") as file:
            self.assertTrue(json.load(file))


    @tool.once_per_machine
    def test_the_record_says_what_the_optimizer_did(self):
        plan = "layers=2,seq=16,micro_batch=1,bucket_mib=1,clip=0"
        for overlap, form in (("on", "overlapped"), ("off", "serial"), ("auto", None)):
            result = stepmark("run", "--workload", "tiny", "--plan", f"{plan},optimizer_overlap={overlap}",
                              "--budget", "2s", "--out", f"{overlap}.smk", cwd=self.folder)
            self.expect(result, tool.OK)
            record, = tool.records(self.path(f"{overlap}.smk"))
            texts, numbers = dict(record["texts"]), dict(record["numbers"])
            self.assertEqual(texts["gradient_norm"], "not computed: nothing uses it")
            self.assertNotIn("gradient_norm", numbers)
            self.assertIn("optimizer_overlapped_s", numbers)
            if form:
                self.assertEqual((texts["optimizer_form"], texts["optimizer_choice"]), (form, "as the plan says"))
            else:
                self.assertRegex(texts["optimizer_choice"], "^(not )?tried: ")
            streams = {span[1] for span in record["timeline"]}
            self.assertEqual("optimizer-low" in streams, texts["optimizer_form"] == "overlapped")
            self.assertNotIn("norm.range0", {span[2] for span in record["timeline"]})


class Journals(tool.ToolTest):
    """Two runs are made for all tests; each works on copies."""

    @classmethod
    def setUpClass(cls):
        cls.options = ["run", "--workload", "tiny", "--plan", "layers=1,seq=16,micro_batch=1",
                       "--budget", "1s", "--out"]
        with tool.tempfile.TemporaryDirectory() as folder:
            texts = []
            for name in ("run.smk", "other.smk"):
                path = os.path.join(folder, name)
                result = stepmark(*cls.options, path)
                assert result.code == tool.OK, str(result)
                with open(path, encoding="utf-8") as file:
                    texts.append(file.read())
            cls.text, cls.other = texts

    def test_report(self):
        journal = self.write("run.smk", self.text)
        self.assertIn("tokens/s", stepmark("report", journal).out)
        result = stepmark("report", journal, "--html", self.path("r.html"), "--csv",
                          self.path("r.csv"), "--json")
        self.expect(result, tool.OK)
        self.assertEqual(len(json.loads(result.out)), 1)
        for name, text in (("r.html", "<html"), ("r.csv", "tokens_per_s")):
            with open(self.path(name), encoding="utf-8") as file:
                self.assertIn(text, file.read())
        for option in ("--html", "--csv"):
            result = stepmark("report", journal, option, self.path("none/out"))
            self.assertIn(result.code, (tool.USAGE, tool.ENVIRONMENT), str(result))
            self.assertIn("cannot write", result.err)

    def test_compare(self):
        journal = self.write("run.smk", self.text)
        other = self.write("other.smk", self.other)
        result = stepmark("compare", journal, other)
        # Two runs on a busy machine may differ; that they are compared is what counts.
        self.assertIn(result.code, (tool.OK, tool.CHECK_FAILED), str(result))
        closing = " ".join(result.out.split("\n1 case compared: ")[-1].split())
        self.assertIn(f"0 missing, 0 not comparable, 0 skipped. Exit code {result.code}: ", closing)
        value = json.loads(stepmark("compare", journal, other, "--json").out)
        self.assertEqual(value["exit_code"], result.code)
        self.assertEqual(sum(value["sides"][0]["counts"].values()), 1)
        self.expect(stepmark("compare", journal), tool.USAGE)
        stepmark("compare", journal, other, "--html", self.path("c.html"))
        self.assertGreater(os.path.getsize(self.path("c.html")), 1000)

    def test_the_same_run_is_not_counted_twice(self):
        journal = self.write("run.smk", self.text)
        other = self.write("other.smk", self.other)
        copy = self.write("copy.smk", self.text)
        for arguments in ((journal, journal), (journal, copy), (f"{journal},{copy}", other),
                          (journal, f"{other},{copy}"), (f"{journal},{journal}", f"{other},{other}")):
            result = stepmark("compare", *arguments)
            self.expect(result, tool.USAGE, "run_id")
            self.assertEqual(result.out, "")
        self.expect(stepmark("compare", f"{journal},{copy}", other), tool.USAGE,
                    "run.smk and ", "copy.smk are the same run on one side")
        # Copies that were resumed separately share what was measured before.
        self.expect(stepmark(*self.options, copy, "--resume"), tool.OK)
        self.expect(stepmark("compare", f"{journal},{copy}", other), tool.USAGE, "copy.smk")

    def test_compare_is_not_green_without_a_result(self):
        journal = self.write("run.smk", self.text)
        empty = self.write("empty.smk", self.other.splitlines(keepends=True)[0])
        for option in ([], ["--allow-missing"]):  # nothing at all is compared
            result = stepmark("compare", journal, empty, *option)
            self.expect(result, tool.NOT_MEASURED)
            self.assertIn("0 cases compared", result.out)
            self.assertIn("1 missing", result.out)
            self.assertIn("Exit code 3: nothing was compared.", result.out)

    def test_existing_journal(self):
        journal = self.write("run.smk", self.text)
        self.expect(stepmark(*self.options, journal), tool.USAGE, "exists already")
        with open(journal, encoding="utf-8") as file:
            self.assertEqual(file.read(), self.text)

    def test_resume_of_a_complete_run_measures_nothing(self):
        journal = self.write("run.smk", self.text)
        self.expect(stepmark(*self.options, journal, "--resume"), tool.OK)
        self.assertEqual(len(tool.records(journal)), 1)

    def test_resume_refuses_another_run(self):
        journal = self.write("run.smk", self.text)
        other = [word.replace("seq=16", "seq=32") for word in self.options]
        self.expect(stepmark(*other, journal, "--resume"), tool.USAGE,
                    "plan = 'layers=1,seq=16,micro_batch=1', now it is 'layers=1,seq=32,micro_batch=1'")
        with open(journal, encoding="utf-8") as file:
            self.assertEqual(file.read(), self.text)

    @tool.once_per_machine
    def test_resume_with_more_time(self):
        lines = self.text.splitlines(keepends=True)
        journal = self.write("run.smk", lines[0])
        more = [{"1s": "2s"}.get(word, word) for word in self.options]
        self.expect(stepmark(*more, journal, "--resume", "--precision", "3%", "--case-deadline", "99"),
                    tool.OK)
        self.assertEqual(len(tool.records(journal)), 1)

    def test_truncated_last_line(self):
        lines = self.text.splitlines(keepends=True)
        journal = self.write("run.smk", lines[0] + lines[1][: len(lines[1]) // 2])
        self.expect(stepmark("report", journal), tool.OK, "incomplete last line")
        self.expect(stepmark(*self.options, journal, "--resume"), tool.OK)
        self.assertEqual([r["outcome"] for r in tool.records(journal)], ["ok"])

    def test_corrupt_in_the_middle(self):
        lines = self.text.splitlines(keepends=True)
        text = lines[0] + lines[1][:100] + "\n" + "".join(lines[2:])
        journal = self.write("run.smk", text)
        for command in (["report", journal], ["compare", journal, journal],
                        [*self.options, journal, "--resume"]):
            self.expect(stepmark(*command), tool.USAGE, "run.smk:2")
        with open(journal, encoding="utf-8") as file:
            self.assertEqual(file.read(), text)

    def test_other_schema_version(self):
        journal = self.write("run.smk", self.text.replace('"schema_version":2', '"schema_version":99'))
        self.expect(stepmark("report", journal), tool.USAGE, "99")

    def test_cut_first_line(self):
        text = self.text[:200]
        journal = self.write("run.smk", text)
        for command in (["report", journal], ["compare", journal, journal],
                        [*self.options, journal, "--resume"]):
            self.expect(stepmark(*command), tool.USAGE, "run.smk:1: the first line is cut off",
                        "nothing was measured", "another --out")
        with open(journal, encoding="utf-8") as file:
            self.assertEqual(file.read(), text)

    def test_damaged_journal(self):
        lines = self.text.splitlines(keepends=True)
        place = lines[1].index('"values":[0.') + len('"values":[0.')
        lines[1] = lines[1][:place] + str((int(lines[1][place]) + 1) % 10) + lines[1][place + 1:]
        text = "".join(lines)
        journal = self.write("run.smk", text)
        other = self.write("other.smk", self.other)
        for command in (["report", journal], ["compare", other, journal],
                        [*self.options, journal, "--resume"]):
            self.expect(stepmark(*command), tool.USAGE, "run.smk:2: damaged", "line 1 is intact",
                        "--accept-damaged")
        with open(journal, encoding="utf-8") as file:
            self.assertEqual(file.read(), text)
        result = stepmark("report", journal, "--accept-damaged")
        self.expect(result, tool.OK, "line 2: damaged")
        self.assertIn("DAMAGED JOURNAL", result.out)
        self.assertIn("damaged: line 2", result.out)
        result = stepmark("report", journal, "--accept-damaged", "--json", "--csv", self.path("r.csv"),
                          "--html", self.path("r.html"))
        value = json.loads(result.out)[0]
        self.assertEqual((value["integrity"], value["damaged_lines"]), ("damaged", [2]))
        self.assertIn("damaged: line 2", value["records"][0]["labels"])
        for name in ("r.csv", "r.html"):
            with open(self.path(name), encoding="utf-8") as file:
                self.assertIn("damaged: line 2", file.read())
        result = stepmark("compare", other, journal, "--accept-damaged")
        self.assertIn("line 2: damaged", result.out)
        self.assertNotEqual(result.code, tool.USAGE, str(result))

    @tool.once_per_machine
    def test_candidate_that_failed_its_check(self):
        lines = [json.loads(line) for line in self.other.splitlines()]
        lines[1]["checks"][0]["passed"] = False
        other = self.write("other.smk", tool.journal_text(lines))
        result = stepmark("compare", self.write("run.smk", self.text), other, "--allow-missing")
        self.expect(result, tool.CHECK_FAILED)
        self.assertIn("1 failed", result.out)
        self.assertIn("Exit code 1: failed cases.", result.out)

    def test_deep_config(self):
        lines = self.text.splitlines(keepends=True)
        for depth in (40000, 400000):
            first = json.loads(lines[0])
            first.update(schema_version=1, config="CONFIG")
            del first["chain"]
            text = json.dumps(first).replace('"CONFIG"', "[" * depth + "]" * depth) + "\n"
            deep = self.write("deep.smk", text)
            for command in (["compare", deep, self.write("run.smk", self.text)], ["report", deep]):
                self.expect(stepmark(*command), tool.USAGE, "deep.smk:1: ", f"nested {depth + 1} levels")

    def test_folder_instead_of_a_journal(self):
        self.write("run.smk", self.text)
        for command in (["report", self.folder], ["compare", self.folder, self.path("run.smk")]):
            self.expect(stepmark(*command), tool.USAGE, "is a directory, expected a journal", "run.smk)")
        for option in ([], ["--resume"]):
            result = stepmark(*self.options, self.folder, *option)
            self.expect(result, tool.USAGE, "it is a directory")
            self.assertNotIn("no journal", result.err)
        for command in (["run", "--suite", self.folder], ["run", "--workload", self.folder],
                        ["run", "--workload", "tiny", "--cluster", self.folder],
                        ["plan", "--workload", self.folder],
                        ["plan", "--workload", "tiny", "--cluster", self.folder],
                        ["list", "cases", "--suite", self.folder]):
            self.expect(stepmark(*command, cwd=self.folder), tool.USAGE, "is a directory")

    def test_empty_file(self):
        journal = self.write("run.smk", "")
        self.expect(stepmark("report", journal), tool.USAGE, "run.smk")
        self.expect(stepmark(*self.options, journal), tool.OK)  # nothing to lose


@tool.needs_mpi
class Together(tool.ToolTest):
    def test_two_ranks_measure_everything(self):
        suite = self.write("small.yaml", tool.SMALL_SUITE)
        journal = self.path("run.smk")
        result = stepmark("run", "--suite", suite, "--out", journal, "--trace", self.path("t"), ranks=2)
        self.expect(result, tool.OK)
        records = tool.records(journal)
        self.assertEqual({r["family"] for r in records}, {"step", "collective", "kernel"})
        for record in records:
            self.assertEqual(record["outcome"], "ok", record["reason"])
            self.assertGreater(len(record["checks"]), 0)
            self.assertTrue(all(check["passed"] for check in record["checks"]))
        self.assertEqual(len(os.listdir(self.path("t"))), 1)
        self.assertIn("cases measured", result.out)

    @tool.once_per_machine
    def test_a_pipeline_has_its_loss_on_the_last_rank(self):
        for plan, messages in (("pp=2,schedule=zb-h1,accumulation=2", 2),
                               ("pp=2,schedule=interleaved,chunks=2,accumulation=2", 6)):
            journal = self.path(plan + ".smk")
            result = stepmark("run", "--workload", "tiny", "--plan", plan + ",layers=4", "--budget", "2s",
                              "--out", journal, ranks=2)
            self.expect(result, tool.OK)
            record, = tool.records(journal)
            self.assertEqual(record["outcome"], "ok", record["reason"])
            self.assertIn("loss and gradients against one rank", {c["name"] for c in record["checks"]})
            self.assertTrue(all(check["passed"] for check in record["checks"]))
            numbers = dict(record["numbers"])
            self.assertAlmostEqual(numbers["first_loss"], math.log(4096), delta=0.5)
            # Of the rank that sends most: activations or gradients of 4 x 64 tokens, 256 wide.
            self.assertEqual(numbers["bus_bytes_pp"], messages * 4 * 64 * 256 * 4)
            self.assertTrue({"exposed pp", "waiting pp"} & {part["name"] for part in record["split"]})
            self.assertEqual(numbers["clock_error_s"], 0)  # one host
            self.assertIn(numbers.get("waited_for_rank", 0), (0, 1))
            self.assertIn("waiting", {metric["name"] for metric in record["metrics"]})

    def test_a_step_without_a_part(self):
        journal = self.path("run.smk")
        result = stepmark("run", "--workload", "tiny", "--plan", "layers=1,seq=16", "--ablate", "all", "--budget", "4s",
                          "--out", journal, ranks=2)
        self.expect(result, tool.OK)
        self.assertIn("Without a part", result.out)
        step, ablation, compute = tool.records(journal)
        self.assertEqual((step["family"], ablation["family"]), ("step", "ablation"))
        self.assertEqual(ablation["case_id"], step["case_id"].replace("step/", "ablation/") + "/dp")
        self.assertEqual(compute["case_id"], step["case_id"].replace("step/", "ablation/") + "/compute")
        self.assertTrue(all(check["passed"] for one in (ablation, compute) for check in one["checks"]))
        series = {one["name"]: one["values"] for one in ablation["series"]}
        for whole, without, saved in zip(series["time_s"], series["without_s"], series["saved_s"]):
            self.assertAlmostEqual(saved, whole - without, places=12)
        values = {metric["name"]: metric["value"] for metric in ablation["metrics"]}
        self.assertGreater(values["exposed"], 0)
        self.assertAlmostEqual(values["saved_share"], values["saved"] / values["step"])
        self.expect(stepmark("report", journal, "--html", self.path("r.html")), tool.OK)
        # One rank has nothing to leave out, which is said; the step is measured.
        alone = stepmark("run", "--workload", "tiny", "--plan", "layers=1,seq=16", "--ablate", "tp", "--budget", "1s",
                         "--out", self.path("alone.smk"))
        self.expect(alone, tool.OK, "no tp to leave out of tiny/")
        result = stepmark("run", "--suite", "gpu-kernels", "--ablate", "tp", "--out", self.path("none.smk"))
        self.expect(result, tool.USAGE, "--ablate leaves parts out of steps, and suite 'gpu-kernels' has none")

    def test_work_at_the_same_time(self):
        suite = self.write("concurrent.yaml", tool.CONCURRENT_SUITE)
        journal = self.path("run.smk")
        result = stepmark("run", "--suite", suite, "--out", journal, ranks=4)
        self.expect(result, tool.NOT_MEASURED)
        groups, overlap, limited = tool.records(journal)
        for record in (groups, overlap):
            self.assertEqual(record["outcome"], "ok", record["reason"])
            self.assertTrue(all(check["passed"] for check in record["checks"]))
        metrics = {m["name"]: m["value"] for m in groups["metrics"]}
        for axis in ("tp", "dp"):
            self.assertGreater(metrics[axis + "_slowdown"], 0)
            self.assertGreater(metrics[axis + "_busbw_together"], 0)
        self.assertIn("overlap_efficiency", {m["name"] for m in overlap["metrics"]})
        self.assertEqual(limited["outcome"], "skipped")
        self.assertIn("CTA limit 4 requested, not applied", limited["reason"])
        self.assertIn("tp all_red", result.out)
        self.assertIn("Overlap with GEMMs fp32 64x64x64", result.out)
        self.expect(stepmark("report", journal, "--html", self.path("r.html")), tool.OK)

    @tool.once_per_machine
    def test_one_voice(self):
        for arguments, text in (
                (["--plan", "tp=2"], "--plan needs --workload"),
                (["--suite", "quikc"], "did you mean 'quick'"),
                (["--sute", "quick"], "did you mean '--suite'"),
                (["--backend", "hots"], "no 'hots'"),
                (["--workload", "tiny", "--plan", "tp=8"], "needs 8 ranks"),
                (["--workload", "tiny", "--out", "/proc/x.smk"], "cannot write")):
            result = stepmark("run", *arguments, ranks=4, cwd=self.folder)
            self.expect(result, tool.USAGE, text)
            errors = [line for line in result.err.splitlines() if "error: " in line]
            self.assertEqual(len(errors), 1, str(result))

    def test_world_size_must_match(self):
        result = stepmark("run", "--workload", "tiny", "--plan", "tp=2,dp=2", ranks=3,
                          cwd=self.folder)
        self.expect(result, tool.USAGE, "needs 4 ranks, but the world has 3")

    @tool.once_per_machine
    def test_sharded_state_is_a_case_of_its_own_and_checked(self):
        numbers, checks = {}, {}
        for zero in (0, 1):
            result = stepmark("run", "--workload", "tiny", "--plan",
                              f"layers=1,seq=16,micro_batch=1,bucket_mib=1,zero={zero},precision=bf16", "--budget", "1s",
                              "--out", f"{zero}.smk", ranks=2, cwd=self.folder)
            self.expect(result, tool.OK)
            record, = tool.records(self.path(f"{zero}.smk"))
            self.assertEqual(".zero1." in record["case_id"], zero == 1)
            self.assertTrue(all(check["passed"] for check in record["checks"]))
            numbers[zero] = dict(record["numbers"])
            checks[zero] = {check["name"] for check in record["checks"]}
        added = {"replicas", "replicas after timing", "padding", "padding after timing"}
        self.assertEqual(checks[1] - checks[0], added)
        half = numbers[1]["optimizer_bytes_per_rank"] / numbers[0]["optimizer_bytes_per_rank"]
        self.assertAlmostEqual(half, 0.5, delta=1e-3)
        self.assertLess(numbers[1]["memory_bytes_per_rank"], numbers[0]["memory_bytes_per_rank"])
        result = stepmark("run", "--workload", "tiny", "--plan",
                          "layers=2,seq=16,micro_batch=1,zero=3,accumulation=2", "--budget", "1s",
                          "--out", "3.smk", ranks=2, cwd=self.folder)
        self.expect(result, tool.OK)
        record, = tool.records(self.path("3.smk"))
        self.assertIn(".zero3.", record["case_id"])
        self.assertTrue(all(check["passed"] for check in record["checks"]))
        # No two ranks hold the same parameters.
        self.assertEqual({check["name"] for check in record["checks"]} & added, {"padding", "padding after timing"})
        # Gradients in fp32 once rather than twice, and parameters in bf16.
        self.assertAlmostEqual(numbers[1]["bus_bytes_dp"] / numbers[0]["bus_bytes_dp"], 6 / 8, delta=1e-3)


if __name__ == "__main__":
    tool.main()
