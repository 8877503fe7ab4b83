# SPDX-License-Identifier: Apache-2.0
"""A program that answers one JSON line with another: PyTorch (scripts/reference/torch_server.py), and
`stepmark steps`."""
import json
import os
import select
import subprocess

from gpu_check.context import StageError


class Asking:
    def __init__(self, context, name, command, env=None):
        self.context, self.name = context, name
        self._errors_path = context.path(f"{name}.err")
        self._errors = open(self._errors_path, "w", encoding="utf-8")
        self.process = context.start(command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                     stderr=self._errors)

    def ask(self, do, **arguments):
        """The answer; StageError with the program's words when it has none."""
        line = json.dumps({"do": do, **arguments})
        print(self.name, "<", line, flush=True)
        try:
            self.process.stdin.write(line.encode() + b"\n")
            self.process.stdin.flush()
            ready, _, _ = select.select([self.process.stdout], [], [], max(self.context.left_s(), 0))
            words = self.process.stdout.readline() if ready else b""
        except BrokenPipeError:
            words = b""
        if not words:
            raise StageError(f"{self.name}: no answer to {do}: {self.last_error()}")
        answer = json.loads(words)
        print(self.name, ">", json.dumps(answer), flush=True)
        if "error" in answer:
            raise StageError(f"{self.name}: {do}: {answer['error']}")
        return answer

    def last_error(self):
        lines = self._errors_path.read_text(encoding="utf-8", errors="replace").splitlines()
        return lines[-1] if lines else "it took too long"

    def close(self):
        try:
            self.process.stdin.close()
            self.process.wait(10)
        except (subprocess.TimeoutExpired, BrokenPipeError):
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self._errors.close()


def torch_side(context):
    if not context.site.python:
        raise StageError("no Python here imports torch (STEPMARK_PYTHON names one)")
    device = "cpu" if context.site.rehearsal else "cuda"
    # Not with the libraries that stepmark is given: PyTorch brings its own.
    return Asking(context, "PyTorch",
                  [context.site.python, context.site.script("torch_server.py"), "--device", device],
                  {"LD_LIBRARY_PATH": os.environ.get("LD_LIBRARY_PATH", ""),
                   "TORCHINDUCTOR_FX_GRAPH_CACHE": "1"})  # a second start compiles nothing anew


def stepmark_side(context):
    return Asking(context, "stepmark", [*context.site.stepmark, "steps", "--backend", context.site.backend])
