# SPDX-License-Identifier: Apache-2.0
"""Brings the build up to date and says which programs belong into the bundle."""
import json
import os
import pathlib
import re
import subprocess

from bundling.failure import BundleError, output_of

# Programs by the names that CMake gives them.
PROGRAMS = re.compile(r"^(stepmark|gpu_\w+|stepmark_bench_\w+)$")


def bring_up_to_date(repo, build):
    """Configures build/cuda when it is missing, and builds the programs of the bundle."""
    environment = dict(os.environ, CCACHE_BASEDIR=str(repo), CCACHE_NOHASHDIR="1")
    if not (build / "build.ninja").is_file():
        if build.resolve() != (repo / "build" / "cuda").resolve():
            raise BundleError(f"{build} is not a configured build folder")
        print("bundle: configuring build/cuda", flush=True)
        run(["cmake", "--preset", "cuda"], repo, environment)
    run(["cmake", "--build", build, "--target", *targets(build)], repo, environment)


def run(command, repo, environment):
    words = [str(word) for word in command]
    if subprocess.run(words, cwd=repo, env=environment, check=False).returncode != 0:
        raise BundleError(f"{' '.join(words[:4])} ... failed")


def targets(build):
    lines = output_of("ninja", "-C", build, "-t", "targets", "all").splitlines()
    names = {line.split(":", 1)[0] for line in lines if line.endswith(": phony")}
    return sorted(name for name in names if PROGRAMS.match(name))


def instruction_sets(build):
    """What host kernels were compiled for, the weakest first (STEPMARK_HOST_SETS)."""
    cache = (build / "CMakeCache.txt").read_text(encoding="utf-8")
    found = re.search(r"^STEPMARK_HOST_SETS:STRING=(.*)$", cache, re.MULTILINE)
    return found.group(1).split(";") if found else []


def programs(build):
    """Name -> path of every built program of the bundle."""
    found = {}
    for folder, folders, files in os.walk(build):
        folders[:] = [name for name in folders if name not in ("CMakeFiles", "Testing", "bundle")]
        for name in files:
            path = pathlib.Path(folder, name)
            if PROGRAMS.match(name) and os.access(path, os.X_OK):
                found[name] = path
    if "stepmark" not in found:
        raise BundleError(f"{build} has no stepmark: build it, or leave out --no-build")
    return found


def gpu_tests(build):
    """The tests of label gpu as ctest knows them: name, command, environment, seconds."""
    listing = json.loads(output_of("ctest", "--test-dir", build, "-L", "gpu", "--show-only=json-v1"))
    tests = []
    for test in listing.get("tests", []):
        properties = {p["name"]: p["value"] for p in test.get("properties", [])}
        if "command" in test:  # absent when the program was not built
            tests.append({"name": test["name"], "command": test["command"],
                          "environment": properties.get("ENVIRONMENT", []),
                          "timeout_s": properties.get("TIMEOUT", 180)})
    return tests
