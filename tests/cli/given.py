# SPDX-License-Identifier: Apache-2.0
"""Starts a program in surroundings of a given kind: what containers, batch systems and launchers do.

usage: given.py quota CORES PROGRAM ...        in a control group with that CPU quota
       given.py host HEXBYTES PROGRAM ...      on a host of that name (UTS namespace)
       given.py shm SIZE PROGRAM ...           with a /dev/shm of that size (mount namespace)
       given.py no-attach PROGRAM ...          where processes may not read each other's memory (seccomp)
       given.py probe KIND                     exit code 0 when this machine lets us do that

Exit code 120: this machine does not let us do that.
"""

import ctypes
import os
import platform
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time

CANNOT = 120
CLONE_NEWNS, CLONE_NEWUTS = 0x00020000, 0x04000000
LIBC = ctypes.CDLL(None, use_errno=True)


class Cannot(Exception):
    pass


def need(ok, what):
    if not ok:
        raise Cannot(what)


def unshare(flags):
    need(LIBC.unshare(flags) == 0, "may not make a namespace")


def mount(*arguments):
    need(subprocess.run(["mount", *arguments], stderr=subprocess.DEVNULL, check=False).returncode == 0,
         "may not mount " + " ".join(arguments))


def private_mounts():
    unshare(CLONE_NEWNS)
    mount("--make-rprivate", "/")


def quota_files(folder, cores):
    """What to write for a quota, for either version of the kernel's interface."""
    try:
        mount("-t", "cgroup", "-o", "cpu", "none", folder)
        return {"cpu.cfs_period_us": "100000", "cpu.cfs_quota_us": str(int(100000 * cores))}
    except Cannot:
        mount("-t", "cgroup2", "none", folder)
        return {"cpu.max": f"{int(100000 * cores)} 100000"}


def remove(group):
    """A helper of MPI's may leave a moment after the program."""
    deadline = time.monotonic() + 20
    while os.path.isdir(group):
        try:
            os.rmdir(group)
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def with_quota(cores, command):
    private_mounts()
    folder = tempfile.mkdtemp(prefix="stepmark-cgroup-")
    group = os.path.join(folder, f"stepmark-test-{os.getpid()}")
    try:
        files = quota_files(folder, cores)
        os.mkdir(group)
        for name, text in files.items():
            with open(os.path.join(group, name), "w", encoding="ascii") as file:
                file.write(text)

        def enter():
            with open(os.path.join(group, "cgroup.procs"), "w", encoding="ascii") as file:
                file.write("0")

        return subprocess.run(command, preexec_fn=enter, check=False).returncode
    except OSError as error:
        raise Cannot(str(error)) from error
    finally:
        remove(group)
        subprocess.run(["umount", folder], stderr=subprocess.DEVNULL, check=False)
        os.rmdir(folder)


def without_attach():
    """process_vm_readv and process_vm_writev fail with EPERM, as in a container of old."""
    calls = {"x86_64": (310, 311), "aarch64": (270, 271)}.get(platform.machine())
    need(calls, "not known for this processor")

    def instruction(code, if_true, if_false, value):
        return struct.pack("HBBI", code, if_true, if_false, value)

    program = (instruction(0x20, 0, 0, 0) + instruction(0x15, 1, 0, calls[0]) +
               instruction(0x15, 0, 1, calls[1]) + instruction(0x06, 0, 0, 0x00050001) +
               instruction(0x06, 0, 0, 0x7FFF0000))

    class Filter(ctypes.Structure):
        _fields_ = [("length", ctypes.c_ushort), ("program", ctypes.c_void_p)]

    text = ctypes.create_string_buffer(program, len(program))
    rules = Filter(len(program) // 8, ctypes.addressof(text))
    no_new_privileges, set_filter = 38, 22
    need(LIBC.prctl(no_new_privileges, 1, 0, 0, 0) == 0 and
         LIBC.prctl(set_filter, 2, ctypes.byref(rules), 0, 0) == 0, "may not filter system calls")


def run(kind, arguments):
    if kind == "probe":
        sample = {"quota": ["0.5"], "host": ["61"], "shm": ["1m"], "no-attach": []}[arguments[0]]
        return run(arguments[0], [*sample, "true"])
    if kind == "quota":
        return with_quota(float(arguments[0]), arguments[1:])
    if kind == "host":
        unshare(CLONE_NEWUTS)
        socket.sethostname(bytes.fromhex(arguments[0]))
        arguments = arguments[1:]
    elif kind == "shm":
        private_mounts()
        mount("-t", "tmpfs", "-o", "size=" + arguments[0], "none", "/dev/shm")
        arguments = arguments[1:]
    else:
        without_attach()
    os.execvp(shutil.which(arguments[0]) or arguments[0], arguments)
    return CANNOT


if __name__ == "__main__":
    try:
        sys.exit(run(sys.argv[1], sys.argv[2:]))
    except (Cannot, OSError) as problem:
        print(f"given.py: {problem}", file=sys.stderr)
        sys.exit(CANNOT)
