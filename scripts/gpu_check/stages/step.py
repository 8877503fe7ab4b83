# SPDX-License-Identifier: Apache-2.0
"""A training step on one GPU against the same model in compiled PyTorch, the two taking turns."""
import statistics

from gpu_check import records as rec, rehearsal
from gpu_check.asking import stepmark_side, torch_side
from gpu_check.context import StageError
from gpu_check.stage import Outcome

GPT2_WANTED = {1: 1.10, 0: 1.10}  # by clip, the largest norm of the gradient; 0: none
LLAMA_WANTED = {1: 1.10, 0: 1.06}
GAP_WANTED = 0.01  # of a graph-captured step
ROUNDS, LEAST_ROUNDS = 4, 2
ROUND_S = 0.8  # of back-to-back steps between two events, about
MEMORY_SPARE = 0.05  # of the GPU: contexts and workspaces


def goals(name, wanted):
    speed = [(f"clip{clip}", f"{name}, clip {clip}", f">= {least:.2f}x PyTorch")
             for clip, least in wanted.items()]
    return (*speed, ("mfu", f"{name}: MFU without --cluster", "a figure"),
            ("gap", f"{name}: share without work", f"<= {100 * GAP_WANTED:g} %"))


def gpt2(context):
    return compare(context, "gpt2-124m", {"seq": 1024, "micro_batch": 8}, GPT2_WANTED)


def llama(context):
    return compare(context, "llama3-8b", {"layers": 4, "seq": 8192, "micro_batch": 1}, LLAMA_WANTED)


def compare(context, workload, plan, wanted):
    """PyTorch keeps fp32 parameters and moments and computes under autocast to bf16, with the sums
    between blocks in bf16: what stepmark keeps and computes. Its form is the faster of those that
    compile."""
    if context.site.rehearsal:
        plan = {"seq": 16, "micro_batch": 1}
    record = recorded(context, workload, plan)
    figures = {"workload": workload, "plan": record["texts"]["plan"],
               "parameters": record["numbers"]["parameters"],
               "tokens_per_step": record["numbers"]["tokens_per_step"],
               "engines": {kind: record["texts"].get(f"{kind}_engine") for kind in ("attention", "gemm")},
               "engines_refused": rec.refused([record]), "stepmark_run_s": rec.median_s(record),
               "split": {part["name"]: part["seconds"] for part in record["split"]},
               "empty_graph_s": record["numbers"].get("empty_graph_s")}
    context.keep(**figures)
    judge_record(context, record)
    if not context.site.python:
        return Outcome(None, "no Python here imports torch (STEPMARK_PYTHON names one)", context.figures)
    sides = Sides(context, workload, plan, int(record["numbers"]["memory_bytes_per_rank"]))
    try:
        ratios = take_turns(context, sides, wanted)
    finally:
        sides.close()
    return verdict(context, ratios, wanted)


def verdict(context, ratios, wanted):
    figure = ", ".join(f"clip {clip}: {ratio:.3f}x" for clip, ratio in ratios.items())
    if context.figures["pytorch"]["parameters"] != context.figures["parameters"]:
        return Outcome(False, f"{figure}; not the same number of parameters", context.figures)
    if context.figures["engines_refused"]:
        return Outcome(False, context.figures["engines_refused"][0], context.figures)
    missed = [key for key, (met, _) in context.goals.items() if not met]
    passed = not missed and set(ratios) == set(wanted)
    return Outcome(passed or context.site.rehearsal, figure, context.figures)


def recorded(context, workload, plan):
    """One run with everything that a record holds: checks, engines, MFU, gap."""
    done, records = context.measure("--workload", rehearsal.workload(context, workload), "--plan",
                                    plan_text(plan, 1), "--budget", "4s")
    wrong = rec.failures(records)
    if wrong or not rec.measured(records):
        raise StageError(wrong[0] if wrong else f"step not measured: {done.last_words()}")
    return rec.measured(records)[0]


def judge_record(context, record):
    mfu, why = rec.metric(record, "mfu")
    context.keep(mfu=mfu, mfu_note=why)
    context.reach("mfu", mfu is not None, f"{100 * mfu:.1f} %, {why}" if mfu is not None else f"N/A: {why}")
    gap, why = rec.metric(record, "gap")
    context.keep(gap=gap)
    context.reach("gap", gap is not None and gap <= GAP_WANTED,
                  f"{100 * gap:.2f} %" if gap is not None else f"N/A: {why}")


