# SPDX-License-Identifier: Apache-2.0
"""A rank is killed in the middle of a run: the run ends soon, one message names the rank, and the
journal keeps what was measured."""
import json
import os
import signal
import subprocess
import time

from gpu_check import processes, rehearsal
from gpu_check.context import StageError, records_of
from gpu_check.stage import Outcome

START_S, END_S = 40, 25


def run(context):
    journal, errors = context.path("death.smk"), context.path("death.err")
    journal.unlink(missing_ok=True)
    suite = rehearsal.suite(context, "death" if context.site.rehearsal else "gpu-ranks")
    command = [*context.site.mpirun, "--oversubscribe", "--bind-to", "none", "-np", 2,
               *context.site.stepmark, "run", "--suite", suite,
               "--backend", context.site.backend, "--only", "collective/", "--precision", "0.01%",
               "--budget", "40s", "--out", journal]  # many short cases
    if context.site.shares_gpu(2):
        command.append("--share-gpu")
    with open(errors, "w", encoding="utf-8") as file:
        process = context.start(command, stdout=subprocess.DEVNULL, stderr=file)
    until = time.monotonic() + min(START_S, context.left_s() / 2)
    while not records_of(journal):
        if process.poll() is not None or time.monotonic() > until:
            processes.kill_tree(process.pid)
            raise StageError(f"no case was measured before the kill: {last_line(errors)}")
        time.sleep(0.1)
    victim = rank_process(process.pid, 1)
    begin = time.monotonic()
    os.kill(victim, signal.SIGKILL)
    try:
        code = process.wait(min(END_S, max(context.left_s() - 2, 1)))
    except subprocess.TimeoutExpired:
        processes.kill_tree(process.pid)
        return Outcome(False, f"still running {END_S} s after a rank died", {})
    seconds = time.monotonic() - begin
    words = errors.read_text(encoding="utf-8", errors="replace")
    print(words)
    figures = {"exit_code": code, "seconds_to_end": seconds, "records_kept": len(records_of(journal)),
               "last_line": last_type(journal)}
    wrong = []
    if code == 0:
        wrong.append("exit code 0")
    # stepmark's own words; the launcher's say "process rank 1" in any case.
    named = [line for line in words.splitlines() if line.startswith("[rank") and "rank 1 (" in line]
    if len(named) != 1:
        wrong.append(f"{len(named)} messages name rank 1, not one")
    if not figures["records_kept"]:
        wrong.append("the journal lost its records")
    return Outcome(not wrong, "; ".join(wrong) or f"ended after {seconds:.1f} s, exit code {code}",
                   figures)


def rank_process(launcher, rank):
    """The stepmark process of a rank below mpirun."""
    for pid in processes.descendants(launcher):
        if processes.environment_of(pid).get("OMPI_COMM_WORLD_RANK") == str(rank):
            return pid
    raise StageError(f"no process of rank {rank} below mpirun")


def last_type(journal):
    try:
        return json.loads(journal.read_text(encoding="utf-8").splitlines()[-1])["type"]
    except (ValueError, KeyError, IndexError):
        return "unreadable"


def last_line(path):
    lines = path.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1] if lines else "no message"
