# SPDX-License-Identifier: Apache-2.0
"""The tests of label gpu, one after another: they share one GPU."""
import re

from gpu_check.context import StageError
from gpu_check.stage import Outcome

SKIPPED = 77
STAND_INS = ("emulated_device",)  # for the tests that need a GPU
GRACE_S = 3


def run(context):
    tests = context.site.gpu_tests()
    if context.site.rehearsal:
        tests = [test for test in context.site.tests_of("emulation") if test["name"] in STAND_INS] or [
            {"name": "version", "command": [str(context.site.stepmark[0]), "--version"], "environment": [],
             "timeout_s": 10}]
    if not tests:
        raise StageError("no test of label gpu was built")
    results, passed = {}, 0
    for test in tests:
        if context.left_s() < 2:
            results[test["name"]] = "not run: out of time"
        elif not test["command"]:
            results[test["name"]] = "not built"
        else:
            env = {**own_deadline(test["timeout_s"], context.left_s()),
                   **dict(item.split("=", 1) for item in test["environment"])}
            results[test["name"]] = verdict(context.run(test["command"], test["timeout_s"], env=env))
        context.keep(**results)
    passed = sum(words == "pass" for words in results.values())
    wrong = [f"{name}: {words}" for name, words in results.items() if words != "pass"]
    figure = f"{passed} of {len(results)}" + (f"; {wrong[0]}" if wrong else "")
    return Outcome(not wrong, figure, results)


def own_deadline(timeout_s, left_s):
    """A test that hangs ends by itself and is named, before its whole program is ended for it."""
    return {"STEPMARK_TEST_DEADLINE_S": f"{max(min(timeout_s, left_s) - GRACE_S, 1):.0f}"}


def verdict(done):
    if done.code == 0:
        return "pass"
    if done.code == -1:
        return "no end within its time"
    if done.code == SKIPPED:  # with a GPU there is nothing to skip for
        return done.last_words()
    hung = re.search(r"^\[  FAILED  \] (\S+: no end within \S+ s)", done.out, re.MULTILINE)
    if hung:
        return hung.group(1)
    failed = re.findall(r"^\[  FAILED  \] (\S+?),? ", done.out + "\n", re.MULTILINE)
    names = ", ".join(list(dict.fromkeys(failed))[:3])
    return f"exit code {done.code}" + (f": {names}" if names else f": {done.last_words()}")
