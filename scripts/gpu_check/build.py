# SPDX-License-Identifier: Apache-2.0
"""Brings the repository's build up to date: stepmark, the GPU tests, the benchmark programs."""
import os
import re
import shutil
import subprocess

PROGRAMS = re.compile(r"^(stepmark|gpu_\w+|stepmark_bench_\w+): phony$")
TOOLS = ("cmake", "ninja", "g++", "nvcc")


def bring_up_to_date(site, log_path, report=print):
    """What went wrong, in a line; empty when all programs are there."""
    for tool in TOOLS:
        if not shutil.which(tool) and not (tool == "nvcc" and shutil.which("/usr/local/cuda/bin/nvcc")):
            return f"no {tool}: install it (scripts/setup), or run from a bundle"
    env = {**os.environ, "CCACHE_BASEDIR": str(site.root), "CCACHE_NOHASHDIR": "1"}
    with open(log_path, "w+", encoding="utf-8", errors="replace") as log:
        def run(*command):
            return subprocess.run([str(word) for word in command], cwd=site.root, env=env, stdout=log,
                                  stderr=log, stdin=subprocess.DEVNULL, check=False).returncode == 0

        report("building what is missing (not counted as time)")
        if not (site.build / "build.ninja").is_file() and not run("cmake", "--preset", "cuda"):
            return f"configuring failed: {last_line(log)}"
        listing = subprocess.run(["ninja", "-C", site.build, "-t", "targets", "all"], capture_output=True,
                                 text=True, check=False).stdout
        targets = sorted({m.group(1) for m in map(PROGRAMS.match, listing.splitlines()) if m})
        if not targets or not run("cmake", "--build", site.build, "--target", *targets):
            return f"building failed: {last_line(log)}"
    return ""


def last_line(log):
    """An error where there is one, else what was said last."""
    log.seek(0)
    lines = [line.strip() for line in log if line.strip()]
    errors = [line for line in lines if "error" in line.lower()]
    return (errors or lines[-1:] or ["no output"])[0]
