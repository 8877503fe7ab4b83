# SPDX-License-Identifier: Apache-2.0
"""Bytes from outside that are no UTF-8, or would drive a terminal: variables, arguments, paths, host
names, files. The run goes on, everything written is UTF-8, and what was changed says so."""

import csv
import glob
import json
import os
import shutil
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import stepmark_tool as tool  # noqa: E402

RUN = [b"run", b"--workload", b"tiny", b"--plan", b"layers=1,seq=16,micro_batch=1", b"--budget", b"1s"]
BAD = b"x\xfclog"
SHOWN = "x\\xfclog"


class Bytes:
    """What was printed, as bytes: whether it is UTF-8 is what is tested."""

    def __init__(self, done):
        self.code, self.out, self.err = done.returncode, done.stdout, done.stderr

    def __str__(self):
        return f"exit code {self.code}\nstdout:\n{self.out!r}\nstderr:\n{self.err!r}"


def stepmark(*arguments, variables=None, prefix=(), cwd=None, ranks=0):
    env = {os.fsencode(k): os.fsencode(v) for k, v in tool.environment().items()}
    env.update(variables or {})
    command = [*(tool.mpi_command(ranks) if ranks else []), *prefix, tool.BINARY, *arguments]
    return Bytes(subprocess.run(command, env=env, cwd=cwd, stdin=subprocess.DEVNULL,
                                capture_output=True, timeout=tool.TIMEOUT_S, check=False))


class ForeignBytes(tool.ToolTest):
    def expect_clean(self, result, code):
        """The exit code; UTF-8 and no control characters on both streams; no exception."""
        self.assertEqual(result.code, code, str(result))
        for text in (result.out.decode("utf-8"), result.err.decode("utf-8")):
            self.assertNotIn("\x1b", text)
            self.assertNotIn("unexpected", text)
        return result

    def facts(self, journal):
        with open(journal, "rb") as file:
            header = json.loads(file.readline().decode("utf-8"))
        return header, {f["name"]: f["value"] for f in header["environment"]}

    def test_variable(self):
        journal = os.path.join(os.fsencode(self.folder), b"run.smk")
        result = self.expect_clean(
            stepmark(*RUN, b"--out", journal, variables={b"NCCL_DEBUG_FILE": BAD}), tool.OK)
        _, facts = self.facts(journal)
        self.assertEqual(facts["NCCL_DEBUG_FILE"], SHOWN + " (not UTF-8: shown escaped)")
        self.assertIn("NCCL_DEBUG_FILE: not UTF-8", result.err.decode("utf-8"))

    def test_arguments_and_path(self):
        journal = os.path.join(os.fsencode(self.folder), b"j\xff\x1b[2J.smk")
        result = self.expect_clean(stepmark(*RUN, b"--json", b"--repeat", b"2", b"--out", journal), tool.OK)
        json.loads(result.out.decode("utf-8"))
        self.assertTrue(os.path.exists(journal), "the file has the name that was asked for")
        header, _ = self.facts(journal)
        self.assertTrue(header["command"][-1].endswith("j\\xff\x1b[2J.smk"), header["command"])
        self.assertIn("j\\xff\\x1b[2J.smk", result.err.decode("utf-8"))
        # Everything made of such a journal: its path is in all of it.
        for how in ([b"report", journal], [b"report", b"--json", journal],
                    [b"compare", b"--json", journal, journal]):
            self.assertIn(self.expect_clean_any(stepmark(*how)), (tool.OK, tool.USAGE))
        page, table = self.path("r.html"), self.path("r.csv")
        self.expect_clean(stepmark(b"report", journal, b"--html", os.fsencode(page), b"--csv",
                                   os.fsencode(table)), tool.OK)
        with open(page, encoding="utf-8") as file:
            self.assertIn("j\\\\xff", file.read())
        with open(table, encoding="utf-8", newline="") as file:
            self.assertGreater(len(list(csv.reader(file))), 1)

    def expect_clean_any(self, result):
        return self.expect_clean(result, result.code).code

    def test_names_that_do_not_exist(self):
        for words in ([b"run", b"--suite", BAD], [b"run", b"--workload", BAD], [BAD],
                      [b"run", b"--budget", BAD], [b"run", b"--backend", BAD], [b"report", BAD],
                      [b"plan", b"--workload", b"tiny", b"--plan", BAD], [b"list", BAD],
                      [b"run", b"--only", BAD]):
            result = self.expect_clean(stepmark(*words, cwd=self.folder), tool.USAGE)
            self.assertIn("x\\xfc" if words != [b"run", b"--only", BAD] else "no case",
                          result.err.decode("utf-8"), words)

    def test_yaml_in_latin_1(self):
        path = self.path("bad.yaml")
        with open(path, "wb") as file:
            file.write("suite: a\ndescription: Ger\xe4t\n".encode("latin-1"))
        result = self.expect_clean(stepmark(b"run", b"--suite", os.fsencode(path)), tool.USAGE)
        self.assertIn("bad.yaml:2:17: found the byte 0xe4", result.err.decode("utf-8"))
        self.assertIn("iconv", result.err.decode("utf-8"))

    def test_yaml_that_drives_a_terminal(self):
        path = self.write("esc.yaml", tool.SMALL_SUITE.replace("suite: small", 'suite: "s\\e[2J\\u009bm"')
                          .replace("budget: 3s", "budget: 1s"))
        self.expect_clean(stepmark(b"run", b"--suite", os.fsencode(path), b"--only", b"kernel/", b"--out",
                                   os.fsencode(self.path("e.smk"))), tool.OK)

    def test_journal_from_elsewhere(self):
        journal = self.path("bad.smk")
        with open(journal, "wb") as file:
            file.write(b'{"type":"run","run_id":"\xfc"}\n')
        result = self.expect_clean(stepmark(b"report", os.fsencode(journal)), tool.USAGE)
        self.assertIn("bad.smk:1: ", result.err.decode("utf-8"))

    def test_host_name(self):
        if not shutil.which("unshare") or subprocess.run(["unshare", "-u", "true"], check=False,
                                                         capture_output=True).returncode != 0:
            self.skipTest("may not make a UTS namespace")
        rename = ("import os,socket,sys;socket.sethostname(b'n\\xfc\\x07de');"
                  "os.execv(sys.argv[1],sys.argv[1:])")
        journal = os.path.join(os.fsencode(self.folder), b"run.smk")
        result = self.expect_clean(stepmark(
            *RUN, b"--out", journal, prefix=["unshare", "-u", sys.executable, "-c", rename]), tool.OK)
        _, facts = self.facts(journal)
        self.assertEqual(facts["host"], "n\\xfc\\x07de (not UTF-8: shown escaped)")
        self.assertEqual(facts["ranks by host"], "n\\xfc\\x07de x1")
        self.assertEqual(len(glob.glob(self.path("*.smk"))), 1, str(result))


if __name__ == "__main__":
    tool.main()
