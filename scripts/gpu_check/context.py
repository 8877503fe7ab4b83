# SPDX-License-Identifier: Apache-2.0
"""What a stage is given: commands with time limits, a place for figures that survive its end."""
import dataclasses
import json
import os
import shlex
import subprocess
import time

from gpu_check import processes
from gpu_check.stage import Outcome, outcome_to_file


class StageError(Exception):
    """Ends a stage; the first line is shown in the table."""


@dataclasses.dataclass
class Done:
    code: int  # -1: it was ended at its time limit
    out: str
    err: str

    def last_words(self):
        lines = [line for line in (self.err + "\n" + self.out).splitlines() if line.strip()]
        return lines[-1].strip() if lines else "no output"


class Context:
    def __init__(self, name, site, out, deadline, partial):
        self.name, self.site, self.out = name, site, out
        self.figures, self.goals = {}, {}
        self._deadline, self._partial, self._commands = deadline, partial, 0

    def left_s(self):
        return self._deadline - time.monotonic()

    def keep(self, **figures):
        """Kept even when the stage does not come to its end."""
        self.figures.update(figures)
        outcome_to_file(Outcome(None, "", self.figures, self.goals), self._partial)

    def reach(self, key, met, figure):
        """A goal of the stage was come to; kept likewise."""
        self.goals[key] = [met, figure]
        self.keep()

    def path(self, name):
        """Of a file for this stage's own use."""
        folder = self.out / "work" / self.name
        folder.mkdir(parents=True, exist_ok=True)
        return folder / name

    def start(self, command, env=None, **options):
        words = [str(word) for word in command]
        print("$", shlex.join(words), flush=True)
        return subprocess.Popen(words, env={**os.environ, **self.site.env, **(env or {})}, **options)

    def run(self, command, timeout_s=None, env=None, cwd=None):
        """Runs to the end, or to the limit; never throws for a command that fails."""
        self._commands += 1
        timeout_s = min(timeout_s or 1e9, max(self.left_s(), 0.1))
        base = self.path(f"command{self._commands}")
        with open(f"{base}.out", "w+", encoding="utf-8", errors="replace") as out, \
             open(f"{base}.err", "w+", encoding="utf-8", errors="replace") as err:
            try:
                process = self.start(command, env=env, cwd=cwd, stdout=out, stderr=err,
                                     stdin=subprocess.DEVNULL)
            except OSError as error:
                return Done(127, "", f"{command[0]}: {error.strerror}")
            try:
                code = process.wait(timeout_s)
            except subprocess.TimeoutExpired:
                processes.kill_tree(process.pid)
                process.wait()
                code = -1
            out.seek(0)
            err.seek(0)
            done = Done(code, out.read(), err.read())
        print(done.out[-20000:], done.err[-20000:], f"-> exit code {code}", sep="\n", flush=True)
        return done

    def measure(self, *arguments, ranks=1, timeout_s=None, env=None):
        """`stepmark run ARGUMENTS --json`: its exit code, words and records."""
        journal = self.path(f"run{self._commands}.smk")
        command = [*self.site.stepmark, "run", *arguments, "--backend", self.site.backend,
                   "--json", "--out", journal]
        journal.unlink(missing_ok=True)
        if self.site.shares_gpu(ranks):
            command.append("--share-gpu")
        if ranks > 1:
            command = [*self.site.mpirun, "--oversubscribe", "--bind-to", "none", "-np", ranks, *command]
        done = self.run(command, timeout_s, env)
        try:
            return done, json.loads(done.out)["records"]
        except (ValueError, KeyError):
            return done, records_of(journal)


def records_of(journal):
    """Of a run that did not come to printing them."""
    try:
        lines = [json.loads(line) for line in journal.read_text(encoding="utf-8").splitlines()]
    except (OSError, ValueError):
        return []
    return [line for line in lines if line.get("type") == "record"]
