# SPDX-License-Identifier: Apache-2.0
"""Single kernels against PyTorch's, the two sides taking turns on the same GPU."""
import statistics

from gpu_check import records as rec, rehearsal
from gpu_check.asking import torch_side
from gpu_check.context import StageError
from gpu_check.stage import Outcome

GEMM_WANTED, ATTENTION_WANTED = 0.98, 0.95
ROUNDS = 3
# GEMMs under this many FLOPs measure launches.
LEAST_FLOPS = 5e10
# Attention as in the 8B model.
ATTENTION = {"heads": 32, "kv_heads": 8, "head_dim": 128}
SEQUENCES, BATCH = (4096, 8192), 2


def gemm(context):
    def wanted(case):
        dims = rec.dims_of(case)
        # torch.matmul has no form that adds to an fp32 result.
        like_for_like = case.startswith("kernel/gemm/") and not dims.get("accumulate")
        large = 2 * dims.get("m", 0) * dims.get("n", 0) * dims.get("k", 0) >= LEAST_FLOPS
        return like_for_like and (large or context.site.rehearsal)

    def rival(side, record):
        shape = rec.op_shape(record)
        ask = {name: shape[name] for name in ("m", "n", "k", "trans_a", "trans_b") if name in shape}
        return side.ask("gemm", dtype=record["texts"]["dtype"], **ask)["seconds"], "matmul"

    return compare(context, wanted, rival, GEMM_WANTED)


def attention(context):
    def wanted(case):
        dims = rec.dims_of(case)
        if not case.startswith("kernel/attention_"):
            return False
        if context.site.rehearsal:
            return dims["seq"] <= 128
        return (ATTENTION.items() <= dims.items() and dims["seq"] in SEQUENCES and dims["batch"] == BATCH)

    def rival(side, record):
        shape = rec.op_shape(record)
        names = ("batch", "seq", "heads", "kv_heads", "head_dim")
        answer = side.ask("attention", backward=int(record["texts"]["op"] == "attention_bwd"),
                          **{name: shape[name] for name in names})
        if not answer["backends"]:
            raise StageError(f"PyTorch: no SDPA backend ran: {answer['errors']}")
        best = min(answer["backends"], key=answer["backends"].get)
        return answer["backends"][best], best

    return compare(context, wanted, rival, ATTENTION_WANTED)


def compare(context, wanted, rival, least):
    """Ratio of speeds per case: PyTorch's median time over ours, over rounds that take turns."""
    if not context.site.python:
        return Outcome(None, "no Python here imports torch (STEPMARK_PYTHON names one)")
    suite = rehearsal.suite(context, "gpu-check")
    listed = context.run([*context.site.stepmark, "list", "cases", "--suite", suite, "--ranks", 1, "--json"])
    chosen = [case for case in rec.case_ids(listed.out) if wanted(case)]
    if not chosen:
        raise StageError(f"no case of suite gpu-check belongs here: {listed.last_words()}")
    rounds = ROUNDS
    if context.site.rehearsal:
        rounds, chosen = 2, chosen[:1]
    side = torch_side(context)
    cases, wrong = {}, []
    begin = context.left_s()
    for round_index in range(rounds):
        spent = (begin - context.left_s()) / max(round_index, 1)
        if round_index and context.left_s() < 1.2 * spent:
            break  # a round more would not end
        _, records = context.measure("--suite", suite, "--only", *chosen, "--budget",
                                     f"{max(0.5 * len(chosen), 2):.0f}s")
        wrong = wrong or rec.failures(records) + rec.refused(records)
        for record in rec.measured(records):
            if record["case_id"] not in chosen:  # --only looks for parts of names
                continue
            seconds, name = rival(side, record)
            case = cases.setdefault(record["case_id"], {"stepmark_s": [], "pytorch_s": [], "rival": name})
            case["stepmark_s"].append(rec.median_s(record))
            case["pytorch_s"].append(seconds)
            case["flops"] = record["numbers"]["flops"]
            context.keep(cases=cases)
    side.close()
    if wrong or not cases:
        raise StageError(wrong[0] if wrong else "no case was measured")
    for case in cases.values():
        case["speed_ratio"] = statistics.median(case["pytorch_s"]) / statistics.median(case["stepmark_s"])
        case["tflops"] = case["flops"] / statistics.median(case["stepmark_s"]) / 1e12
    worst = min(cases, key=lambda name: cases[name]["speed_ratio"])
    for name, case in cases.items():
        print(f"{case['speed_ratio']:6.3f} of {case['rival']}, {case['tflops']:7.1f} TFLOP/s  {name}")
    ratio = cases[worst]["speed_ratio"]
    figure = f"least {ratio:.3f} of {len(cases)}: {worst.partition('/')[2]}"
    return Outcome(ratio >= least or context.site.rehearsal, figure, {"cases": cases})

