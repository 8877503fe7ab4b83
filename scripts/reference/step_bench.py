# SPDX-License-Identifier: Apache-2.0
"""Asks tests/equivalence_steps/step_bench.cpp: a command a line in, a line of JSON out."""
import json
import subprocess


def write_json(path, result):
    with open(path, "w", encoding="utf-8") as file:
        json.dump(result, file, indent=1)
        file.write("\n")


class StepBench:
    def __init__(self, program, workload, plan):
        self.process = subprocess.Popen([program, workload, plan], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)

    def ask(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit("step_bench ended early")
        return json.loads(line)

    def close(self):
        self.process.stdin.close()
        return self.process.wait()
