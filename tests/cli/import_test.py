# SPDX-License-Identifier: Apache-2.0
"""Other tools' output as journals: import, report, compare."""

import json
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import stepmark_tool as tool  # noqa: E402
from stepmark_tool import stepmark  # noqa: E402

SAMPLES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "samples", "import")
FORMATS = ["nccl-tests", "osu", "google-benchmark", "nvbandwidth", "nvcre", "published"]


def sample(name):
    return os.path.join(SAMPLES, name)


class Import(tool.ToolTest):
    def imported(self, name, *options, code=tool.OK):
        out = self.path(os.path.basename(name) + ".smk")
        self.expect(stepmark("import", name, *options, "--out", out), code)
        return out

    def test_a_log_is_shown_like_a_run(self):
        journal = self.imported(sample("nccl-tests-2.17-all_reduce.log"))
        result = stepmark("report", journal)
        self.expect(result, tool.OK)
        self.assertEqual(result.err, "")  # its figures follow, its hashes fit
        self.assertIn("all_reduce fp32 sum, in-place on 16 ranks", result.out)
        self.assertIn("6 of 6 cases measured; 16 ranks, backend nccl-tests 2.17.6, suite imported", result.out)
        self.assertIn("All cases: imported: no samples", result.out)
        run, = json.loads(stepmark("report", "--json", journal).out)
        self.assertEqual(run["integrity"], "intact")
        self.assertEqual(run["exit_code"], 0)
        source, = run["run"]["config"]["sources"]
        self.assertEqual(source["file"], "nccl-tests-2.17-all_reduce.log")
        self.assertEqual(len(source["blake2b"]), 64)
        self.assertEqual({record["provenance"] for record in run["records"]}, {"imported"})
        page = self.path("page.html")
        self.expect(stepmark("report", journal, "--html", page), tool.OK)
        with open(page, encoding="utf-8") as file:
            self.assertIn("imported: no samples", file.read())

    def test_published_figures_stand_beside_a_run(self):
        listed = stepmark("list", "published")
        self.expect(listed, tool.OK)
        self.assertRegex(listed.out, r"(?m)^h100 +\d+ ")
        journal = self.imported(sample("nccl-tests-2.17-all_reduce.log"))
        page = self.path("page.html")
        result = stepmark("report", journal, "--beside", "published:h100")
        self.expect(result, tool.OK)
        self.assertRegex(result.out, r"all_reduce 16 GiB +AWS, EFA +16 +66.0 ms +488 busbw GB/s")
        self.assertNotIn("all_to_all", result.out)  # the log has none
        self.expect(stepmark("report", journal, "--beside", "published:h100", "--html", page), tool.OK)
        with open(page, encoding="utf-8") as file:
            self.assertIn("nvcre-gcp-tcpxo", file.read())
        both = json.loads(stepmark("report", "--json", journal, "--beside", "published:v100").out)
        self.assertEqual(len(both), 2)
        # Any journal and any log can stand beside as well.
        self.expect(stepmark("report", journal, "--beside", journal), tool.OK)
        self.expect(stepmark("report", journal, "--beside", sample("nvcre.json")), tool.OK)
        wrong = stepmark("report", journal, "--beside", "published:h10")
        self.expect(wrong, tool.USAGE)
        self.assertIn("did you mean 'h100'?", wrong.err)

    def test_two_imports_stand_side_by_side_undecided(self):
        a = self.imported(sample("nccl-tests-2.17-all_reduce.log"))
        with open(sample("nccl-tests-2.17-all_reduce.log"), encoding="utf-8") as file:
            other = self.write("other.log", file.read().replace("  22.56   46.48   87.15", "  45.12   23.24   43.57"))
        b = self.imported(other)
        result = stepmark("compare", a, b, "--json")
        self.expect(result, tool.OK)
        cases = json.loads(result.out)["sides"][0]["cases"]
        self.assertEqual({case["verdict"] for case in cases}, {"undecided"})
        slow = next(case for case in cases if "1MiB/out-of-place" in case["case_id"])
        self.assertAlmostEqual(slow["ratio"], 2)
        self.assertIsNone(slow["lower"])
        # The same log again is the same run, under whatever name.
        again = self.path("again.smk")
        self.expect(stepmark("import", sample("nccl-tests-2.17-all_reduce.log"), "--out", again), tool.OK)
        self.expect(stepmark("compare", a, again), tool.USAGE, "are the same run")

    def test_every_format_is_recognised(self):
        for name, code in (("nccl-tests-v3.json", tool.OK), ("osu-pairs.txt", tool.OK),
                           ("google-benchmark.json", tool.CHECK_FAILED), ("nvbandwidth.txt", tool.OK),
                           ("nvbandwidth.json", tool.CHECK_FAILED), ("nvcre.json", tool.OK)):
            journal = self.imported(sample(name), code=code)
            end = tool.read_lines(journal)[-1]
            self.assertEqual((end["type"], end["exit_code"]), ("end", code), name)
            self.expect(stepmark("report", journal), tool.OK)

    def test_exit_codes_and_words(self):
        with open(sample("nccl-tests-2.17-all_reduce.log"), encoding="utf-8") as file:
            text = file.read()
        cut = self.write("cut.log", text[:text.index("# Out of bounds")])
        result = stepmark("import", cut, "--out", self.path("cut.smk"))
        self.expect(result, tool.NOT_MEASURED, "cut: cut.log")
        self.assertEqual(len(tool.records(self.path("cut.smk"))), 6)
        one = self.path("x.smk")
        for arguments, *texts in (
                ([sample("nccl-tests-singletons.log")], ":1: 4 one-rank runs came instead of one run of 4 ranks"),
                ([self.write("empty", "")], "is empty"),
                ([self.write("notes.txt", "hello\n")], "notes.txt: no output of a tool", *FORMATS),
                (["nccl-tests"], "no file is named"),
                (["ncl-tests", cut], "neither a file nor a format 'ncl-tests'", *FORMATS),
                ([self.path("none.log")], "none.log: cannot open: No such file"),
                ([self.folder], "is a directory"),
                ([cut, "--ranks", "0"], "'0': expected a whole number from 1")):
            result = stepmark("import", *arguments, "--out", one)
            self.expect(result, tool.USAGE, *texts)
            self.assertEqual(len(result.err.strip().splitlines()), 1, str(result))
            self.assertFalse(os.path.exists(one), "left something behind")
        journal = self.imported(sample("nccl-tests-2.17-all_reduce.log"))
        self.expect(stepmark("import", cut, "--out", journal), tool.USAGE, "exists already: choose another --out")
        self.expect(stepmark("import", "osu", sample("osu-collectives.txt"), "--out", self.path("osu.smk")), tool.OK)
        for name in FORMATS:
            self.assertIn(name, stepmark("import", "--help").out)
            self.assertIn(name, stepmark("completion", "bash").out)


if __name__ == "__main__":
    tool.main()
