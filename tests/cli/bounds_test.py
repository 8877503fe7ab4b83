# SPDX-License-Identifier: Apache-2.0
"""Sizes from outside: every number, depth and length is refused with a message, at once and in little
memory; what is large and possible is planned."""

import json
import os
import resource
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import stepmark_tool as tool  # noqa: E402
from stepmark_tool import stepmark  # noqa: E402

MEMORY_LIMIT = 2 << 30  # bytes of address space


def limited(*arguments):
    def limit():
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_LIMIT, MEMORY_LIMIT))

    # The address sanitizer reserves terabytes of addresses.
    sanitized = "__asan" in subprocess.run(["nm", "-D", tool.BINARY], capture_output=True, text=True,
                                           check=False).stdout
    done = subprocess.run([tool.BINARY, *arguments], env=tool.environment(), text=True, timeout=120,
                          capture_output=True, preexec_fn=None if sanitized else limit, check=False)
    return tool.Result(done.returncode, done.stdout, done.stderr)


class Bounds(tool.ToolTest):
    def refuse(self, arguments, *texts):
        self.expect(limited(*arguments), tool.USAGE, *texts)

    def test_options(self):
        plan = ["plan", "--workload", "tiny"]
        for ranks in ("2147483647", "99999999999999999999", "0", "-1", "2.5", "1e3"):
            self.refuse([*plan, "--ranks", ranks],
                        f"'{ranks}': expected a whole number from 1 to 1048576")
        self.refuse([*plan, "--program", "2147483647"], "from 0 to 1048575")
        for command in (["doctor"], ["list", "cases"]):
            self.refuse([*command, "--ranks", "2147483647"], "from 1 to 1048576")
        for option in ("--case-deadline", "--start-deadline"):
            for seconds in ("1e300", "nan", "inf", "0"):
                self.refuse(["run", option, seconds], "expected a positive number of seconds")
        self.refuse(["run", "--budget", "1000000d"], "at most 30 days")

    def test_plans(self):
        for plan in ("dp=2147483647", "tp=2147483647", "accumulation=2147483647",
                     "micro_batch=2147483647", "seq=2147483647", "layers=2147483647"):
            self.refuse(["plan", "--workload", "tiny", "--plan", plan],
                        "expected a whole number from 1 to")
        self.refuse(["plan", "--workload", "tiny", "--plan", "bucket_mib=1e300"], "1000000")
        self.refuse(["plan", "--workload", "llama3-405b", "--plan",
                     "tp=1,sp=off,accumulation=65536,seq=1"],
                    "65536 x 126 layers", "lower accumulation")

    def test_files(self):
        for name, text, expected in (
                ("deep", "a: " + "[" * 100000, "deep.yaml:"),
                ("bomb", self.bomb(), "too large once aliases are expanded"),
                ("text", "workload: " + "x" * 5000, "expected at most 4096"),
                ("long", "# " + "x" * (2 << 20), "longer than 1048576 bytes")):
            path = self.write(name + ".yaml", text)
            self.refuse(["plan", "--workload", path], expected)
        self.refuse(["plan", "--workload", "/dev/zero"], "longer than 1048576 bytes")

    @staticmethod
    def bomb():
        lines = ["l0: &l0 [x, x, x, x, x, x, x, x, x, x]"]
        lines += [f"l{i}: &l{i} [{', '.join([f'*l{i - 1}'] * 10)}]" for i in range(1, 10)]
        return "\n".join(lines) + "\n"

    def test_large_and_possible(self):
        for plan, ranks in (("accumulation=64,tp=8", 16), ("tp=8,dp=2048", 16384)):
            result = limited("plan", "--workload", "llama3-405b", "--plan", plan, "--ranks",
                             str(ranks), "--json")
            self.expect(result, tool.OK)
            facts = json.loads(result.out)
            self.assertTrue(facts["validated_all_ranks"])
            self.assertEqual(facts["validated"]["ranks"], ranks)
            self.assertEqual(facts["validated"]["roles"], 1)
        whole = stepmark("plan", "--workload", "tiny", "--ranks", "1048576", "--plan", "tp=2")
        self.expect(whole, tool.OK)
        self.assertIn("mesh: 1048576 ranks", whole.out)


if __name__ == "__main__":
    tool.main()
