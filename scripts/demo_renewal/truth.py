# SPDX-License-Identifier: Apache-2.0
"""What is true of the three providers of the demo, and what follows of it by arithmetic."""

PROVIDERS = ("north", "east", "west")
GPUS = 64
SEQUENCE, BATCH = 8192, 256
TOKENS = SEQUENCE * BATCH

# Seconds of a step with the best plan of each, on 64 GPUs. The other plan takes 4 % longer.
STEP_S = {
    "llama3-8b": {"north": 4.00, "east": 4.20, "west": 3.92},
    "llama3-70b": {"north": 34.0, "east": 38.1, "west": 33.0},
}
OTHER_PLAN = 1.04
PARAMETERS = {"llama3-8b": 8030261248, "llama3-70b": 70553706496}
PLANS = {"llama3-8b": ("tp=2,dp=32", "tp=4,dp=16"), "llama3-70b": ("tp=8,pp=2,dp=4", "tp=8,pp=4,dp=2")}

# Bus bandwidth of 1 GiB, GB/s: it differs far more than the steps do.
BUSBW = {
    "all_reduce": {"north": 380.0, "east": 262.0, "west": 402.0},
    "all_gather": {"north": 350.0, "east": 195.0, "west": 361.0},
}

# How runs differ (common to all cases of a run), and samples within one.
RUN_SD, SAMPLE_SD, DEPENDENCE = 0.006, 0.01, 0.4
RUNS, SAMPLES = 5, 60

# Share of paid time that advances a job.
GOODPUT = {"north": 0.97, "east": 0.95, "west": 0.96}
PRICE_KINDS = {"on-demand": {"north": 3.20, "east": 2.75, "west": 3.60}, "1-year": {"north": 2.60, "east": 2.27, "west": 2.95}}
PRICE_KIND = "1-year"
DAY = "2026-11-15"

# Capacity; east's contract has a minimum.
CAPACITY = {"north": (512, 0), "east": (512, 128), "west": (256, 0)}
MIX = {"llama3-8b": (4e12, 30, "north"), "llama3-70b": (5e11, 20, "north")}


def rate(workload, provider):
    """Tokens per second and GPU."""
    return TOKENS / STEP_S[workload][provider] / GPUS


def cost(workload, provider, kind=PRICE_KIND):
    """Of 10^6 tokens, delivered."""
    return PRICE_KINDS[kind][provider] / (rate(workload, provider) * 3600 * GOODPUT[provider]) * 1e6


def break_even(workload, provider, other, kind=PRICE_KIND):
    """The price per GPU-hour at which `provider` costs what `other` does."""
    return PRICE_KINDS[kind][other] * rate(workload, provider) / rate(workload, other) * GOODPUT[provider] / GOODPUT[other]


def stated():
    lines = [f"{'workload':<11} {'provider':<9} {'step s':>7} {'USD/GPU-h':>10} {'goodput':>8} {'USD/10^6 tokens':>16}   break-even against the others"]
    for workload, steps in STEP_S.items():
        cheapest = min(PROVIDERS, key=lambda name: cost(workload, name))
        for name in PROVIDERS:
            others = ", ".join(f"{other} {break_even(workload, name, other):.3f}" for other in PROVIDERS if other != name)
            mark = "  <- cheapest" if name == cheapest else ""
            lines.append(f"{workload:<11} {name:<9} {steps[name]:>7.2f} {PRICE_KINDS[PRICE_KIND][name]:>10.2f} {GOODPUT[name]:>8.2f} "
                         f"{cost(workload, name):>16.5f}   {others}{mark}")
    gathers = BUSBW["all_gather"]
    lines.append(f"all-gather: north has {gathers['north'] / gathers['east']:.2f}x the bus bandwidth of east, "
                 f"whose llama3-8b step takes {100 * (STEP_S['llama3-8b']['east'] / STEP_S['llama3-8b']['north'] - 1):.0f} % longer.")
    lines.append(f"Runs differ by {100 * RUN_SD:.1f} % (standard deviation), samples of a run by {100 * SAMPLE_SD:.0f} %; "
                 f"prices of kind {PRICE_KIND}.")
    return "\n".join(lines)


def prices():
    lines = ["# Made up, as all of this demo.", "prices: demo-renewal", "currency: USD", "providers:"]
    for name in PROVIDERS:
        lines += [f"  - provider: {name}", "    prices:"]
        for kind, of in PRICE_KINDS.items():
            lines.append(f"      - {{kind: {kind}, per_gpu_hour: {of[name]}, goodput: {GOODPUT[name]}, date: {DAY}, region: nowhere, "
                         f"source: made up}}")
    return "\n".join(lines) + "\n"


def mix():
    lines = ["# Made up, as all of this demo.", "mix: demo-renewal", f"prices: {PRICE_KIND}", "providers:"]
    for name, (gpus, minimum) in CAPACITY.items():
        least = f", minimum_gpus: {minimum}" if minimum else ""
        lines.append(f"  - {{provider: {name}, gpus: {gpus}{least}}}")
    lines.append("workloads:")
    for workload, (tokens, days, now) in MIX.items():
        lines.append(f"  - {{workload: {workload}, tokens_per_month: {tokens:.0f}, deadline_days: {days}, now: {now}}}")
    return "\n".join(lines) + "\n"
