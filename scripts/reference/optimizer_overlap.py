#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Times a training step on this CPU with AdamW after the backward pass and beside it, in turns.

usage: optimizer_overlap.py STEP_BENCH WORKLOAD.yaml [--plan seq=64,clip=0] [--rounds 7] [--json FILE]

STEP_BENCH is tests/equivalence_steps/step_bench.cpp. Both forms run in one process, on the same
buffers, in rounds of serial, overlapped, overlapped, serial, so that other load on the machine and a
drift meet both. The ratio is the median over rounds of serial time / overlapped time: above 1 where
overlapping pays. The lowest and the highest round tell how sure it is.
"""
import argparse
import os
import platform
import statistics
import time

from step_bench import StepBench, write_json

TURNS = ("serial", "overlapped", "overlapped", "serial")


def optimizer_seconds(profile):
    return sum(seconds for label, seconds in profile.items()
               if label.endswith(("(adamw)", "(sum_squares)")))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("step_bench")
    parser.add_argument("workload")
    parser.add_argument("--plan", default="seq=64,clip=0")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json")
    args = parser.parse_args()
    load = os.getloadavg()[0]

    bench = StepBench(args.step_bench, args.workload, args.plan)
    facts = bench.ask("facts")
    optimizer = {}
    for form in ("serial", "overlapped"):
        bench.ask(f"step {form}")  # its first run
        bench.ask(f"step {form}")
        optimizer[form] = optimizer_seconds(bench.ask("profile"))
    seconds = {"serial": [], "overlapped": []}
    ratios = []
    for _ in range(args.rounds):
        round_s = {"serial": 0.0, "overlapped": 0.0}
        for form in TURNS:
            took = bench.ask(f"step {form}")["seconds"]
            seconds[form].append(took)
            round_s[form] += took
        ratios.append(round_s["serial"] / round_s["overlapped"])
    if bench.close() != 0:
        raise SystemExit("step_bench failed")

    medians = {form: statistics.median(values) for form, values in seconds.items()}
    result = {
        "what": "one training step with AdamW after the backward pass and beside it, one process",
        "model": facts["model"], "plan": facts["plan"],
        "machine": {"cores": os.cpu_count(), "threads": facts["threads"], "kernel": platform.release(),
                    "load_average_before": load, "date": time.strftime("%Y-%m-%d")},
        "serial_s": seconds["serial"], "overlapped_s": seconds["overlapped"],
        "optimizer_kernels_s": optimizer, "rounds": ratios,
        "ratio": statistics.median(ratios),
    }
    print(f"{facts['model']}, {facts['plan']}, {facts['threads']} threads on {os.cpu_count()} cores")
    print(f"serial {medians['serial']:.4f} s, of which the optimizer {optimizer['serial']:.4f} s; "
          f"overlapped {medians['overlapped']:.4f} s")
    print(f"serial / overlapped: {result['ratio']:.3f} (rounds {min(ratios):.3f} to {max(ratios):.3f})")
    if args.json:
        write_json(args.json, result)


if __name__ == "__main__":
    main()
