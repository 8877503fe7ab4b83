#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every fuzz target for long: minutes of the processor each, where CI gives seconds.

usage: scripts/reference/fuzz.py [--minutes 10] [--beside 2] [--only NAME] [--json FILE] [--findings FOLDER]

Takes the targets from the fuzz build (`cmake --preset host-debug && cmake --build --preset host-debug --target fuzzers`), each with the
corpus and limits of its test but another seed. Time is counted on the processor, so that a busy machine shortens nothing.
A target that finds something leaves the input in the folder of findings. Exit code 1 when one did.
"""
import argparse
import concurrent.futures
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
BUILD = os.path.join(ROOT, "build", "host-debug")
POLL_S = 1.0
CLOCK_TICKS = os.sysconf("SC_CLK_TCK")


def targets(only):
    """{name: command} of the tests that the build has."""
    listed = subprocess.run(["ctest", "--test-dir", BUILD, "--show-only=json-v1", "-L", "fuzz"], check=True, stdout=subprocess.PIPE, text=True)
    found = {test["name"]: test.get("command") for test in json.loads(listed.stdout)["tests"]}
    unbuilt = [name for name, command in found.items() if not command or not os.access(command[0], os.X_OK)]
    if unbuilt or not found:
        sys.exit(f"no program of {', '.join(unbuilt) or 'any target'}: cmake --build --preset host-debug --target fuzzers")
    return {name: command for name, command in found.items() if only in name}


def processor_seconds(pid):
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / CLOCK_TICKS


def hunt(name, command, seconds, findings):
    """Counts of one target, and the exit code of its program."""
    begin, used = time.monotonic(), 0.0
    program, *words = command
    options = [word for word in words if word.startswith("-") and not word.startswith(("-seed=", "-max_total_time="))]
    folders = [word for word in words if not word.startswith("-")]
    with tempfile.TemporaryDirectory() as corpus, tempfile.TemporaryFile("w+") as log:
        grown = os.path.join(corpus, "grown")
        shutil.copytree(folders[0], grown)
        own = ["-seed=0", f"-artifact_prefix={os.path.join(findings, name)}-"]
        process = subprocess.Popen([program, *options, *own, grown, *folders[1:]], stdout=log, stderr=subprocess.STDOUT)
        while process.poll() is None:
            time.sleep(POLL_S)
            try:
                used = processor_seconds(process.pid)
            except (FileNotFoundError, ProcessLookupError):
                break  # between the two looks
            if used >= seconds:
                process.send_signal(signal.SIGUSR1)  # libFuzzer ends after the present input
                break
        code = process.wait()
        log.seek(0)
        text = log.read()
    if code:
        print(text[-4000:], file=sys.stderr)
    covered = re.findall(r"cov: (\d+) ft: (\d+)", text)
    executed = re.search(r"number_of_executed_units:\s*(\d+)", text)
    return {
        "target": name,
        "processor_s": round(used),
        "wall_s": round(time.monotonic() - begin),
        "inputs": int(executed.group(1)) if executed else None,
        "edges": int(covered[-1][0]) if covered else None,
        "exit_code": code,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10, help="of the processor, each target")
    parser.add_argument("--beside", type=int, default=2, help="targets at a time")
    parser.add_argument("--only", default="", help="targets whose name has this text")
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--findings", metavar="FOLDER", default=os.path.join(BUILD, "findings"))
    args = parser.parse_args()
    os.makedirs(args.findings, exist_ok=True)
    wanted = targets(args.only)
    if not wanted:
        sys.exit(f"no target has '{args.only}' in its name")
    results = []
    with concurrent.futures.ThreadPoolExecutor(args.beside) as pool:
        running = [pool.submit(hunt, name, command, 60 * args.minutes, args.findings) for name, command in wanted.items()]
        for done in concurrent.futures.as_completed(running):
            results.append(done.result())
            print(json.dumps(results[-1]), flush=True)
            if args.json:  # after each: a hunt that is cut off keeps what it has
                with open(args.json, "w") as file:
                    json.dump(sorted(results, key=lambda result: result["target"]), file, indent=1)
                    file.write("\n")
    return 1 if any(result["exit_code"] for result in results) else 0


if __name__ == "__main__":
    sys.exit(main())
