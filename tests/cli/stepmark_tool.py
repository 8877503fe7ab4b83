# SPDX-License-Identifier: Apache-2.0
"""Runs the stepmark binary alone or under mpirun, for the tests of the command line and of faults.

STEPMARK_BINARY and STEPMARK_MPIEXEC name the programs (set by CTest). Every call has a time limit,
every test its own folder.
"""

import hashlib
import json
import os
import signal
import subprocess
import tempfile
import time
import unittest

BINARY = os.environ["STEPMARK_BINARY"]
MPIEXEC = os.environ.get("STEPMARK_MPIEXEC", "")
SHORT = os.environ.get("STEPMARK_SHORT_TESTS", "") == "1"
TIMEOUT_S = 300  # several ranks may share a busy core

OK, CHECK_FAILED, USAGE, NOT_MEASURED, ENVIRONMENT = range(5)

# One tiny step, one collective, one kernel: a run of a few seconds.
SMALL_SUITE = """\
suite: small
description: one of each family
budget: 3s
precision: 5%
cases:
  - family: step
    workload: tiny
    plan: ["tp=2,layers=1,micro_batch=2,seq=16", "tp=1,layers=1,micro_batch=2,seq=16"]
  - family: collective
    collectives: [all_reduce]
    min: 4KiB
    max: 4KiB
    placement: out-of-place
  - family: kernel
    ops: [gemm]
    max_gflop: 0.31
    max_bytes: 4MiB
"""

# A workload that is not shipped.
OWN_WORKLOAD = """\
workload: own
description: d
source: s
model:
  family: gpt2
  layers: 1
  hidden: 64
  heads: 4
  ffn: 128
  vocab: 256
  max_seq: 32
plan:
  seq: 16
"""

# Collectives at the same time, and GEMMs beside one.
CONCURRENT_SUITE = """\
suite: concurrent
description: work at the same time
budget: 4s
precision: 20%
cases:
  - family: groups
    plan: ["tp=2,dp=2", "tp=2", "tp=1"]
    traffic:
      tp: {op: all_reduce, bytes: 64KiB}
      dp: {op: reduce_scatter, bytes: 256KiB}
  - family: overlap
    gemm: {m: 64, n: 64, k: 64}
    collectives: [all_gather]
    bytes: 64KiB
    max_ctas: [0, 4]
    occupy_ctas: [2]
"""


def environment():
    env = dict(os.environ)
    env.update(OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1", OMP_NUM_THREADS="1")
    return env


def mpi_command(ranks):
    return [MPIEXEC, "--oversubscribe", "--bind-to", "none", "-np", str(ranks)]


class Result:
    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err

    def errors(self):
        """Lines in which a process says what went wrong; launchers' own banners are not ours."""
        return [line for line in self.err.splitlines() if "stepmark" in line and "error" in line]

    def __str__(self):
        return f"exit code {self.code}\nstdout:\n{self.out}\nstderr:\n{self.err}"


def stepmark(*arguments, ranks=0, cwd=None, timeout=TIMEOUT_S, prefix=()):
    """Runs to the end. `ranks` 0: without a launcher. `prefix`: a program that starts stepmark."""
    command = [*(mpi_command(ranks) if ranks else []), *prefix, BINARY, *map(str, arguments)]
    done = subprocess.run(command, env=environment(), cwd=cwd, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=timeout)
    return Result(done.returncode, done.stdout, done.stderr)


def read_lines(path):
    """Complete lines of a journal as values."""
    if not os.path.exists(path):
        return []
    with open(path, encoding="utf-8") as file:
        text = file.read()
    return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]


def journal_text(values):
    """A journal of these lines with hashes that fit (docs/file-formats.md)."""
    text = previous = ""
    for value in values:
        body = json.dumps({k: v for k, v in value.items() if k != "chain"}, separators=(",", ":"))[:-1]
        previous = hashlib.blake2b((previous + body).encode(), digest_size=32).hexdigest()
        text += f'{body},"chain":"{previous}"}}\n'
    return text


def records(path):
    return [line for line in read_lines(path) if line["type"] == "record"]


class ToolTest(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self._folder = tempfile.TemporaryDirectory(prefix="stepmark-test-")
        self.folder = self._folder.name
        self.addCleanup(self._folder.cleanup)

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)
        return self.path(name)

    def expect(self, result, code, *texts):
        """The exit code, and every text in what was printed to stderr."""
        self.assertEqual(result.code, code, str(result))
        for text in texts:
            self.assertIn(text, result.err, str(result))


def children(parent):
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/stat", encoding="utf-8") as file:
                if int(file.read().rpartition(")")[2].split()[1]) == parent:
                    found.append(int(name))
        except OSError:
            continue
    return found


def name_of(pid):
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8") as file:
            return file.read().strip()
    except OSError:
        return ""


def process_runs(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            return file.read().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


class Job:
    """A run under mpirun in a session of its own, watched while it goes on."""

    def __init__(self, ranks, *arguments, cwd, prefix=()):
        self._out = tempfile.TemporaryFile("w+")
        self._err = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(
            [*mpi_command(ranks), *prefix, BINARY, *map(str, arguments)], env=environment(), cwd=cwd,
            stdin=subprocess.DEVNULL, stdout=self._out, stderr=self._err, start_new_session=True)

    def rank_pid(self, rank, wait_for=None):
        """Process id of a rank: the child of mpirun whose environment says so. `wait_for`: the name
        of a process that must be its child by then."""
        wanted = f"OMPI_COMM_WORLD_RANK={rank}".encode()
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            for pid in children(self.process.pid):
                try:
                    with open(f"/proc/{pid}/environ", "rb") as file:
                        variables = file.read().split(b"\0")
                except OSError:
                    continue
                if wanted in variables and (wait_for is None or wait_for in map(name_of, children(pid))):
                    return pid
            if wait_for is None:
                break
            time.sleep(0.01)
        raise AssertionError(f"no process of rank {rank}")

    def wait_for_records(self, path, count, timeout=90):
        deadline = time.monotonic() + timeout
        while len(records(path)) < count:
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"no {count} records: {self.end(1)}")
            time.sleep(0.05)

    def end(self, timeout):
        """The result; the process must end by itself within `timeout` seconds."""
        try:
            code = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            code = None
        texts = []
        for file in (self._out, self._err):
            file.seek(0)
            texts.append(file.read())
            file.close()
        return Result(code, *texts)

    def kill(self):
        if self.process.poll() is None:
            for rank in range(64):
                try:
                    os.kill(self.rank_pid(rank), signal.SIGKILL)
                except (AssertionError, ProcessLookupError):
                    break
            self.process.kill()
            self.process.wait()


def needs_mpi(test):
    """A class or method of tests that a build without MPI does not have: nothing was skipped there."""
    test.needs_mpi = True
    return test


def once_per_machine(test):
    """A method of tests that takes long and that the optimised build with MPI runs: the sanitizers' build and the one
    without MPI (STEPMARK_SHORT_TESTS=1) have others that walk the same code."""
    test.once_per_machine = True
    return test


class Loader(unittest.TestLoader):
    """Leaves out what `needs_mpi` and `once_per_machine` mark where they do not belong."""

    def getTestCaseNames(self, testCaseClass):
        def belongs(test):
            return ((MPIEXEC or not getattr(test, "needs_mpi", False))
                    and not (SHORT and getattr(test, "once_per_machine", False)))

        names = super().getTestCaseNames(testCaseClass) if belongs(testCaseClass) else []
        return [name for name in names if belongs(getattr(testCaseClass, name))]


def main():
    unittest.main(verbosity=2, testLoader=Loader())
