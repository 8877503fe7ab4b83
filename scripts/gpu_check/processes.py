# SPDX-License-Identifier: Apache-2.0
"""Finding and ending the processes that a stage has started. mpirun gives each rank a process group
of its own, so groups are not enough; a session holds them all."""
import os
import signal
import time


def _stat():
    """(pid, parent, session, state) of every process that can be seen."""
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat", encoding="utf-8", errors="replace") as file:
                fields = file.read().rpartition(")")[2].split()
        except OSError:
            continue  # ended meanwhile
        yield int(name), int(fields[1]), int(fields[3]), fields[0]


def of_session(session):
    return [pid for pid, _, own, state in _stat() if own == session and state != "Z"]


def descendants(pid):
    """Of one process, without itself."""
    children = {}
    for child, parent, _, _ in _stat():
        children.setdefault(parent, []).append(child)
    found, open_ones = [], [pid]
    while open_ones:
        for child in children.get(open_ones.pop(), []):
            found.append(child)
            open_ones.append(child)
    return found


def _signal(pids, number):
    for pid in pids:
        try:
            os.kill(pid, number)
        except (ProcessLookupError, PermissionError):
            pass


def end_session(session, grace_s=2.0):
    """SIGTERM, then SIGKILL to what is left. A process stuck in a driver outlives both."""
    _signal(of_session(session), signal.SIGTERM)
    until = time.monotonic() + grace_s
    while of_session(session) and time.monotonic() < until:
        time.sleep(0.05)
    _signal(of_session(session), signal.SIGKILL)


def kill_tree(pid):
    _signal([pid, *descendants(pid)], signal.SIGKILL)


def environment_of(pid):
    try:
        with open(f"/proc/{pid}/environ", encoding="utf-8", errors="replace") as file:
            pairs = (item.partition("=") for item in file.read().split("\0"))
            return {name: value for name, _, value in pairs}
    except OSError:
        return {}
