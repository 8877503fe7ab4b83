# SPDX-License-Identifier: Apache-2.0
"""A training step on one GPU against the same model in compiled PyTorch, before and after it."""
import statistics

from gpu_check import records as rec
from gpu_check.context import StageError
from gpu_check.stage import Outcome
from gpu_check.torch_side import TorchSide

GAPS_WANTED = 0.01  # of a graph-captured step
ROUNDS = 3
STEPS_PER_ROUND = 5


def llama(context):
    if context.site.rehearsal:
        return compare(context, "tiny-llama", {"seq": 32, "micro_batch": 2}, 0.0)
    return compare(context, "llama3-8b", {"layers": 4, "seq": 8192, "micro_batch": 1}, 1.10)


def gpt2(context):
    if context.site.rehearsal:
        return compare(context, "tiny", {"seq": 32, "micro_batch": 2}, 0.0)
    return compare(context, "gpt2-124m", {"seq": 1024, "micro_batch": 8}, 1.0)


def compare(context, workload, plan, wanted):
    """Judged against fp32 parameters under autocast to bf16, which is what stepmark computes (fp32
    master weights and moments); all-bf16, which forgets small updates, is reported beside it."""
    if not context.site.python:
        return Outcome(None, "no Python here imports torch (STEPMARK_PYTHON names one)")
    precision = "fp32" if context.site.rehearsal else "bf16"
    records = [ours(context, workload, plan, precision)]
    record = records[0]
    figures = {"workload": workload, "plan": record["texts"]["plan"],
               "tokens_per_step": record["numbers"]["tokens_per_step"],
               "parameters": record["numbers"]["parameters"], "split": split_of(record),
               "stepmark_mfu": rec.metric(record, "mfu")[0], "stepmark_s": [rec.median_s(record)],
               "engines": {kind: record["texts"].get(f"{kind}_engine") for kind in ("attention", "product")},
               "engines_refused": rec.refused(records)}
    context.keep(**figures)
    theirs(context, workload, plan, precision, figures)
    if context.left_s() > 15:
        figures["stepmark_s"].append(rec.median_s(ours(context, workload, plan, precision)))
    ours_s, theirs_s = (statistics.median(figures[f"{side}_s"]) for side in ("stepmark", "pytorch"))
    figures["speed_ratio"] = theirs_s / ours_s
    figures["tokens_per_s"] = figures["tokens_per_step"] / ours_s
    same_model = figures["pytorch_parameters"] == figures["parameters"]
    return verdict(context, figures, same_model, wanted)


def theirs(context, workload, plan, precision, figures):
    """PyTorch's steps, in a process that is gone afterwards: two such steps do not fit into the
    memory of every GPU, so stepmark runs before and after instead of in between."""
    torch_side = TorchSide(context)
    try:
        prepared = prepare(context, torch_side, workload, plan, precision, masters=1)
        figures.update(pytorch_parameters=prepared["parameters"], pytorch_compile_s=prepared["prepare_s"])
        figures["pytorch_s"] = []
        for _ in range(ROUNDS):
            answer = torch_side.ask("step", count=STEPS_PER_ROUND)
            figures["pytorch_s"].append(statistics.median(answer["seconds"]))
            context.keep(**figures)
        all_bf16(context, torch_side, workload, plan, precision, figures)
    finally:
        torch_side.close()


def verdict(context, figures, same_model, wanted):
    figure = f"{figures['speed_ratio']:.3f}x, {figures['tokens_per_s']:.0f} tokens/s"
    if not same_model:
        return Outcome(False, f"{figure}; not the same number of parameters", figures)
    if figures["engines_refused"]:
        return Outcome(False, figures["engines_refused"][0], figures)
    gaps = figures["split"].get("overhead", 0.0) / sum(figures["split"].values())
    figures["gaps"] = gaps
    figure += f", gaps {100 * gaps:.2f} %"
    passed = figures["speed_ratio"] >= wanted and gaps <= GAPS_WANTED
    return Outcome(passed or context.site.rehearsal, figure, figures)


def all_bf16(context, torch_side, workload, plan, precision, figures):
    # stepmark's second run has to fit in as well.
    if context.site.rehearsal or context.left_s() < 1.5 * figures["pytorch_compile_s"] + 25:
        return
    try:
        prepare(context, torch_side, workload, plan, precision, masters=0)
        seconds = torch_side.ask("step", count=STEPS_PER_ROUND)["seconds"]
        figures["pytorch_all_bf16_s"] = statistics.median(seconds)
    except StageError as error:
        figures["pytorch_all_bf16_s"] = str(error)


def prepare(context, torch_side, workload, plan, precision, masters):
    file = context.site.suite("quick").parent.parent / "workloads" / f"{workload}.yaml"
    return torch_side.ask("step_prepare", workload=str(file), precision=precision, masters=masters, **plan)


def ours(context, workload, plan, precision):
    text = ",".join(f"{key}={value}" for key, value in plan.items())
    done, records = context.measure("--workload", workload, "--plan",
                                    f"{text},precision={precision},clip=0", "--budget", "8s")
    wrong = rec.failures(records)
    if wrong or not rec.measured(records):
        raise StageError(wrong[0] if wrong else f"step not measured: {done.last_words()}")
    return rec.measured(records)[0]


def split_of(record):
    return {part["name"]: part["seconds"] for part in record["split"]} or {"step": rec.median_s(record)}
