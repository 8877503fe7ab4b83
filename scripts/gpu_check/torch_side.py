# SPDX-License-Identifier: Apache-2.0
"""The other end of scripts/reference/torch_server.py."""
import json
import os
import select
import subprocess

from gpu_check.context import StageError


class TorchSide:
    def __init__(self, context):
        if not context.site.python:
            raise StageError("no Python here imports torch (STEPMARK_PYTHON names one)")
        self.context = context
        device = "cpu" if context.site.rehearsal else "cuda"
        # Not with the libraries that stepmark is given: PyTorch brings its own.
        self.errors = open(context.path("torch.err"), "w", encoding="utf-8")
        self.process = context.start(
            [context.site.python, context.site.script("torch_server.py"), "--device", device],
            env={"LD_LIBRARY_PATH": os.environ.get("LD_LIBRARY_PATH", "")},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors)

    def ask(self, do, **arguments):
        """The answer; StageError with PyTorch's words when it has none."""
        line = json.dumps({"do": do, **arguments})
        print("torch <", line, flush=True)
        try:
            self.process.stdin.write(line.encode() + b"\n")
            self.process.stdin.flush()
            ready, _, _ = select.select([self.process.stdout], [], [], max(self.context.left_s(), 0))
            words = self.process.stdout.readline() if ready else b""
        except BrokenPipeError:
            words = b""
        if not words:
            raise StageError(f"PyTorch: no answer to {do}: {self.last_error()}")
        answer = json.loads(words)
        print("torch >", json.dumps(answer), flush=True)
        if "error" in answer:
            raise StageError(f"PyTorch: {do}: {answer['error']}")
        return answer

    def last_error(self):
        lines = self.context.path("torch.err").read_text(encoding="utf-8", errors="replace").splitlines()
        return lines[-1] if lines else "it took too long"

    def close(self):
        try:
            self.process.stdin.close()
            self.process.wait(5)
        except (subprocess.TimeoutExpired, BrokenPipeError):
            self.process.kill()
        self.errors.close()
