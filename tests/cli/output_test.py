# SPDX-License-Identifier: Apache-2.0
"""A result that could not be written is exit code 4 with a message; only files are replaced."""

import os
import shutil
import stat
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import stepmark_tool as tool  # noqa: E402
from stepmark_tool import stepmark  # noqa: E402

GOLDEN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "golden", "results", "journal.jsonl")
RUN = ["run", "--workload", "tiny", "--plan", "layers=1,seq=16,micro_batch=1", "--budget", "1s", "--out"]


def to(stdout, *arguments):
    """The exit code and stderr with this file as stdout."""
    with open(stdout, "w", encoding="utf-8") as out:
        done = subprocess.run([tool.BINARY, *arguments], env=tool.environment(), stdin=subprocess.DEVNULL, stdout=out,
                              stderr=subprocess.PIPE, text=True, timeout=tool.TIMEOUT_S, check=False)
    return tool.Result(done.returncode, "", done.stderr)


class Output(tool.ToolTest):
    def setUp(self):
        super().setUp()
        self.journal = self.path("golden.smk")
        shutil.copy(GOLDEN, self.journal)

    def printing_commands(self):
        plan = ["plan", "--workload", "tiny", "--ranks", "1"]
        for command in (["report", self.journal], plan, ["list", "suites"]):
            yield command
            yield [*command, "--json"]
        yield [*plan, "--program", "0"]
        yield ["list", "cases", "--suite", "quick"]
        yield ["doctor", "--json"]
        yield ["completion", "bash"]
        yield ["--help"]
        yield ["run", "--help"]
        yield ["--version"]

    def test_a_full_disk_under_stdout_is_exit_code_4(self):
        for command in self.printing_commands():
            with self.subTest(command):
                result = to("/dev/full", *command)
                self.expect(result, tool.ENVIRONMENT, "the result could not be written to stdout: No space left")

    def test_compare_too(self):
        lines = tool.read_lines(self.journal)
        for line in lines:  # as another run
            if "run_id" in line:
                line["run_id"] += "-other"
            if "started_unix_s" in line:
                line["started_unix_s"] += 1
        other = self.write("other.smk", tool.journal_text(lines))
        for more in ([], ["--json"]):
            result = to("/dev/full", "compare", self.journal, other, *more)
            self.expect(result, tool.ENVIRONMENT, "the result could not be written to stdout: No space left")

    def test_a_reader_that_leaves_ends_it_quietly(self):
        for command in self.printing_commands():
            with self.subTest(command):
                read, write = os.pipe()
                os.close(read)
                done = subprocess.run([tool.BINARY, *command], env=tool.environment(), stdin=subprocess.DEVNULL,
                                      stdout=write, stderr=subprocess.PIPE, text=True, timeout=tool.TIMEOUT_S,
                                      check=False)
                os.close(write)
                self.assertEqual(done.returncode, 141)
                self.assertNotIn("error", done.stderr)

    def test_a_run_is_kept_whatever_becomes_of_its_table(self):
        journal = self.path("run.smk")
        self.expect(to("/dev/full", *RUN, journal), tool.ENVIRONMENT, "No space left on device; the journal is whole",
                    "stepmark report " + journal)
        self.expect(stepmark("report", journal), tool.OK)
        self.assertEqual(tool.read_lines(journal)[-1]["exit_code"], tool.OK)
        self.assertEqual([record["outcome"] for record in tool.records(journal)], ["ok"])

    def test_a_journal_is_a_file(self):
        os.mkfifo(self.path("fifo"))
        for path in ("/dev/null", self.path("fifo")):
            self.expect(stepmark(*RUN, path), tool.USAGE, f"{path}: cannot write: no regular file")

    def test_a_trace_that_cannot_be_written_costs_no_measurement(self):
        self.expect(stepmark(*RUN, self.path("first.smk"), "--trace", self.path("traces")), tool.OK)
        (name,) = os.listdir(self.path("traces"))
        os.remove(os.path.join(self.path("traces"), name))
        os.mkdir(os.path.join(self.path("traces"), name))
        journal = self.path("run.smk")
        result = stepmark(*RUN, journal, "--trace", self.path("traces"))
        self.expect(result, tool.ENVIRONMENT, f"{name}': it is a folder", "traces of 1 cases could not be written")
        (record,) = tool.records(journal)
        self.assertEqual(record["outcome"], "ok")
        self.assertIn("trace not written", record["labels"])

    def files(self):
        yield ["report", self.journal, "--html"]
        yield ["report", self.journal, "--csv"]

    def test_only_files_are_replaced(self):
        for command in self.files():
            with self.subTest(command):
                target, link, fifo = (self.path(name + command[-1]) for name in ("target", "link", "fifo"))
                os.symlink(target, link)
                self.expect(stepmark(*command, link), tool.OK)
                self.assertTrue(os.path.islink(link))
                self.assertGreater(os.path.getsize(target), 100)
                self.expect(stepmark(*command, "/dev/null"), tool.OK)
                self.assertTrue(stat.S_ISCHR(os.stat("/dev/null").st_mode))
                self.expect(stepmark(*command, "/dev/full"), tool.ENVIRONMENT, "cannot write '/dev/full': No space left")
                self.expect(stepmark(*command, self.folder), tool.ENVIRONMENT, "it is a folder; name a file in it")
                os.mkfifo(fifo)
                with open(self.path("got"), "w", encoding="utf-8") as got, \
                        subprocess.Popen(["cat", fifo], stdout=got) as reader:
                    self.expect(stepmark(*command, fifo), tool.OK)
                    self.assertEqual(reader.wait(timeout=60), 0)
                with open(target, encoding="utf-8") as whole, open(self.path("got"), encoding="utf-8") as got:
                    self.assertEqual(got.read(), whole.read())
                self.assertTrue(stat.S_ISFIFO(os.stat(fifo).st_mode))

    def test_a_device_node_of_our_own(self):
        node = self.path("node")
        try:
            os.mknod(node, stat.S_IFCHR | 0o666, os.makedev(1, 3))
            with open(node, "wb"):
                pass
        except OSError as error:
            self.skipTest(f"may not make a device node here: {error}")
        for command in self.files():
            self.expect(stepmark(*command, node), tool.OK)
            self.assertTrue(stat.S_ISCHR(os.stat(node).st_mode), command)


if __name__ == "__main__":
    tool.main()
