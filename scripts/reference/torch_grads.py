#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Recomputes whole training steps of stepmark with PyTorch on the CPU and compares.

usage: torch_grads.py STEP_DUMP

Runs STEP_DUMP (tests/equivalence_steps/step_dump.cpp) for GPT-2- and Llama-style models, and one with
norms of query and key heads whose width is not hidden over heads, and mixtures of experts (untied ones
with a shared expert and weights that are not renormalised), tied and untied, with and without gradient accumulation and clipping, and with padded vocabularies and MLP
widths, of which PyTorch knows nothing. The models below are written from the
papers with torch.nn.functional alone. Compared, relative in the 2-norm: loss, every gradient and
the gradient norm at two successive steps to 1e-4 (fp32; where fp32 itself is not that good, the
float64 result decides), and the parameters after each AdamW update to 1e-6. Exit codes: 0 all
agree, 1 not, 77 PyTorch is absent (skipped).
"""
import json
import math
import os
import subprocess
import sys
import tempfile

try:
    import torch
    import torch.nn.functional as F
except ImportError as error:
    print(f"skipped: PyTorch is not installed for {sys.executable} ({error})")
    sys.exit(77)

GRADIENT_TOLERANCE = 1e-4
UPDATE_TOLERANCE = 1e-6


def rms_norm(x, weight, eps):
    """arXiv 1910.07467."""
    return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + eps) * weight


def rotate(x, theta):
    """Rotary embedding (arXiv 2104.09864) of (batch, heads, seq, dim), pairs (i, i + dim/2)."""
    half = x.shape[-1] // 2
    frequency = theta ** (-torch.arange(half, dtype=torch.float64) / half)
    angle = torch.arange(x.shape[-2], dtype=torch.float64)[:, None] * frequency
    cos, sin = angle.cos().to(x.dtype), angle.sin().to(x.dtype)
    a, b = x[..., :half], x[..., half:]
    return torch.cat([a * cos - b * sin, b * cos + a * sin], -1)


def attention(qkv, m, head_norms):
    """Causal attention with grouped key/value heads (arXiv 2305.13245) on packed projections.
    head_norms: weights of the norms of query and of key heads, or nothing."""
    batch, seq = qkv.shape[:2]
    sizes = [m["heads"], m["kv_heads"], m["kv_heads"]]
    q, k, v = qkv.view(batch, seq, sum(sizes), m["head_dim"]).transpose(1, 2).split(sizes, 1)
    if head_norms:
        q, k = (rms_norm(x, weight, m["norm_eps"]) for x, weight in zip((q, k), head_norms))
    if m["family"] == "llama":
        q, k = rotate(q, m["rope_theta"]), rotate(k, m["rope_theta"])
    group = m["heads"] // m["kv_heads"]
    k, v = k.repeat_interleave(group, 1), v.repeat_interleave(group, 1)
    scores = q @ k.transpose(-2, -1) / math.sqrt(m["head_dim"])
    future = torch.ones(seq, seq, dtype=torch.bool).triu(1)
    weights = scores.masked_fill(future, -math.inf).softmax(-1)
    return (weights @ v).transpose(1, 2).reshape(batch, seq, -1)


def experts(x, p, m, name):
    """A mixture of experts token by token (arXiv 2401.04088, section 2.1), with an MLP of all tokens,
    and its load-balancing loss by sequence, of which balanced loads make 1 (arXiv 2412.19437, 17)."""
    e, top_k, width = m["experts"], m["top_k"], x.shape[-1]
    shape, x = x.shape, x.flatten(0, 1)
    probabilities = F.linear(x, p[name + "router.weight"]).softmax(-1)
    weights, chosen = probabilities.topk(top_k, -1)
    if m["renormalise"]:
        weights = weights / weights.sum(-1, keepdim=True)
    up = p[name + "experts.up.weight"].view(e, -1, width)
    down = p[name + "experts.down.weight"].view(e, width, -1)
    rows = []
    for token, own, share in zip(x, chosen.tolist(), weights):
        row = 0
        for k, expert in enumerate(own):
            gate, half = (up[expert] @ token).chunk(2)
            row = row + share[k] * (down[expert] @ (F.silu(gate) * half))
        rows.append(row)
    y = torch.stack(rows)
    if m["shared_ffn"]:
        gate, half = F.linear(x, p[name + "shared.up.weight"]).chunk(2, -1)
        y = y + F.linear(F.silu(gate) * half, p[name + "shared.down.weight"])
    hits = F.one_hot(chosen, e).sum(1).view(*shape[:2], e).to(x.dtype).mean(1)  # of each sequence
    share = probabilities.view(*shape[:2], e).mean(1)
    return y.view(shape), (e / top_k * (hits * share).sum(-1)).mean()


def forward(p, m, tokens, targets):
    """Mean cross-entropy and load-balancing loss of one micro-batch. p: parameters by name, (out, in)
    or flat."""
    aux = torch.zeros((), dtype=p["embedding.weight"].dtype)

    def norm(x, name):
        if m["family"] == "llama":
            return rms_norm(x, p[name + ".weight"], m["norm_eps"])
        return F.layer_norm(x, x.shape[-1:], p[name + ".weight"], p[name + ".bias"], m["norm_eps"])

    def linear(x, name):
        return F.linear(x, p[name + ".weight"], p.get(name + ".bias"))

    x = F.embedding(tokens, p["embedding.weight"])
    if m["family"] == "gpt2":
        x = x + p["position.weight"][: tokens.shape[1]]
    for layer in range(m["layers"]):
        name = f"layer{layer}."
        head_norms = [p[name + f"attn.{of}_norm.weight"] for of in "qk"] if m["qk_norm"] else None
        attended = attention(linear(norm(x, name + "attn_norm"), name + "attn.qkv"), m, head_norms)
        x = x + linear(attended, name + "attn.out")
        if m["experts"]:
            y, layer_aux = experts(norm(x, name + "mlp_norm"), p, m, name)
            x, aux = x + y, aux + m["aux_loss"] * layer_aux
            continue
        up = linear(norm(x, name + "mlp_norm"), name + "mlp.up")
        if m["family"] == "llama":
            gate, up = up.chunk(2, -1)
            active = F.silu(gate) * up
        else:
            active = F.gelu(up, approximate="tanh")
        x = x + linear(active, name + "mlp.down")
    table = p["embedding.weight" if m["tied"] else "head.weight"]
    logits = F.linear(norm(x, "final_norm"), table)
    return F.cross_entropy(logits.flatten(0, 1), targets.flatten()), aux


def is_vector(name):
    return name.endswith(".bias") or "norm" in name


def gradients(params, m, tokens, targets, dtype):
    """Loss, load-balancing loss and gradients of both of the whole batch (micro-batches, batch, seq),
    averaged."""
    leaves = {name: value.detach().clone().to(dtype).requires_grad_(True)
              for name, value in params.items()}
    total = total_aux = 0.0
    for micro_tokens, micro_targets in zip(tokens, targets):
        loss, aux = (part / len(tokens) for part in forward(leaves, m, micro_tokens, micro_targets))
        (loss + aux).backward()
        total, total_aux = total + loss.item(), total_aux + aux.item()
    return total, total_aux, {name: leaf.grad for name, leaf in leaves.items()}


def relative(got, expected):
    got, expected = got.double(), expected.double()
    return ((got - expected).norm() / expected.norm().clamp_min(1e-300)).item()


class Dump:
    def __init__(self, directory):
        with open(os.path.join(directory, "index.json"), encoding="utf-8") as file:
            self.index = json.load(file)
        with open(os.path.join(directory, "data.f32"), "rb") as file:
            data = torch.frombuffer(bytearray(file.read()), dtype=torch.float32)
        self.arrays = {}
        for array in self.index["arrays"]:
            rows, cols = array["shape"]
            value = data[array["offset"] : array["offset"] + rows * cols].view(rows, cols)
            self.arrays[array["name"]] = value.flatten() if 1 in (rows, cols) else value

    def group(self, prefix):
        return {name[len(prefix) :]: value for name, value in self.arrays.items()
                if name.startswith(prefix)}

    def tokens(self, key):
        plan = self.index["plan"]
        shape = (plan["accumulation"], plan["micro_batch"], plan["seq"])
        return torch.tensor(self.index[key]).view(shape)


class Checker:
    def __init__(self):
        self.failures = 0
        self.worst = 0.0

    def require(self, what, error, tolerance):
        self.worst = max(self.worst, error / tolerance)
        if not error <= tolerance:  # a NaN fails
            self.failures += 1
            print(f"  FAILED {what}: {error:.2e} > {tolerance:.0e}")


def check_gradients(check, dump, step, params):
    m, index = dump.index["model"], dump.index
    tokens, targets = dump.tokens("tokens"), dump.tokens("targets")
    loss, _, expected = gradients(params, m, tokens, targets, torch.float32)
    exact_loss, exact_aux, exact = gradients(params, m, tokens, targets, torch.float64)
    if m["experts"]:
        error = abs(index["aux_loss"][step] / exact_aux - 1)
        check.require(f"step {step} load-balancing loss", error, GRADIENT_TOLERANCE)
    loss_errors = [abs(index["loss"][step] / reference - 1) for reference in (loss, exact_loss)]
    check.require(f"step {step} loss", min(loss_errors), GRADIENT_TOLERANCE)
    got = dump.group(f"step{step}.grad.")
    if got.keys() != expected.keys():
        raise ValueError(f"parameters differ: {sorted(got.keys() ^ expected.keys())}")
    for name, gradient in expected.items():
        error = relative(got[name], gradient)
        if error > GRADIENT_TOLERANCE:
            error = relative(got[name], exact[name])
        check.require(f"step {step} gradient of {name}", error, GRADIENT_TOLERANCE)
    norm = math.sqrt(sum(g.double().pow(2).sum().item() for g in exact.values()))
    check.require(f"step {step} norm", abs(index["norm"][step] / norm - 1), GRADIENT_TOLERANCE)


def check_updates(check, dump, steps):
    """AdamW over stepmark's own gradients: near zero its update is as large for noise as for
    signal, so the optimizer is judged by itself."""
    plan = dump.index["plan"]
    params = {name: value.clone().requires_grad_(True)
              for name, value in dump.group("initial.").items()}
    decayed = [p for name, p in params.items() if not is_vector(name)]
    others = [p for name, p in params.items() if is_vector(name)]
    optimizer = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": plan["weight_decay"]},
         {"params": others, "weight_decay": 0.0}],
        lr=plan["lr"], betas=(0.9, 0.95), eps=1e-8)
    for step in range(steps):
        for name, gradient in dump.group(f"step{step}.grad.").items():
            params[name].grad = gradient.clone()
        if plan["clip"] > 0:
            # As clip_grad_norm_, whose fp32 norm of a large table is off by 2e-4 on the CPU.
            norm = math.sqrt(sum(p.grad.double().pow(2).sum().item() for p in params.values()))
            for p in params.values():
                p.grad.mul_(min(1.0, plan["clip"] / (norm + 1e-6)))
        optimizer.step()
        for name, got in dump.group(f"step{step}.param.").items():
            check.require(f"step {step} update of {name}", relative(got, params[name].detach()),
                          UPDATE_TOLERANCE)


# Vocabularies that no device's multiple divides, and the multiples that dims are padded to.
PADDED = (("gpt2", "tied", 50257, 64), ("llama", "untied", 50257, 8), ("gpt2", "untied", 49954, 64),
          ("llama", "tied", 7, 64), ("gpt2", "tied", 7, 8))


def check_case(step_dump, family, tied, accumulation, clip, *padding):
    """Failures of one model. padding: vocabulary and multiple."""
    with tempfile.TemporaryDirectory() as directory:
        arguments = [family, tied, accumulation, clip, directory, *padding]
        subprocess.run([step_dump, *map(str, arguments)], check=True)
        dump = Dump(directory)
    check = Checker()
    steps = len(dump.index["loss"])
    params = dump.group("initial.")
    for step in range(steps):
        check_gradients(check, dump, step, params)
        params = dump.group(f"step{step}.param.")
    check_updates(check, dump, steps)
    vocabulary = " vocabulary={} padded to {}".format(*padding) if padding else ""
    print(f"{family} {tied} accumulation={accumulation} clip={clip}{vocabulary}: "
          f"loss {dump.index['loss']}, worst error {check.worst:.2f} of its tolerance")
    return check.failures


def main():
    step_dump = sys.argv[1]
    failures = 0
    for family in ("gpt2", "llama", "qk_norm", "experts"):
        for tied in ("tied", "untied"):
            for accumulation, clip in ((1, 0), (2, 0.5)):
                failures += check_case(step_dump, family, tied, accumulation, clip)
    for family, tied, *padding in PADDED:
        failures += check_case(step_dump, family, tied, 2, 0.5, *padding)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
