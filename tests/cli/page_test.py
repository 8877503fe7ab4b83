# SPDX-License-Identifier: Apache-2.0
"""What the page shows beside the runs: a history, evidence, sides; and efficiency over sizes in `report`."""

import hashlib
import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import stepmark_tool as tool  # noqa: E402
from made_runs import make_run  # noqa: E402
from stepmark_tool import stepmark  # noqa: E402


class Page(tool.ToolTest):
    def run_of(self, night, **options):
        return self.write(f"n{night}.smk", tool.journal_text(make_run(night, **options)))

    def page(self, *words, code=tool.OK, command="report"):
        out = self.path("page.html")
        self.expect(stepmark(command, *words, "--html", out), code)
        with open(out, encoding="utf-8") as file:
            text = file.read()
        begin = text.index('id="data">') + len('id="data">')
        return json.loads(text[begin:text.index("</script>", begin)])

    def test_evidence_of_every_run(self):
        file = self.run_of(1)
        with open(file, "rb") as journal:
            content = journal.read()
        evidence = self.page(file)["runs"][0]["evidence"]
        self.assertEqual(evidence["sha256"], hashlib.sha256(content).hexdigest())
        self.assertTrue(content.endswith(f'"chain":"{evidence["chain"]}"}}\n'.encode()))
        self.assertEqual((evidence["lines"], evidence["bytes"]), (content.count(b"\n"), len(content)))
        self.assertEqual(evidence["signatures"], [])
        self.assertIn("no bundle was given", evidence["note"])

    def test_a_bundle_vouches_for_the_journals_that_it_holds(self):
        file, other, key, bundle = self.run_of(1), self.run_of(2), self.path("key"), self.path("b.tar")
        self.expect(stepmark("seal", "--new-key", key), tool.OK)
        self.expect(stepmark("seal", file, "--no-redact", "--key", key, "--out", bundle), tool.OK)
        signed, unsigned = (run["evidence"] for run in self.page(file, other, "--evidence", bundle)["runs"])
        self.assertEqual(len(signed["signatures"]), 1)
        self.assertIn("b.tar, which verifies", signed["note"])
        self.assertEqual(unsigned["signatures"], [])
        self.assertIn("none of the bundles", unsigned["note"])
        # A longer journal of the same run is not what was signed.
        lines = make_run(1)
        grown = self.write("grown.smk", tool.journal_text(lines + [lines[-1]]))
        self.assertIn("other lines", self.page(grown, "--evidence", bundle)["runs"][0]["evidence"]["note"])
        # One changed byte, and nobody vouches for anything.
        with open(bundle, "rb") as file_of:
            content = bytearray(file_of.read())
        at = content.index(b'"mad"')
        content[at + 1] ^= 1
        with open(bundle, "wb") as file_of:
            file_of.write(content)
        evidence = self.page(file, "--evidence", bundle)["runs"][0]["evidence"]
        self.assertEqual(evidence["signatures"], [])
        self.assertIn("does not verify", evidence["note"])
        self.expect(stepmark("report", file, "--html", self.path("p.html"), "--evidence", file), tool.USAGE,
                    "no evidence bundle")

    def test_a_history_with_its_changes(self):
        db = self.path("history.db")
        files = [self.run_of(night, factors=[("kernel/", 1.1 if night >= 20 else 1)]) for night in range(32)]
        self.expect(stepmark("history", "add", *files, "--db", db, "--place", "c"), tool.OK)
        self.expect(stepmark("history", "annotate", "night-20", "new driver", "--db", db), tool.OK)
        for command in ("report", "compare"):
            history = self.page(files[0], files[31], "--history", db, command=command)["history"]
            line, = history["lines"]
            changed = [one["case_id"] for one in line["series"] if one["changes"]]
            self.assertEqual(changed, ["kernel/gemm"])
            self.assertEqual(line["series"][0]["changes"][0]["run"], 20)
            self.assertEqual(line["notes"], [{"run": 20, "when": line["runs"][20][1], "text": "new driver"}])
            self.assertIn("ALARM 1", history["events"][0]["words"])
        self.expect(stepmark("report", files[0], "--history", db), tool.USAGE, "--html")
        self.expect(stepmark("report", files[0], "--html", self.path("p.html"), "--history", self.path("none.db")), tool.USAGE)

    def test_sides_of_several_runs_are_owners(self):
        files = [self.run_of(night) for night in range(4)]
        runs = self.page(",".join(files[:2]), ",".join(files[2:]), command="compare")["runs"]
        self.assertEqual([run["owner"] for run in runs], ["baseline", "baseline", "candidate", "candidate"])
        self.assertEqual({run["owner"] for run in self.page(*files)["runs"]}, {""})

    def test_efficiency_over_sizes(self):
        def at(night, gpus, seconds):
            lines = make_run(night)
            for line in lines:
                if line.get("family") == "step":
                    line["numbers"] = {"tokens_per_step": 512.0 * gpus, "gpus": gpus, "ranks": gpus}
                    line["series"][0]["values"] = [seconds] * 12
            return self.write(f"{gpus}.smk", tool.journal_text(lines))

        files = [at(1, 2, 0.05), at(2, 8, 0.0625)]
        result = stepmark("report", *files)
        self.expect(result, tool.OK)
        self.assertIn("Scaling (weak), tiny: base 2", result.out)
        self.assertIn("80.0 %", result.out)
        self.assertNotIn("Scaling", stepmark("report", files[0]).out)
        series, = self.page(*files)["scaling"]
        self.assertEqual([one["gpus"] for one in series["sizes"]], [2, 8])
        self.assertAlmostEqual(series["sizes"][1]["efficiency"]["value"], 0.8)


if __name__ == "__main__":
    tool.main()
