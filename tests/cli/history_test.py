# SPDX-License-Identifier: Apache-2.0
"""Runs over time: history add, list, and what it refuses."""

import json
import os
import sqlite3
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import stepmark_tool as tool  # noqa: E402
from made_runs import make_run  # noqa: E402
from stepmark_tool import stepmark  # noqa: E402


class History(tool.ToolTest):
    def setUp(self):
        super().setUp()
        self.db = self.path("history.db")

    def run_of(self, night, name=None, **options):
        return self.write(name or f"night{night}.smk", tool.journal_text(make_run(night, **options)))

    def add(self, *files, code=tool.OK, texts=(), options=()):
        self.expect(stepmark("history", "add", *files, "--db", self.db, *options), code, *texts)

    def runs(self, *options):
        result = stepmark("history", "list", "--db", self.db, "--json", *options)
        self.expect(result, tool.OK)
        return json.loads(result.out)

    def rows(self, sql):
        connection = sqlite3.connect(self.db)
        try:
            return connection.execute(sql).fetchall()
        finally:
            connection.close()

    def test_runs_are_kept_in_the_order_of_time(self):
        self.add(self.run_of(2), self.run_of(1), texts=["run night-2 added: 4 cases, 4 with a time that counts"])
        self.assertEqual([run["run_id"] for run in self.runs()], ["night-1", "night-2"])
        self.assertEqual([run["run_id"] for run in self.runs("--last", "1")], ["night-2"])
        self.assertEqual(self.runs()[0]["line"], {"suite": "nightly", "place": "node1", "backend": "host", "ranks": 2,
                                                  "provenance": "measured"})
        text = stepmark("history", "list", "--db", self.db).out
        self.assertIn("nightly on node1, host, 2 ranks", text)
        self.assertIn("4 of 4", text)
        # Of each case its median, interval and count of samples, as the report has them.
        run, = json.loads(stepmark("report", "--json", self.path("night1.smk")).out)
        for record in run["records"]:
            time, = (one for one in record["summaries"] if one["series"] == "time_s")
            (row,) = self.rows("SELECT family, unit, median, lower, upper, samples FROM point JOIN series ON "
                               "series.id = series JOIN run ON run.id = run WHERE run_id = 'night-1' AND "
                               f"case_id = '{record['case_id']}'")
            self.assertEqual(row, (record["family"], "s", time["median"], time["lower"], time["upper"], time["count"]))

    def test_a_run_is_added_once(self):
        file = self.run_of(1)
        self.add(file)
        before = self.rows("SELECT * FROM point")
        self.add(file, texts=["run night-1 is in the history already: nothing added"])
        self.assertEqual(self.rows("SELECT * FROM point"), before)
        # The same id with other figures, and the same figures under another id.
        self.add(self.run_of(1, name="other.smk", factor=1.5), code=tool.USAGE, texts=["another median"])
        self.add(self.run_of(1, name="copy.smk", run_id="other"), code=tool.USAGE, texts=["it is a copy"])
        self.assertEqual(self.rows("SELECT * FROM point"), before)
        self.assertEqual(len(self.runs()), 1)

    def test_a_journal_that_grew_is_completed(self):
        whole = make_run(1)
        self.add(self.write("part.smk", tool.journal_text(whole[:3])), texts=["2 cases"])
        self.assertFalse(self.runs()[0]["ended"])
        self.add(self.write("whole.smk", tool.journal_text(whole)), texts=["has grown: 2 cases"])
        self.assertEqual((self.runs()[0]["measured"], self.runs()[0]["ended"]), (4, True))

    def test_what_was_not_measured_is_kept_apart(self):
        self.add(self.run_of(1), self.run_of(2, provenance="simulated"))
        self.add(self.run_of(3), options=["--place", "our-cluster"])
        lines = {(run["line"]["place"], run["line"]["provenance"]) for run in self.runs()}
        self.assertEqual(lines, {("node1", "measured"), ("node1", "simulated"), ("our-cluster", "measured")})
        mixed = make_run(4)
        mixed[1]["provenance"] = "projected"
        self.add(self.write("mixed.smk", tool.journal_text(mixed)), code=tool.USAGE, texts=["one provenance"])

    def test_a_failed_case_has_no_time_that_counts(self):
        self.add(self.run_of(1, failed="kernel/gemm"))
        self.assertEqual(self.runs()[0]["measured"], 3)
        self.assertEqual(self.rows("SELECT outcome, counts, remark FROM point WHERE NOT counts"),
                         [("failed", 0, "failed: wrong data")])

    def test_one_bad_journal_does_not_keep_others_out(self):
        bad = self.write("bad.smk", "no journal\n")
        self.add(bad, self.run_of(1), code=tool.USAGE, texts=["bad.smk", "night-1 added"])
        self.assertEqual(len(self.runs()), 1)
        text = tool.journal_text(make_run(2)).replace('"samples"', '"sample5"', 1).replace("0.00", "0.01", 1)
        self.add(self.write("damaged.smk", text), code=tool.USAGE)
        self.assertEqual(len(self.runs()), 1)

    def test_writers_wait_for_each_other(self):
        files = [self.run_of(night) for night in range(8)]
        jobs = [subprocess.Popen([tool.BINARY, "history", "add", file, "--db", self.db], stderr=subprocess.PIPE,
                                 text=True) for file in files]
        for job in jobs:
            _, said = job.communicate(timeout=tool.TIMEOUT_S)
            self.assertEqual(job.returncode, 0, said)
        self.assertEqual([run["run_id"] for run in self.runs()], [f"night-{night}" for night in range(8)])
        self.assertEqual(self.rows("SELECT COUNT(*) FROM point"), [(32,)])

    def test_files_that_are_no_history(self):
        def refused(*texts, code=tool.USAGE):
            self.expect(stepmark("history", "list", "--db", self.db), code, *texts)

        refused("there is no such history", "history add")
        self.write("history.db", "text that is no database, and long enough to be looked at " * 20)
        refused("no history: not a SQLite database")
        os.remove(self.db)
        connection = sqlite3.connect(self.db)
        connection.execute("CREATE TABLE other(x)")
        connection.commit()
        connection.close()
        refused("of another program")
        os.remove(self.db)
        self.add(self.run_of(1))
        connection = sqlite3.connect(self.db)
        connection.execute("PRAGMA user_version = 999")
        connection.close()
        refused("has version 999", "newer stepmark")
        connection = sqlite3.connect(self.db)
        connection.execute("PRAGMA user_version = 2")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.close()
        with open(self.db, "r+b") as file:
            file.seek(4096)
            file.write(b"\xff" * 40000)
        refused("is damaged", "restore a copy")
        self.expect(stepmark("history", "add", self.path("night1.smk"), "--db", "/dev/null/x.db"), tool.ENVIRONMENT)

    def test_words(self):
        self.expect(stepmark("history"), tool.USAGE)
        self.expect(stepmark("history", "lst", "--db", "x"), tool.USAGE, "did you mean 'list'")
        self.expect(stepmark("history", "add", "x.smk"), tool.USAGE, "--db is required")
        self.add(self.run_of(1), options=["--time", "yesterday"], code=tool.USAGE, texts=["expected a time as"])
        self.assertIn("Add journals", stepmark("history", "--help").out)
        self.assertIn("--place", stepmark("completion", "bash").out)


if __name__ == "__main__":
    tool.main()
