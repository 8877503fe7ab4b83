# SPDX-License-Identifier: Apache-2.0
"""Runs stages one after another, whatever becomes of each. A stage runs in a process and session of
its own, so one that hangs, crashes or leaves processes behind costs no more than its time limit."""
import os
import sys
import time
import traceback

from gpu_check import processes
from gpu_check.context import Context
from gpu_check.stage import (FAIL, NOT_RUN, PASS, SKIPPED, TIMEOUT, Outcome, Result,
                             outcome_from_file, outcome_to_file)

POLL_S = 0.05
# After the end of the stages: ending the last one's processes, writing the table.
RESERVE_S = 5.0


def run_all(stages, site, out, total_s, report=print):
    """Results in the order of the stages; never takes longer than total_s."""
    end = time.monotonic() + total_s - min(RESERVE_S, total_s / 10)
    results = []
    for index, stage in enumerate(stages):
        left = end - time.monotonic()
        later = sum(other.least_s for other in stages[index + 1:])
        limit = min(stage.limit_s, left, max(left - later, stage.least_s))
        if left < stage.least_s / 2:
            results.append(Result(stage.name, NOT_RUN, "out of time", stage.wanted, 0.0, {}))
        else:
            report(f"{stage.name}: {stage.title} (at most {limit:.0f} s)")
            results.append(run_one(stage, site, out, limit))
        last = results[-1]
        report(f"{stage.name}: {last.result}, {last.figure} ({last.seconds:.0f} s)")
    return results


def run_one(stage, site, out, limit_s):
    (out / "logs").mkdir(parents=True, exist_ok=True)
    answer, partial = out / "logs" / f"{stage.name}.json", out / "logs" / f"{stage.name}.partial.json"
    for file in (answer, partial):
        file.unlink(missing_ok=True)
    begin = time.monotonic()
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid == 0:
        _stage_process(stage, site, out, begin + limit_s, answer, partial)
    status = _wait(pid, begin + limit_s)
    processes.end_session(pid)  # also of a stage that ended and left something running
    if status is None:
        status = _wait(pid, time.monotonic() + 1)
    seconds = time.monotonic() - begin
    outcome = outcome_from_file(answer)
    if outcome is None:
        so_far = outcome_from_file(partial)
        figures = so_far.figures if so_far else {}
        if seconds >= limit_s:
            return Result(stage.name, TIMEOUT, f"no end within {limit_s:.0f} s", stage.wanted, seconds,
                          figures)
        return Result(stage.name, FAIL, f"ended without a result ({_words(status)})", stage.wanted,
                      seconds, figures)
    result = {True: PASS, False: FAIL, None: SKIPPED}[outcome.passed]
    return Result(stage.name, result, outcome.figure, stage.wanted, seconds, outcome.figures)


def _wait(pid, until):
    """The wait status, or None when the process is still there."""
    while True:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done == pid:
            return status
        if time.monotonic() >= until:
            return None
        time.sleep(POLL_S)


def _words(status):
    if status is None:
        return "still there"
    if os.WIFSIGNALED(status):
        return f"signal {os.WTERMSIG(status)}"
    return f"exit code {os.WEXITSTATUS(status)}"


def _stage_process(stage, site, out, deadline, answer, partial):
    """Never returns."""
    code = 1
    try:
        os.setsid()
        log = os.open(out / "logs" / f"{stage.name}.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        os.dup2(log, 1)
        os.dup2(log, 2)
        context = Context(stage.name, site, out, deadline, partial)
        try:
            outcome = stage.run(context)
        except Exception as error:  # pylint: disable=broad-except
            traceback.print_exc()
            words = str(error).splitlines() or [type(error).__name__]
            outcome = Outcome(False, words[0][:200], context.figures)
        if isinstance(outcome, Outcome):
            outcome_to_file(outcome, answer)
        sys.stdout.flush()
        sys.stderr.flush()
        code = 0
    finally:
        os._exit(code)
