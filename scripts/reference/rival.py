# SPDX-License-Identifier: Apache-2.0
"""Which of the forms that PyTorch offers for a step is the rival: the fastest of those that run. Knows
nothing of PyTorch, so that it can be tested without."""
import time


def best_of(forms, repeats=3, clock=time.perf_counter):
    """forms: {name: make}, where make() returns what runs a step. (name, tried): the fastest, and of
    every form its best time in seconds, or why it did not run, as text. A form's first step is not
    timed: it may compile."""
    tried = {}
    for name, make in forms.items():
        try:
            step = make()
            step()
            times = []
            for _ in range(repeats):
                begin = clock()
                step()
                times.append(clock() - begin)
            tried[name] = min(times)
        except Exception as error:  # pylint: disable=broad-except  # whatever a compiler throws
            tried[name] = " ".join(str(error).split())[:200] or type(error).__name__
        step = None
    ran = {name: seconds for name, seconds in tried.items() if not isinstance(seconds, str)}
    if not ran:
        raise SystemExit(f"no form of PyTorch's step runs here: {tried}")
    return min(ran, key=ran.get), tried


def described(version, name, tried):
    """One line: who the rival is, and what else was tried."""
    others = ", ".join(f"{other} {seconds:.3f} s" if not isinstance(seconds, str) else
                       f"{other} not ({seconds})"
                       for other, seconds in tried.items() if other != name)
    return f"PyTorch {version}, {name}: the fastest of its forms here" + \
        (f"; tried as well: {others}" if others else "")
