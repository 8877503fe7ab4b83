# SPDX-License-Identifier: Apache-2.0
"""Single kernels against PyTorch's, the two sides taking turns on the same GPU."""
import statistics

from gpu_check import records as rec
from gpu_check.context import StageError
from gpu_check.stage import Outcome
from gpu_check.torch_side import TorchSide

GEMM_WANTED, ATTENTION_WANTED = 0.98, 0.95
ROUNDS = 3
# Products under this many FLOPs measure launches.
LEAST_FLOPS = 5e10


def gemm(context):
    def wanted(record):
        shape = rec.op_shape(record)
        # torch.matmul has no form that adds to an fp32 result.
        like_for_like = not shape.get("accumulate") and not shape.get("out_f32")
        large = record["numbers"]["flops"] >= LEAST_FLOPS
        return like_for_like and (large or context.site.rehearsal)

    def rival(torch_side, record):
        shape = rec.op_shape(record)
        ask = {name: shape[name] for name in ("m", "n", "k", "trans_a", "trans_b") if name in shape}
        return torch_side.ask("gemm", dtype=record["texts"]["dtype"], **ask)["seconds"], "matmul"

    return compare(context, "kernel/gemm/", wanted, rival, GEMM_WANTED)


def attention(context):
    def wanted(record):
        shape = rec.op_shape(record)
        if context.site.rehearsal:
            return shape["seq"] <= 128
        return (shape["batch"] == 2 and shape["heads"] == 32 and shape["kv_heads"] == 8
                and shape["seq"] in (4096, 8192) and shape["head_dim"] == 128)

    def rival(torch_side, record):
        shape = rec.op_shape(record)
        names = ("batch", "seq", "heads", "kv_heads", "head_dim")
        answer = torch_side.ask("attention", backward=int(record["texts"]["op"] == "attention_bwd"),
                                **{name: shape[name] for name in names})
        if not answer["backends"]:
            raise StageError(f"PyTorch: no SDPA backend ran: {answer['errors']}")
        best = min(answer["backends"], key=answer["backends"].get)
        return answer["backends"][best], best

    return compare(context, "kernel/attention_", wanted, rival, ATTENTION_WANTED)


def compare(context, only, wanted, rival, least):
    """Ratio of speeds per case: PyTorch's median time over ours, over rounds that take turns."""
    if not context.site.python:
        return Outcome(None, "no Python here imports torch (STEPMARK_PYTHON names one)")
    torch_side = TorchSide(context)
    cases, wrong = {}, []
    begin = context.left_s()
    for round_index in range(ROUNDS):
        spent = (begin - context.left_s()) / max(round_index, 1)
        if round_index and context.left_s() < 1.2 * spent:
            break  # a round more would not end
        records = ours(context, only)
        wrong = wrong or rec.failures(records) + rec.refused(records)
        for record in filter(wanted, rec.measured(records)):
            seconds, name = rival(torch_side, record)
            case = cases.setdefault(record["case_id"], {"stepmark_s": [], "pytorch_s": [], "rival": name})
            case["stepmark_s"].append(rec.median_s(record))
            case["pytorch_s"].append(seconds)
            case["flops"] = record["numbers"]["flops"]
            context.keep(cases=cases)
    torch_side.close()
    if wrong or not cases:
        raise StageError(wrong[0] if wrong else f"no case {only} was measured")
    for case in cases.values():
        case["speed_ratio"] = statistics.median(case["pytorch_s"]) / statistics.median(case["stepmark_s"])
        case["tflops"] = case["flops"] / statistics.median(case["stepmark_s"]) / 1e12
    worst = min(cases, key=lambda name: cases[name]["speed_ratio"])
    for name, case in cases.items():
        print(f"{case['speed_ratio']:6.3f} of {case['rival']}, {case['tflops']:7.1f} TFLOP/s  {name}")
    ratio = cases[worst]["speed_ratio"]
    figure = f"least {ratio:.3f} of {len(cases)}: {worst.partition('/')[2]}"
    return Outcome(ratio >= least or context.site.rehearsal, figure, {"cases": cases})


def ours(context, only):
    suite = "quick" if context.site.rehearsal else "gpu-check"
    _, records = context.measure("--suite", context.site.suite(suite), "--only", only,
                                 "--budget", "6s")
    return records
