#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Faults of every kind, many tries each, on three ranks of this machine, at moments drawn by chance.

usage: scripts/reference/fault_campaign.py [--binary FILE] [--tries 20] [--kind NAME ...] [--out FILE.json]

For each try: a run of a few short collectives; the fault; then what is left is looked at. Columns of
the table, each as tries that hold of all tries:
  ended    the launcher (or, where it was killed, every rank) left within 30 s
  message  exactly one line says what happened and where the run was ("during case 'x'", "after case
           'x', before case 'y'"); where the launcher was killed nobody reads what ranks say, and the
           journal's end line counts
  named    that line names the rank the fault was done to (where it was done to one)
  kept     every record that was in the journal before the fault is in it still
  end      the journal's last line is an end line (in start-up, before there is a journal: no journal)
  clean    no process of the run is left
  resumed  --resume completes it (tried in the first two tries)
"""
import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

RANKS = 3
SUITE = """\
suite: campaign
description: short collectives
budget: 2s
precision: 0.0001%
cases:
  - family: collective
    collectives: [all_reduce, all_gather, broadcast, reduce_scatter]
    min: 4KiB
    max: 4KiB
    placement: out-of-place
"""
CASES = 4
ENDS_WITHIN_S = 30


def read_journal(path):
    try:
        with open(path, encoding="utf-8") as file:
            return [json.loads(line) for line in file.read().splitlines(keepends=True) if line.endswith("\n")]
    except OSError:
        return []


def measured(path):
    return {line["case_id"]: line for line in read_journal(path)
            if line["type"] == "record" and line["outcome"] == "ok"}


def processes_of(token):
    """Process id and rank of every process whose environment has the token."""
    found = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/environ", "rb") as file:
                variables = file.read().split(b"\0")
            with open(f"/proc/{name}/stat", encoding="utf-8") as file:
                state = file.read().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if f"STEPMARK_CAMPAIGN={token}".encode() not in variables or state in "ZX":
            continue
        rank = [int(v.partition(b"=")[2]) for v in variables if v.startswith(b"OMPI_COMM_WORLD_RANK=")]
        found[int(name)] = rank[0] if rank else -1
    return found


class Try:
    def __init__(self, binary, seed):
        self.binary, self.random, self.token = binary, random.Random(seed), f"{os.getpid()}-{seed}"
        self.folder = tempfile.mkdtemp(prefix="stepmark-fault-")
        self.journal = os.path.join(self.folder, "sub", "run.smk")
        os.mkdir(os.path.dirname(self.journal))
        with open(os.path.join(self.folder, "campaign.yaml"), "w", encoding="utf-8") as file:
            file.write(SUITE)
        self.environment = dict(os.environ, OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1",
                                OMP_NUM_THREADS="1", STEPMARK_CAMPAIGN=self.token)
        self.before, self.victim = {}, None

    def command(self, *more):
        return ["mpirun", "--oversubscribe", "--bind-to", "none", "-np", str(RANKS), self.binary, "run",
                "--suite", os.path.join(self.folder, "campaign.yaml"), "--out", self.journal, *more]

    def start(self, *more):
        self.err = open(os.path.join(self.folder, "stderr"), "w+", encoding="utf-8")
        self.mpirun = subprocess.Popen(self.command(*more), env=self.environment, cwd=self.folder,
                                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=self.err,
                                       start_new_session=True)

    def pid(self, rank):
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and self.mpirun.poll() is None:
            for pid, found in processes_of(self.token).items():
                if found == rank:
                    return pid
        raise ProcessLookupError(f"no rank {rank}")

    def wait_until_under_way(self):
        """Some records are there, and a moment has passed: within a case, or between two."""
        records, deadline = self.random.randint(0, CASES - 2), time.monotonic() + 60
        while time.monotonic() < deadline:
            lines = read_journal(self.journal)
            if lines and len(measured(self.journal)) >= records:
                break
            time.sleep(0.01)
        time.sleep(self.random.uniform(0, 0.4))
        self.before = measured(self.journal)

    def hit(self, rank, number):
        self.victim = rank
        self.before = {**self.before, **measured(self.journal)}
        try:
            os.kill(self.mpirun.pid if rank == "mpirun" else self.pid(rank), number)
        except ProcessLookupError:
            pass  # the run was through: what is left must be complete

    def ended(self):
        deadline = time.monotonic() + ENDS_WITHIN_S
        while time.monotonic() < deadline:
            gone = self.mpirun.poll() is not None
            if gone and (self.victim != "mpirun" or not processes_of(self.token)):
                return True
            time.sleep(0.02)
        return False

    def look(self, kind, resume):
        ended = self.ended()
        time.sleep(0.5)
        left = processes_of(self.token)
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        self.mpirun.wait()
        self.err.seek(0)
        errors = [line for line in self.err.read().splitlines() if "error: " in line]
        lines = read_journal(self.journal)
        end = [line for line in lines[-1:] if line["type"] == "end"]
        if kind == "kill mpirun":
            errors = [f"error: {line['reason']}" for line in end]
        # A run that was through when the fault came has nothing to say.
        complete = bool(end) and end[0]["exit_code"] == 0
        where = ("'collective/", "during: ")
        told = [line for line in errors if any(text in line for text in where)]
        result = {"ended": ended, "message": complete or len(told) == len(errors) == 1,
                  "kept": self.kept(kind, errors), "end": bool(end) or not lines, "clean": not left}
        if isinstance(self.victim, int):
            result["named"] = complete or any(f"rank {self.victim} " in line for line in told)
        if kind == "folder gone":
            result["end"] = True  # looked at in kept
        elif resume and lines:
            done = subprocess.run(self.command("--resume"), env=self.environment, cwd=self.folder, check=False,
                                  stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            result["resumed"] = done.returncode == 0 and len(measured(self.journal)) == CASES
        self.err.close()
        return result, errors

    def kept(self, kind, errors):
        path = self.journal
        if kind == "folder gone" and not os.path.exists(path):
            names = [name for name in os.listdir(self.folder) if name.endswith(".smk")]
            if not names or not errors:
                return False
            path = os.path.join(self.folder, names[0])
        now = measured(path)
        return all(now.get(case) == record for case, record in self.before.items())


def under_way(rank, number):
    def do(one):
        one.start("--case-deadline", "5")
        one.wait_until_under_way()
        one.hit(rank, number)
    return do


def in_start_up(one):
    one.start("--start-deadline", "20")
    rank = one.random.randrange(RANKS)
    pid = one.pid(rank)
    time.sleep(one.random.uniform(0, 0.3))
    one.victim = rank
    one.before = measured(one.journal)
    os.kill(pid, signal.SIGKILL)


def folder_gone(one):
    one.start()
    one.wait_until_under_way()
    one.before = measured(one.journal)
    shutil.rmtree(os.path.dirname(one.journal))


def all_ranks(one):
    one.start()
    one.wait_until_under_way()
    pids = [pid for pid, rank in processes_of(one.token).items() if rank >= 0]
    one.before = measured(one.journal)
    for pid in pids:
        os.kill(pid, signal.SIGKILL)


KINDS = {
    "kill rank 0": under_way(0, signal.SIGKILL), "kill rank 1": under_way(1, signal.SIGKILL),
    "kill all ranks": all_ranks, "kill in start-up": in_start_up,
    "kill mpirun": under_way("mpirun", signal.SIGKILL), "crash rank 0": under_way(0, signal.SIGSEGV),
    "crash rank 2": under_way(2, signal.SIGSEGV), "stop rank 0": under_way(0, signal.SIGSTOP),
    "stop rank 2": under_way(2, signal.SIGSTOP), "TERM mpirun": under_way("mpirun", signal.SIGTERM),
    "INT mpirun": under_way("mpirun", signal.SIGINT), "TERM rank 1": under_way(1, signal.SIGTERM),
    "USR1 rank 1": under_way(1, signal.SIGUSR1), "folder gone": folder_gone,
}
COLUMNS = ["ended", "message", "named", "kept", "end", "clean", "resumed"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default="build/host-release/bin/stepmark")
    parser.add_argument("--tries", type=int, default=20)
    parser.add_argument("--kind", action="append", choices=list(KINDS))
    parser.add_argument("--out")
    options = parser.parse_args()
    binary = os.path.abspath(options.binary)
    table = {}
    print(f"{'fault':18}" + "".join(f"{name:>10}" for name in COLUMNS), flush=True)
    for kind in options.kind or KINDS:
        counts = {name: [0, 0] for name in COLUMNS}
        for number in range(options.tries):
            one = Try(binary, f"{kind}-{number}".replace(" ", "_"))
            KINDS[kind](one)
            result, errors = one.look(kind, number < 2)
            for name, holds in result.items():
                counts[name][0] += holds
                counts[name][1] += 1
            if all(result.values()):
                shutil.rmtree(one.folder)
            else:
                wrong = [name for name, holds in result.items() if not holds]
                print(f"  {kind} {number}: not {', '.join(wrong)}; {one.folder}; {errors}", file=sys.stderr)
        table[kind] = {name: f"{good} of {all_}" for name, (good, all_) in counts.items() if all_}
        print(f"{kind:18}" + "".join(f"{table[kind].get(name, '-'):>10}" for name in COLUMNS), flush=True)
        if not options.out:
            continue
        text = {"ranks": RANKS, "tries": options.tries, "cpus": os.cpu_count(),
                "load": [round(value, 1) for value in os.getloadavg()],
                "version": subprocess.run([binary, "--version"], stdout=subprocess.PIPE, text=True,
                                          check=False).stdout.strip(),
                "faults": table}
        with open(options.out, "w", encoding="utf-8") as file:
            json.dump(text, file, indent=1)
            file.write("\n")


if __name__ == "__main__":
    main()
