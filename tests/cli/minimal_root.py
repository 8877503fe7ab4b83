# SPDX-License-Identifier: Apache-2.0
"""A root folder that has glibc, bash and coreutils and nothing else, and commands inside it."""

import os
import shutil
import subprocess

PROGRAMS = ["bash", "cat", "dirname", "env", "getconf", "hostname", "id", "ls", "readlink", "uname"]
# mpirun and libc look users up; lo is the host's, because only mounts are separate.
FILES = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/bash\n",
    "etc/group": "root:x:0:\n",
    "etc/hosts": "127.0.0.1 localhost\n",
}
MOUNTS = """
set -e
mount --make-rprivate /
mount --rbind /proc "$1/proc"
mount --rbind /dev "$1/dev"
mount --rbind /sys "$1/sys"
root=$1
shift
exec chroot "$root" "$@"
"""


def why_not():
    """Why no such root can be entered here; empty when it can."""
    for tool in ("unshare", "chroot", "ldd"):
        if not shutil.which(tool):
            return f"needs {tool}"
    probe = subprocess.run(_unshare() + ["mount", "--make-rprivate", "/"], capture_output=True,
                           text=True, check=False)
    return "" if probe.returncode == 0 else f"no mount namespaces here: {probe.stderr.strip()}"


def _unshare():
    if os.geteuid() == 0:
        return ["unshare", "--mount"]
    return ["unshare", "--mount", "--map-root-user"]


def _libraries(program):
    text = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    words = [word for line in text.splitlines() for word in line.split()]
    return [word for word in words if word.startswith("/")]


def _copy(path, root):
    target = os.path.join(root, path.lstrip("/"))
    os.makedirs(os.path.dirname(target), exist_ok=True)
    shutil.copy(path, target)


def make(root):
    """glibc whole: the bundle leaves all of it to the machine, also what bash does not need."""
    for folder in ("proc", "dev", "sys", "tmp", "root", "opt"):
        os.makedirs(os.path.join(root, folder))
    os.chmod(os.path.join(root, "tmp"), 0o1777)
    for name in PROGRAMS:
        path = shutil.which(name)
        if path is None:
            continue
        _copy(os.path.realpath(path), root)
        for library in _libraries(path):
            _copy(library, root)
        target = os.path.join(root, "bin", name)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        if not os.path.exists(target):
            shutil.copy(os.path.realpath(path), target)
    shutil.copy(os.path.join(root, "bin", "bash"), os.path.join(root, "bin", "sh"))
    libc = next(path for path in _libraries(shutil.which("bash")) if "/libc.so" in path)
    for name in ("libm.so.6", "libmvec.so.1", "libdl.so.2", "librt.so.1", "libpthread.so.0",
                 "libresolv.so.2", "libutil.so.1", "libnss_files.so.2"):
        path = os.path.join(os.path.dirname(libc), name)
        if os.path.exists(path):
            _copy(path, root)
    for path, text in FILES.items():
        target = os.path.join(root, path)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with open(target, "w", encoding="utf-8") as file:
            file.write(text)


def run(root, *command, timeout=90):
    """Runs a command inside, with a bare environment."""
    return subprocess.run(
        _unshare() + ["/bin/sh", "-c", MOUNTS, "sh", root, *command],
        capture_output=True, text=True, check=False, timeout=timeout,
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "TMPDIR": "/tmp"})
