#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Times the same GPT-2 training step in stepmark and in PyTorch, side by side on this CPU.

usage: torch_step.py STEP_BENCH WORKLOAD.yaml [--plan micro_batch=4,seq=64] [--rounds 7] [--json FILE]

STEP_BENCH is tests/equivalence_steps/step_bench.cpp; WORKLOAD is a gpt2 one. The two sides take
turns (A B A B ...) in one run, each with all cores, so that other load on the machine meets both;
in its turn a side makes one step that is not timed and three that are.
The step: fp32, forward, loss, backward, AdamW, no clipping. The rival is the fastest of the forms that
the installed PyTorch has (eager or torch.compile, from 2.0 on; attention written out or its own; its
AdamW variants), and the output names it: Debian 12's PyTorch, 1.13, has eager mode only. The SGEMM rate of OpenBLAS, through cblas and
through stepmark's gemm kernel, is taken in every round (the best of three each, then the better of
the two). Figures are medians over rounds.
"""
import argparse
import math
import os
import platform
import statistics
import time

import torch
import torch.nn.functional as F

from rival import best_of, described
from step_bench import StepBench, write_json
from torch_models import read_dims

GEMM_SIDE = 3072
# A side that has waited for the other one may find its memory cold: the first step of a turn does not
# count. PyTorch's steps are slower in turns than in a row all the same, so both figures are kept.
TIMED_STEPS = 3


def gpt2_dims(path):
    """Of a workload file."""
    dims = read_dims(path)
    if dims.get("family") != "gpt2":
        raise SystemExit(f"{path}: this comparison is written for family gpt2")
    return dims


class TorchStep:
    """GPT-2 as in Radford et al. 2019, tied head, with torch.nn.functional."""

    def __init__(self, dims, batch, seq, compiled=False, **adamw):
        torch.manual_seed(1)
        hidden, vocab = dims["hidden"], dims["vocab"]
        self.heads, self.layers = dims["heads"], dims["layers"]
        self.p = {}

        def matrix(name, rows, cols):
            self.p[name] = (0.02 * torch.randn(rows, cols)).requires_grad_(True)

        def vector(name, width, value):
            self.p[name] = torch.full((width,), value).requires_grad_(True)

        matrix("wte", vocab, hidden)
        matrix("wpe", dims["max_seq"], hidden)
        for i in range(self.layers):
            for name, rows, cols in (("qkv", 3 * hidden, hidden), ("out", hidden, hidden),
                                     ("up", dims["ffn"], hidden), ("down", hidden, dims["ffn"])):
                matrix(f"{i}.{name}", rows, cols)
                vector(f"{i}.{name}.bias", rows, 0.0)
            for name in ("norm1", "norm2"):
                vector(f"{i}.{name}", hidden, 1.0)
                vector(f"{i}.{name}.bias", hidden, 0.0)
        vector("norm", hidden, 1.0)
        vector("norm.bias", hidden, 0.0)
        self.tokens = torch.randint(vocab, (batch, seq))
        self.targets = torch.randint(vocab, (batch, seq))
        self.future = torch.ones(seq, seq, dtype=torch.bool).triu(1)
        self.optimizer = torch.optim.AdamW(list(self.p.values()), lr=1e-3, betas=(0.9, 0.95),
                                           weight_decay=0.1, **adamw)
        self.loss = torch.compile(self.forward) if compiled else self.forward

    def linear(self, x, name):
        return F.linear(x, self.p[name], self.p[name + ".bias"])

    def norm(self, x, name):
        return F.layer_norm(x, x.shape[-1:], self.p[name], self.p[name + ".bias"])

    def attention(self, qkv):
        batch, seq, width = qkv.shape
        q, k, v = qkv.view(batch, seq, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        if hasattr(F, "scaled_dot_product_attention"):
            out = F.scaled_dot_product_attention(q, k, v, is_causal=True)
            return out.transpose(1, 2).reshape(batch, seq, width // 3)
        scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
        weights = scores.masked_fill(self.future, -math.inf).softmax(-1)
        return (weights @ v).transpose(1, 2).reshape(batch, seq, width // 3)

    def forward(self):
        x = F.embedding(self.tokens, self.p["wte"]) + self.p["wpe"][: self.tokens.shape[1]]
        for i in range(self.layers):
            attended = self.attention(self.linear(self.norm(x, f"{i}.norm1"), f"{i}.qkv"))
            x = x + self.linear(attended, f"{i}.out")
            up = self.linear(self.norm(x, f"{i}.norm2"), f"{i}.up")
            x = x + self.linear(F.gelu(up, approximate="tanh"), f"{i}.down")
        logits = F.linear(self.norm(x, "norm"), self.p["wte"])
        return F.cross_entropy(logits.flatten(0, 1), self.targets.flatten())

    def step(self):
        loss = self.loss()
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def timed(self):
        begin = time.perf_counter()
        self.step()
        return time.perf_counter() - begin


# Optimizers of this PyTorch: what one of another version does not know, it refuses when made.
ADAMW = {"default AdamW": {"foreach": False}, "foreach AdamW": {"foreach": True},
         "fused AdamW": {"fused": True}}


def forms_of(dims, batch, seq):
    """{name: arguments of TorchStep}: eager with each optimizer, then compiled with each."""
    forms = {f"eager, {name}": adamw for name, adamw in ADAMW.items()}
    forms.update({f"torch.compile, {name}": {"compiled": True, **adamw}
                  for name, adamw in ADAMW.items()})
    return {name: lambda options=options: TorchStep(dims, batch, seq, **options)
            for name, options in forms.items()}


def in_a_turn(timed_step):
    """(time of the first step, times of those that count)"""
    first = timed_step()
    return first, [timed_step() for _ in range(TIMED_STEPS)]


def cpu_name():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        for line in file:
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("step_bench")
    parser.add_argument("workload")
    parser.add_argument("--plan", default="micro_batch=4,seq=64")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json")
    args = parser.parse_args()
    given = dict(item.split("=") for item in args.plan.split(","))
    batch, seq = int(given["micro_batch"]), int(given["seq"])
    load = os.getloadavg()[0]

    bench = StepBench(args.step_bench, args.workload, args.plan + ",clip=0")
    facts = bench.ask("facts")
    torch.set_num_threads(facts["threads"])
    dims = gpt2_dims(args.workload)
    forms = forms_of(dims, batch, seq)
    form, tried = best_of({name: lambda make=make: make().step for name, make in forms.items()})
    rival = forms[form]()
    rival.step()
    for _ in range(2):
        bench.ask("step")

    ours, theirs, our_first, their_first, cblas, kernel = [], [], [], [], [], []
    for _ in range(args.rounds):
        for times, firsts, timed_step in ((theirs, their_first, rival.timed),
                                          (ours, our_first, lambda: bench.ask("step")["seconds"])):
            first, counted = in_a_turn(timed_step)
            firsts.append(first)
            times += counted
        gemm = bench.ask(f"gemm {GEMM_SIDE}")
        cblas.append(gemm["cblas_flops_per_s"])
        kernel.append(gemm["kernel_flops_per_s"])
    profile = bench.ask("profile")
    if bench.close() != 0:
        raise SystemExit("step_bench failed")

    step_s, torch_s = statistics.median(ours), statistics.median(theirs)
    rate = facts["flops"] / step_s
    sgemm = statistics.median(max(pair) for pair in zip(cblas, kernel))
    result = {
        "what": "one training step (forward, backward, AdamW), fp32, one process, all cores",
        "model": facts["model"], "plan": facts["plan"], "model_flops": facts["flops"],
        "machine": {"cpu": cpu_name(), "cores": os.cpu_count(), "threads": facts["threads"],
                    "kernel": platform.release(), "pytorch": torch.__version__,
                    "load_average_before": load, "date": time.strftime("%Y-%m-%d")},
        "timed_steps_per_turn": TIMED_STEPS,
        "stepmark_step_s": ours, "pytorch_step_s": theirs, "pytorch_form": form,
        "pytorch_forms_tried": tried,
        "stepmark_median_s": step_s, "pytorch_median_s": torch_s,
        "ratio": step_s / torch_s,
        "first_step_of_a_turn": {"stepmark_median_s": statistics.median(our_first),
                                 "pytorch_median_s": statistics.median(their_first),
                                 "ratio": statistics.median(our_first) / statistics.median(their_first)},
        "sgemm_cblas_gflops": [x / 1e9 for x in cblas],
        "sgemm_kernel_gflops": [x / 1e9 for x in kernel],
        "step_gflops": rate / 1e9, "sgemm_gflops": sgemm / 1e9,
        "share_of_sgemm": rate / sgemm,
        "profile_last_step_s": dict(sorted(profile.items(), key=lambda item: -item[1])),
    }
    print(f"rival: {described(torch.__version__, form, tried)}")
    print(f"stepmark {step_s:.3f} s, PyTorch ({form}) {torch_s:.3f} s: ratio {result['ratio']:.3f}")
    print(f"the first step of a turn: {statistics.median(our_first):.3f} s and "
          f"{statistics.median(their_first):.3f} s")
    print(f"step {rate / 1e9:.0f} GFLOP/s of model FLOPs, SGEMM {sgemm / 1e9:.0f}: "
          f"{100 * result['share_of_sgemm']:.0f} %")
    for label, seconds in list(result["profile_last_step_s"].items())[:20]:
        print(f"  {seconds:8.4f} s  {label}")
    if args.json:
        write_json(args.json, result)


if __name__ == "__main__":
    main()
