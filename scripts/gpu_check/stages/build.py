# SPDX-License-Identifier: Apache-2.0
"""Brings the repository's build up to date: stepmark, the GPU tests, the benchmark programs."""
import re
import shutil

from gpu_check.context import StageError
from gpu_check.stage import Outcome

PROGRAMS = re.compile(r"^(stepmark|gpu_\w+|stepmark_bench_\w+): phony$")


def run(context):
    site = context.site
    preset = "host-release" if site.rehearsal else "cuda"
    for tool in ("cmake", "ninja", "g++") + (() if site.rehearsal else ("nvcc",)):
        found = shutil.which(tool) or (tool == "nvcc" and shutil.which("/usr/local/cuda/bin/nvcc"))
        if not found:
            raise StageError(f"no {tool}: install it (scripts/setup), or run from a bundle")
    env = {"CCACHE_BASEDIR": str(site.root), "CCACHE_NOHASHDIR": "1"}
    if not (site.build / "build.ninja").is_file():
        done = context.run(["cmake", "--preset", preset], env=env, cwd=site.root)
        if done.code != 0:
            raise StageError(f"configuring: {done.last_words()}")
    listing = context.run(["ninja", "-C", site.build, "-t", "targets", "all"])
    targets = sorted({m.group(1) for m in map(PROGRAMS.match, listing.out.splitlines()) if m})
    done = context.run(["cmake", "--build", site.build, "--target", *targets], env=env, cwd=site.root)
    if done.code != 0:
        errors = [line for line in done.out.splitlines() if "error" in line.lower()]
        raise StageError(errors[0] if errors else done.last_words())
    return Outcome(True, f"{len(targets)} programs", {"programs": targets})