def plan_text(plan, clip):
    return ",".join(f"{key}={value}" for key, value in {**plan, "precision": "bf16", "clip": clip}.items())


def take_turns(context, sides, wanted):
    """{clip: how many times as fast as PyTorch}, each goal said as soon as it is known."""
    ratios = {}
    for clip, least in wanted.items():
        rounds = {"stepmark_s": [], "pytorch_s": []}
        context.figures.setdefault("rounds", {})[f"clip {clip}"] = rounds
        begin = context.left_s()
        for index in range(ROUNDS):
            taken = (begin - context.left_s()) / max(index, 1)
            if index >= LEAST_ROUNDS and context.left_s() < 1.2 * taken + 5:
                break
            # Whoever begins a round ends the next one: warmth and power meet both.
            for side in ("pytorch_s", "stepmark_s")[:: 1 if index % 2 == 0 else -1]:
                rounds[side].append(sides.ours(clip) if side == "stepmark_s" else sides.theirs(clip))
            context.keep(pytorch=sides.facts)
        pairs = [b / a for a, b in zip(rounds["stepmark_s"], rounds["pytorch_s"])]
        ratios[clip] = statistics.median(pairs)
        ours = statistics.median(rounds["stepmark_s"])
        tokens = context.figures["tokens_per_step"] / ours
        context.reach(f"clip{clip}", ratios[clip] >= least,
                      f"{ratios[clip]:.3f}x {sides.form(clip)}, {1e3 * ours:.2f} ms, {tokens:.0f} tokens/s")
    return ratios


class Sides:
    """Both programs with their steps prepared, when the GPU has the memory for both; else each is
    ended for the other's turn. Compiled code is on disk, so that PyTorch's second start is short."""

    def __init__(self, context, workload, plan, own_bytes):
        self.context, self.workload, self.plan, self.own_bytes = context, workload, plan, own_bytes
        self.facts, self.together = {}, None
        self._theirs = self._ours = None
        self._clip = None
        self._open_theirs()

    def _open_theirs(self):
        self._theirs = torch_side(self.context)
        file = self.context.site.workload_file(self.workload)
        if self.context.site.rehearsal:
            file = rehearsal.workload(self.context, self.workload)
        precision = "fp32" if self.context.site.rehearsal else "bf16"
        forms = sorted(set(self.facts["best"].values())) if self.facts else []
        answer = self._theirs.ask("step_prepare", workload=str(file), precision=precision, forms=forms,
                                  **self.plan)
        if not self.facts:
            self.facts = answer
            self.context.keep(pytorch=answer)
            have = answer.get("gpu_bytes") or 0
            needed = answer.get("held_bytes", 0) + self.own_bytes
            # A rehearsal does it the one way with one model, and the other with the other.
            self.together = (self.workload == "gpt2-124m" if self.context.site.rehearsal
                             else needed <= (1 - MEMORY_SPARE) * have)
            self.context.keep(both_in_memory=self.together)

    def theirs(self, clip):
        if not self.together and self._ours:
            self._ours.close()
            self._ours = self._clip = None
        if not self._theirs:
            self._open_theirs()
        return self._theirs.ask("step", form=self.form(clip), clip=clip, count=self.count(clip))["seconds"]

    def ours(self, clip):
        if not self.together and self._theirs:
            self._theirs.close()
            self._theirs = None
        if not self._ours:
            self._ours = stepmark_side(self.context)
        if self._clip != clip:
            self._ours.ask("prepare", workload=str(rehearsal.workload(self.context, self.workload)),
                           plan=plan_text(self.plan, clip))
            self._clip = clip
            self._ours.ask("step", count=2)
        return self._ours.ask("step", count=self.count(clip))["seconds"]

    def form(self, clip):
        """The faster form of PyTorch's."""
        return self.facts["best"][str(clip)]

    def count(self, clip):
        """Steps of a round, the same on both sides."""
        if self.context.site.rehearsal:
            return 2
        seconds = self.facts["forms"][str(clip)][self.form(clip)]
        return max(2, min(40, round(ROUND_S / seconds)))

    def close(self):
        for side in (self._theirs, self._ours):
            if side:
                side.close()

