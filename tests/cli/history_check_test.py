# SPDX-License-Identifier: Apache-2.0
"""Alarms of a history: history check, annotate, acknowledge, export, compact, and scripts/nightly."""

import contextlib
import csv
import io
import json
import os
import re
import sqlite3
import stat
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import stepmark_tool as tool  # noqa: E402
from made_runs import make_run  # noqa: E402
from stepmark_tool import stepmark  # noqa: E402

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
TWO_HOSTS = "node1 x2, node2 x2"


class HistoryCheck(tool.ToolTest):
    def setUp(self):
        super().setUp()
        self.db = self.path("history.db")

    def add(self, nights, **options):
        files = [self.write(f"n{night}-{options.get('suite', '')}.smk", tool.journal_text(make_run(night, **options)))
                 for night in nights]
        self.expect(stepmark("history", "add", *files, "--db", self.db, "--place", "c"), tool.OK)

    def history(self, *words, code=tool.OK, texts=()):
        result = stepmark("history", words[0], *words[1:], "--db", self.db)
        self.expect(result, code, *texts)
        return result

    def check(self, code, *words):
        return json.loads(self.history("check", "--json", *words, code=code).out)

    def slower_from(self, night, beginning, **options):
        self.add(range(night), **options)
        self.add(range(night, night + 12), factors=[(beginning, 1.1)], **{"driver": "560.2", **options})

    def test_an_alarm_says_since_when_what_where_and_why(self):
        self.slower_from(20, "kernel/")
        result = self.check(tool.CHECK_FAILED)
        event, = result["events"]
        self.assertTrue(event["is_alarm"])
        self.assertEqual((event["first_run"], event["last_run"]), ("night-20", "night-19"))
        case, = event["cases"]
        self.assertEqual(case["case_id"], "kernel/gemm")
        self.assertLess(case["lower"], 1.1)
        self.assertGreater(case["upper"], 1.1)
        self.assertGreater(case["lower"], 1.08)
        self.assertEqual(event["layer"], "kernel")
        self.assertEqual(event["differences"][0], {"section": "software", "name": "driver", "before": "550.1",
                                                   "after": "560.2", "fingerprint": True})
        text = self.history("check", code=tool.CHECK_FAILED).out
        for words in ("ALARM 1: slower since run night-20", "last before it night-19", "probable layer: kernel",
                      "software driver: 550.1 -> 560.2", "kernel/gemm", "exit code 1"):
            self.assertIn(words, " ".join(text.split()))

    def test_the_layer_follows_from_what_moved(self):
        for place, (beginning, layer) in enumerate((("collective/all_reduce/16", "scale-out"), ("collective/", "scale-up"),
                                                    ("step/", "host"), ("", "host"))):
            self.slower_from(18, beginning, hosts=TWO_HOSTS, suite=f"s{place}")
            alarms = {one["line"]["suite"]: one["layer"] for one in self.check(tool.CHECK_FAILED)["events"]}
            self.assertEqual(alarms[f"s{place}"], layer, beginning)

    def test_adding_looks_at_what_it_adds(self):
        """So that the check that follows has nothing left to look at, however many runs were added."""
        self.slower_from(16, "kernel/")
        with contextlib.closing(sqlite3.connect(self.db)) as connection:
            series, scanned, up_to_date, changes = connection.execute(
                "SELECT (SELECT COUNT(*) FROM series), (SELECT COUNT(*) FROM scan), "
                "(SELECT MIN(at) FROM scan) = (SELECT MAX(at) FROM run), (SELECT COUNT(*) FROM change)").fetchone()
        self.assertGreater(series, 0)
        self.assertEqual((scanned, up_to_date, changes), (series, 1, 1))
        result = self.check(tool.CHECK_FAILED)
        self.assertEqual(result["new_points"], 0)
        self.assertEqual(len(result["events"]), 1)

    def test_night_by_night_finds_what_all_at_once_finds(self):
        self.slower_from(16, "kernel/")
        at_once = self.check(tool.CHECK_FAILED)
        self.db = self.path("second.db")
        codes = []
        for night in range(28):
            factors = [("kernel/", 1.1)] if night >= 16 else []
            self.add([night], factors=factors, driver="560.2" if night >= 16 else "550.1")
            codes.append(stepmark("history", "check", "--db", self.db).code)
        self.assertEqual(codes[:20], [0] * 20)  # no alarm before five bad nights
        self.assertEqual(codes[-1], 1)
        result = self.check(tool.CHECK_FAILED)
        self.assertEqual(result["new_points"], 0)
        self.assertEqual(result["events"], at_once["events"])
        # A night that comes late belongs where it was: nothing is found twice or at another run.
        self.db = self.path("third.db")
        self.add(range(10))
        self.add(range(16, 28), factors=[("kernel/", 1.1)], driver="560.2")
        stepmark("history", "check", "--db", self.db)
        self.add(range(10, 16))
        self.assertEqual([one["first_run"] for one in self.check(tool.CHECK_FAILED)["events"]], ["night-16"])

    def test_an_acknowledged_alarm_is_silent_and_remembered(self):
        self.slower_from(20, "kernel/")
        self.check(tool.CHECK_FAILED)
        self.history("acknowledge", "1", "--note", "new driver")
        result = self.check(tool.OK)
        self.assertEqual(result["events"][0]["note"], "new driver")
        self.assertIn("0 alarms; 1 acknowledged", self.history("check").out)
        self.assertIn("new driver", self.history("check", "--all").out)
        # Other options start the scan again; the alarm is the same one. The next event alarms.
        self.check(tool.OK, "--least-effect", "2%")
        self.add(range(32, 44), factors=[("kernel/", 1.1), ("collective/", 1.2)], driver="560.2")
        events = self.check(tool.CHECK_FAILED)["events"]
        self.assertEqual([one["first_run"] for one in events if one["is_alarm"]], ["night-32"])
        self.history("acknowledge", "--all")
        self.check(tool.OK)
        self.history("acknowledge", "1", "--undo")
        self.check(tool.CHECK_FAILED)
        self.history("acknowledge", "99", code=tool.USAGE, texts=["there is no alarm 99"])
        self.history("acknowledge", code=tool.USAGE, texts=["name the alarms"])

    def test_what_recovered_is_no_alarm(self):
        self.slower_from(16, "kernel/")
        self.check(tool.CHECK_FAILED)
        self.add(range(28, 44))
        events = self.check(tool.OK)["events"]
        self.assertEqual({(one["direction"], one["recovered"]) for one in events}, {("slower", True), ("faster", False)})

    def test_a_case_that_is_no_longer_measured_is_no_silence(self):
        self.add(range(6))
        self.add([6], failed="step/tiny")
        lost, = self.check(tool.NOT_MEASURED)["lost"]
        self.assertEqual((lost["case_id"], lost["last_run"], lost["reason"]), ("step/tiny", "night-5", "failed: wrong data"))
        self.assertIn("step/tiny", self.history("check", code=tool.NOT_MEASURED).out)
        self.add([7])
        self.check(tool.OK)

    def test_annotations_stand_with_the_alarm(self):
        self.slower_from(20, "kernel/")
        self.history("annotate", "night-20", "new driver")
        self.history("annotate", "2026-01-21", "switch replaced")
        self.history("annotate", "2025-06-01", "long ago")
        event, = self.check(tool.CHECK_FAILED)["events"]
        self.assertEqual([one["text"] for one in event["annotations"]], ["switch replaced", "new driver"])
        self.assertIn("new driver", self.history("check", code=tool.CHECK_FAILED).out)
        self.history("annotate", "night-99", "x", code=tool.USAGE, texts=["there is no run 'night-99'"])

    def test_openmetrics_is_what_the_format_wants(self):
        self.add(range(3), suite='odd "suite"\\')
        for words, times in ((), False), (("--all",), True):
            text = self.history("export", *words).out
            self.assertTrue(text.endswith("# EOF\n"))
            family, seen, last = None, set(), {}
            for line in text.splitlines()[:-1]:
                if line.startswith("# "):
                    _, kind, name = line.split(" ")[:3]
                    if kind == "TYPE":
                        self.assertNotIn(name, seen)  # no family twice
                        seen.add(name)
                        family = name
                    self.assertEqual(name, family)
                    if kind == "UNIT":
                        self.assertTrue(name.endswith("_" + line.split(" ")[3]))
                    continue
                match = re.fullmatch(r'([a-z_]+)\{((?:[a-z]+="(?:[^"\\\n]|\\["\\n])*",?)+)\} (\S+)(?: (\d+))?', line)
                self.assertTrue(match, line)
                self.assertEqual(match[1], family)
                float(match[3])
                if times and match[4]:
                    self.assertLess(last.get(match[1] + match[2], -1), int(match[4]))
                    last[match[1] + match[2]] = int(match[4])
                self.assertIn('suite="odd \\"suite\\"\\\\"', line)
            self.assertEqual(len(re.findall(r"^stepmark_case_time_seconds\{", text, re.M)), 12 if times else 4)
            self.assertRegex(text, r"stepmark_alarms\{.*\} 0\n")

    def test_the_dashboard_asks_for_what_is_exported(self):
        self.add(range(2))
        exported = set(re.findall(r"^# TYPE (\S+)", self.history("export").out, re.M))
        with open(os.path.join(ROOT, "docs", "grafana-dashboard.json"), encoding="utf-8") as file:
            dashboard = json.load(file)
        asked = set()
        for panel in dashboard["panels"]:
            for target in panel["targets"]:
                asked.update(re.findall(r"stepmark_\w+", target["expr"]))
        self.assertEqual(asked, exported)

    def test_json_and_csv_have_every_point(self):
        self.add(range(3))
        self.add([3], failed="step/tiny")
        self.history("annotate", "night-1", "a note")
        everything = json.loads(self.history("export", "--format", "json", "--all").out)
        self.assertEqual([len(series["points"]) for series in everything["series"]], [4] * 4)
        self.assertEqual(everything["annotations"][0]["text"], "a note")
        self.assertEqual(len(everything["runs"]), 4)
        rows = list(csv.DictReader(io.StringIO(self.history("export", "--format", "csv", "--all").out)))
        self.assertEqual(len(rows), 16)
        self.assertEqual([row["case_id"] for row in rows if row["counts"] == "false"], ["step/tiny"])
        medians = {(series["case_id"], point["run_id"]): point["median"]
                   for series in everything["series"] for point in series["points"]}
        for row in rows:
            median = medians[row["case_id"], row["run_id"]]
            self.assertEqual(float(row["median"]) if row["median"] else None, median)
        self.history("export", "--format", "xml", code=tool.USAGE)

    def test_compacting_keeps_every_median(self):
        self.slower_from(20, "kernel/")
        self.check(tool.CHECK_FAILED)
        connection = sqlite3.connect(self.db)
        self.addCleanup(connection.close)

        def all_of(table):
            return connection.execute(f"SELECT * FROM {table}").fetchall()

        points, runs, alarms = all_of("point"), all_of("run"), all_of("alarm")
        before = self.check(tool.CHECK_FAILED)["events"]
        links = len(all_of("run_fact"))
        self.history("compact", "--older-than", "1d", texts=["all medians are there"])
        self.assertEqual((all_of("point"), all_of("run"), all_of("alarm")), (points, runs, alarms))
        self.assertLess(len(all_of("run_fact")), links)
        self.assertEqual(self.check(tool.CHECK_FAILED)["events"], before)  # environments of both sides included

    def test_a_history_of_the_first_version_is_brought_up_to_date(self):
        self.slower_from(20, "kernel/")
        connection = sqlite3.connect(self.db)
        for table in ("scan", "change", "alarm", "annotation"):
            connection.execute(f"DROP TABLE {table}")
        connection.execute("PRAGMA user_version = 1")
        connection.close()
        self.assertEqual(self.check(tool.CHECK_FAILED)["events"][0]["first_run"], "night-20")

    def nightly(self, journal_of, code, *options):
        """scripts/nightly with a program that copies a journal instead of measuring."""
        program = self.write("stepmark", f"""#!/bin/sh
if [ "$1" = run ]; then
  while [ "$1" != --out ]; do shift; done
  cp '{journal_of}' "$2"
  exit ${{RUN_CODE:-0}}
fi
exec '{tool.BINARY}' "$@"
""")
        os.chmod(program, stat.S_IRWXU)
        done = subprocess.run([os.path.join(ROOT, "scripts", "nightly"), "--db", self.db, "--journals",
                               self.path("journals"), "--stepmark", program, *options], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, timeout=tool.TIMEOUT_S)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done

    def test_a_night(self):
        self.add(range(20))
        self.add(range(20, 31), factors=[("kernel/", 1.1)], driver="560.2")
        bad = self.write("bad.smk", tool.journal_text(make_run(31, factors=[("kernel/", 1.1)], driver="560.2")))
        os.makedirs(self.path("journals"))
        old = self.write("journals/old.smk", tool.journal_text(make_run(3)))  # is in the history
        new = self.write("journals/new.smk", "no journal")  # is not, and cannot be
        for one in (old, new):
            os.utime(one, (1, 1))
        prom = self.path("stepmark.prom")
        done = self.nightly(bad, tool.CHECK_FAILED, "--place", "c", "--metrics", prom)
        self.assertIn("ALARM 1", done.stdout)
        self.assertIn("new.smk is kept", done.stderr)
        self.assertFalse(os.path.exists(old))
        self.assertTrue(os.path.exists(new))
        with open(prom, encoding="utf-8") as file:
            self.assertRegex(file.read(), r"stepmark_alarms\{.*\} 1\n")
        self.history("acknowledge", "--all")
        good = self.write("good.smk", tool.journal_text(make_run(32, factors=[("kernel/", 1.1)])))
        self.nightly(good, tool.OK, "--place", "c")
        self.nightly(good, tool.USAGE, "--keep-days", "none")
        self.nightly(self.path("absent.smk"), tool.ENVIRONMENT)
        # A launcher that fails is no alarm: nothing was found to be slower.
        self.nightly(good, tool.ENVIRONMENT, "--", "false")
        self.nightly(good, tool.ENVIRONMENT, "--", "no-such-launcher")


if __name__ == "__main__":
    tool.main()
