# SPDX-License-Identifier: Apache-2.0
"""Runs stages one after another, whatever becomes of each. A stage runs in a process and session of
its own, so one that hangs, crashes or leaves processes behind costs no more than its time limit."""
import os
import sys
import time
import traceback

from gpu_check import processes, shares
from gpu_check.context import Context
from gpu_check.stage import (FAIL, NOT_RUN, PASS, SKIPPED, TIMEOUT, Outcome, Result, judged_goals,
                             outcome_from_file, outcome_to_file)

POLL_S = 0.05
# Until a stage's processes are ended, and after the last one: writing the table.
GRACE_S = 3.0
RESERVE_S = 5.0


def reserve_s(total_s):
    return min(RESERVE_S, total_s / 10)


def run_all(stages, site, out, total_s, report=print):
    """Results in the order of the stages; never takes longer than total_s. What a stage leaves of
    its time is shared out among those behind it."""
    end = time.monotonic() + total_s - reserve_s(total_s)
    taking_part = shares.chosen(stages, total_s - reserve_s(total_s))
    results, open_ones = [], list(taking_part)
    for stage in stages:
        if stage not in taking_part:
            reason = f"not in {total_s / 60:g} minutes: needs {stage.least_s:.0f} s"
            results.append(_result(stage, site, NOT_RUN, reason))
            report(f"{stage.name}: {reason}")
            continue
        left = end - time.monotonic()
        limit = shares.limits(open_ones, max(left, 0.0))[0]
        open_ones.remove(stage)
        if limit < stage.least_s / 2:
            results.append(_result(stage, site, NOT_RUN, "out of time"))
        else:
            report(f"{stage.name}: {stage.title} (at most {limit:.0f} s, "
                   f"{100 * limit / total_s:.0f} % of the time)")
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
    # Ending processes is within the limit, too.
    deadline = begin + limit_s - min(GRACE_S, limit_s / 10)
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid == 0:
        _stage_process(stage, site, out, deadline, answer, partial)
    status = _wait(pid, deadline)
    over = status is None
    processes.end_session(pid)  # also of a stage that ended and left something running
    if over:
        status = _wait(pid, time.monotonic() + 1)
    seconds = time.monotonic() - begin
    outcome = outcome_from_file(answer)
    if outcome is None:
        so_far = outcome_from_file(partial)
        result = TIMEOUT if over else FAIL
        words = f"no end within {limit_s:.0f} s" if over else f"ended without a result ({_words(status)})"
        return _result(stage, site, result, words, seconds, limit_s, so_far)
    result = {True: PASS, False: FAIL, None: SKIPPED}[outcome.passed]
    return _result(stage, site, result, outcome.figure, seconds, limit_s, outcome)


def _result(stage, site, result, figure, seconds=0.0, limit_s=0.0, outcome=None):
    goals = judged_goals(stage, result, figure, outcome.goals if outcome else {}, site.rehearsal)
    return Result(stage.name, result, figure, stage.wanted, seconds, outcome.figures if outcome else {},
                  limit_s, goals)


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
            outcome.goals = {**context.goals, **outcome.goals}
            outcome_to_file(outcome, answer)
        sys.stdout.flush()
        sys.stderr.flush()
        code = 0
    finally:
        os._exit(code)
