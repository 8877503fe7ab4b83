#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Recomputes what the host kernels computed with PyTorch on the CPU and compares.

usage: torch_ops.py KERNELS_DUMP

Runs KERNELS_DUMP DIR in a temporary directory (tests/equivalence_kernels/kernels_dump.cpp), then
for every case evaluates the same operation in fp32 with torch's own functions and, for backward
ops, torch.autograd. Every written operand must agree to 1e-5 (2-norm, relative). Exit codes: 0 all
agree, 1 not, 77 PyTorch is absent (skipped).
"""
import json
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

import torch_context  # which need torch as well
import torch_experts

TOLERANCE = 1e-5


def leaf(tensor):
    return tensor.detach().clone().requires_grad_(True)


def gradients(output, inputs, upstream=None):
    return torch.autograd.grad(output, inputs, upstream)


def added(x, name, value, flag):
    """`value`, or its sum with the operand's earlier content when the flag is set."""
    return x[name].reshape(value.shape) + value if flag else value


# --- one function per op: (operands before, params) -> {written operand: tensor} ---


def gemm(x, p):
    a = x["a"].view(p["k"], p["m"]).t() if p["trans_a"] else x["a"].view(p["m"], p["k"])
    b = x["b"].view(p["n"], p["k"]).t() if p["trans_b"] else x["b"].view(p["k"], p["n"])
    c = a @ b + (x["bias"] if p["bias"] else 0)
    return {"c": added(x, "c", c, p["accumulate"])}


def bias_grad(x, p):
    return {"out": added(x, "out", x["x"].view(p["m"], p["n"]).sum(0), p["accumulate"])}


def gemm_gelu(x, p):
    pre = gemm({**x, "c": x["pre"]}, {**p, "accumulate": 0})["c"]
    return {"pre": pre, "c": F.gelu(pre, approximate="tanh")}


def gemm_dgelu(x, p):
    # Autograd of gelu, with its output as the gradient that arrives.
    gemm_out = gemm(x, {**p, "bias": 0, "accumulate": 0})["c"]
    pre = leaf(x["pre"].view_as(gemm_out))
    return {"c": gradients(F.gelu(pre, approximate="tanh"), pre, gemm_out)[0]}


def gemm_bias_grad(x, p):
    # Autograd of a linear layer whose output's gradient is dy.
    inputs = x["x"].view(p["k"], p["n"])
    weight = torch.zeros(p["m"], p["n"], requires_grad=True)
    bias = torch.zeros(p["m"], requires_grad=True)
    y = F.linear(inputs, weight, bias)
    dw, dbias = gradients(y, [weight, bias], x["dy"].view_as(y))
    return {
        "dw": added(x, "dw", dw, p["accumulate"]),
        "dbias": added(x, "dbias", dbias, p["accumulate"]),
    }


def split_heads(qkv, p):
    heads, kv, dim = p["heads"], p["kv_heads"], p["head_dim"]
    packed = qkv.view(p["batch"], p["seq"], heads + 2 * kv, dim).transpose(1, 2)
    q, k, v = packed.split([heads, kv, kv], dim=1)
    repeat = heads // kv
    return q, k.repeat_interleave(repeat, 1), v.repeat_interleave(repeat, 1)


def attention(qkv, p):
    q, k, v = split_heads(qkv, p)
    scores = q @ k.transpose(2, 3) / p["head_dim"] ** 0.5
    hidden = torch.ones(p["seq"], p["seq"], dtype=torch.bool).triu(1)
    scores = scores.masked_fill(hidden, float("-inf"))
    out = (scores.softmax(-1) @ v).transpose(1, 2)
    return out.reshape(p["batch"] * p["seq"], -1), scores.logsumexp(-1)


def attention_fwd(x, p):
    out, lse = attention(x["qkv"], p)
    return {"out": out, "lse": lse}


def attention_bwd(x, p):
    qkv = leaf(x["qkv"])
    out, _ = attention(qkv, p)
    return {"dqkv": gradients(out, qkv, x["dout"].view_as(out))[0]}


def rope(x, p):
    return torch_context.rotated(x, p, torch.arange(p["seq"]))


def layernorm_fwd(x, p):
    rows = x["x"].view(p["rows"], p["cols"])
    y, mean, rstd = torch.native_layer_norm(rows, [p["cols"]], x["gamma"], x["beta"], p["eps"])
    return {"y": y, "mean": mean, "rstd": rstd}


def layernorm_bwd(x, p):
    rows = leaf(x["x"].view(p["rows"], p["cols"]))
    gamma, beta = leaf(x["gamma"]), torch.zeros(p["cols"], requires_grad=True)
    y = F.layer_norm(rows, [p["cols"]], gamma, beta, 1e-5)
    dx, dgamma, dbeta = gradients(y, [rows, gamma, beta], x["dy"].view_as(y))
    return {
        "dx": added(x, "dx", dx, p["add_dx"]),
        "dgamma": added(x, "dgamma", dgamma, p["accumulate"]),
        "dbeta": added(x, "dbeta", dbeta, p["accumulate"]),
    }


def rmsnorm(rows, gamma, eps):
    rstd = torch.rsqrt(rows.pow(2).mean(-1, keepdim=True) + eps)
    return rows * rstd * gamma, rstd


def rmsnorm_fwd(x, p):
    y, rstd = rmsnorm(x["x"].view(p["rows"], p["cols"]), x["gamma"], p["eps"])
    return {"y": y, "rstd": rstd}


def rmsnorm_bwd(x, p):
    rows, gamma = leaf(x["x"].view(p["rows"], p["cols"])), leaf(x["gamma"])
    y, _ = rmsnorm(rows, gamma, 1e-5)
    dx, dgamma = gradients(y, [rows, gamma], x["dy"].view_as(y))
    return {
        "dx": added(x, "dx", dx, p["add_dx"]),
        "dgamma": added(x, "dgamma", dgamma, p["accumulate"]),
    }


def normed_heads(packed, x, p, eps):
    """Query and key heads of packed projections, normed, in front of the value heads; and rstd."""
    heads = p["heads"] + p["kv_heads"]
    gamma = torch.cat([x["q_gamma"].expand(p["heads"], -1), x["k_gamma"].expand(p["kv_heads"], -1)])
    y, rstd = rmsnorm(packed[:, :heads], gamma, eps)
    return torch.cat([y, packed[:, heads:]], 1), rstd


def head_norm_fwd(x, p):
    packed = x["qkv"].view(p["tokens"], -1, p["head_dim"])
    y, rstd = normed_heads(packed, x, p, p["eps"])
    return {"qkv": y, "raw": packed[:, : p["heads"] + p["kv_heads"]], "rstd": rstd}


def head_norm_bwd(x, p):
    dy = x["dqkv"].view(p["tokens"], -1, p["head_dim"])
    raw = x["raw"].view(p["tokens"], -1, p["head_dim"])
    # Value heads pass through, whatever they are.
    packed = leaf(torch.cat([raw, torch.zeros_like(dy[:, raw.shape[1] :])], 1))
    weights = {name: leaf(x[name]) for name in ("q_gamma", "k_gamma")}
    y, _ = normed_heads(packed, weights, p, 1e-5)
    dqkv, *dgamma = gradients(y, [packed, *weights.values()], dy)
    sums = [added(x, "d" + name, d, p["accumulate"]) for name, d in zip(weights, dgamma)]
    return {"dqkv": dqkv, "dq_gamma": sums[0], "dk_gamma": sums[1]}


def residual_rmsnorm_fwd(x, p):
    out = residual(x, p)["out"]
    return {"out": out, **rmsnorm_fwd({**x, "x": out}, p)}


def residual_layernorm_fwd(x, p):
    out = residual(x, p)["out"]
    return {"out": out, **layernorm_fwd({**x, "x": out}, p)}


def gelu_fwd(x, p):
    return {"y": F.gelu(x["x"], approximate="tanh")}


def gelu_bwd(x, p):
    value = leaf(x["x"])
    return {"dx": gradients(F.gelu(value, approximate="tanh"), value, x["dy"])[0]}


def swiglu(packed):
    gate, up = packed.chunk(2, -1)
    return F.silu(gate) * up


def swiglu_fwd(x, p):
    return {"y": swiglu(x["x"].view(p["rows"], -1))}


def swiglu_bwd(x, p):
    packed = leaf(x["x"].view(p["rows"], -1))
    y = swiglu(packed)
    return {"dx": gradients(y, packed, x["dy"].view_as(y))[0]}


def residual(x, p):
    total = (x["a"] + x["b"]).view(p["rows"], p["cols"])
    return {"out": total + x["bias"] if p["bias"] else total}


def embed(tokens, table, p):
    local = tokens.long() - p["vocab_begin"]
    here = (local >= 0) & (local < p["vocab_rows"])
    return F.embedding(local.clamp(0, p["vocab_rows"] - 1), table) * here[:, None]


def embedding_fwd(x, p):
    return {"out": embed(x["tokens"], x["table"].view(-1, p["cols"]), p)}


def embedding_bwd(x, p):
    table = torch.zeros(p["vocab_rows"], p["cols"], requires_grad=True)
    out = embed(x["tokens"], table, p)
    grad = gradients(out, table, x["dy"].view_as(out))[0]
    return {"dtable": added(x, "dtable", grad, p["accumulate"])}


def positions(p):
    return (torch.arange(p["rows"]) + p["row_begin"]) % p["seq"]


def position_fwd(x, p):
    return {"x": x["x"].view(p["rows"], -1) + x["table"].view(p["seq"], -1)[positions(p)]}


def position_bwd(x, p):
    table = torch.zeros(p["seq"], p["cols"], requires_grad=True)
    out = F.embedding(positions(p), table)
    grad = gradients(out, table, x["dy"].view_as(out))[0]
    return {"dtable": added(x, "dtable", grad, p["accumulate"])}


def real_logits(x, p):
    """Without the padding columns at the end of each row."""
    return x["logits"].view(p["rows"], -1)[:, : p["cols"]]


def ce_fwd_bwd(x, p):
    logits = leaf(x["logits"].view(p["rows"], -1)[:, : p["cols"]])
    loss = p["scale"] * F.cross_entropy(logits, x["targets"].long(), reduction="sum")
    grad = gradients(loss, logits)[0]
    return {
        "logits": F.pad(grad, (0, p["padding"])),
        "loss": added(x, "loss", loss.detach().reshape(1), p["accumulate"]),
    }


def ce_max(x, p):
    return {"row_max": real_logits(x, p).max(-1).values}


def local_targets(x, p):
    target = x["targets"].long() - p["vocab_begin"]
    return target, (target >= 0) & (target < p["cols"])


def ce_sum(x, p):
    shifted = real_logits(x, p) - x["row_max"][:, None]
    target, here = local_targets(x, p)
    picked = shifted.gather(1, target.clamp(0, p["cols"] - 1)[:, None])[:, 0] * here
    return {"sums": torch.stack([shifted.exp().sum(-1), picked])}


def ce_bwd(x, p):
    # The dumped sums are those of this shard alone: it is the whole vocabulary for the denominator,
    # and rows whose target is elsewhere contribute log(sum) only.
    logits = leaf(real_logits(x, p))
    target, here = local_targets(x, p)
    picked = logits.gather(1, target.clamp(0, p["cols"] - 1)[:, None])[:, 0]
    shift = x["row_max"]
    row_loss = logits.logsumexp(-1) - shift - torch.where(here, picked - shift, 0 * picked)
    loss = p["scale"] * row_loss.sum()
    grad = gradients(loss, logits)[0]
    return {
        "logits": F.pad(grad, (0, p["padding"])),
        "loss": added(x, "loss", loss.detach().reshape(1), p["accumulate"]),
    }


def sum_squares(x, p):
    total = p["weight"] * x["grad"].double().pow(2).sum().float()
    return {"out": added(x, "out", total.reshape(1), p["accumulate"])}


def clip_scale(x, p):
    # torch's own clipping of one gradient whose norm is that of the operand.
    weight = torch.zeros(1, requires_grad=True)
    weight.grad = x["sum"].sqrt()
    norm = weight.grad.clone()
    if p["max_norm"] > 0:
        torch.nn.utils.clip_grad_norm_([weight], p["max_norm"])
    return {"norm_and_scale": torch.cat([norm, weight.grad / norm])}


def step_count(x, p):
    return {"step": x["step"] + 1}


def adamw(x, p):
    weight = torch.nn.Parameter(x["param"].clone())
    optimizer = torch.optim.AdamW(
        [weight],
        lr=p["lr"],
        betas=(p["beta1"], p["beta2"]),
        eps=p["eps"],
        weight_decay=p["weight_decay"],
    )
    weight.grad = x["grad"] if p["unscaled"] else x["grad"] * x["norm_and_scale"][1]
    optimizer.state[weight] = {
        "step": x["step"][0] - 1,
        "exp_avg": x["m"].clone(),
        "exp_avg_sq": x["v"].clone(),
    }
    optimizer.step()
    state = optimizer.state[weight]
    return {"param": weight.detach(), "m": state["exp_avg"], "v": state["exp_avg_sq"]}


def fp8_limits(e5m2):
    """Largest value, bits of the fraction, exponent of the smallest normal number."""
    return (57344.0, 2, -14) if e5m2 else (448.0, 3, -6)


def to_fp8(x, e5m2):
    """Rounds by arithmetic: adding and taking away a power of two leaves what the format can hold."""
    largest, fraction, smallest = fp8_limits(e5m2)
    wide = x.double().clamp(-largest, largest)
    exponent = torch.frexp(wide)[1].double() - 1
    step = torch.exp2(exponent.clamp(min=smallest) - fraction)
    return torch.round(wide / step) * step  # torch rounds halves to even


def fp8_cast(x, p):
    rows = x["x"].view(p["rows"], p["cols"])
    q = to_fp8(rows * x["scale"], p["e5m2"])
    return {"q": q, "q_t": q.t(), "amax": torch.maximum(x["amax"], rows.abs().max().reshape(1))}


def fp8_scale(x, p):
    history = x["amax_history"]
    scale = fp8_limits(p["e5m2"])[0] / history.max() / 2 ** p["margin"]
    moved = torch.cat([torch.zeros(1), history[:-1]])
    return {"amax_history": moved, "scale": scale, "scale_inv": 1 / scale}


def by_blocks(scales, rows, cols, block_rows):
    """One scale per element from one per block."""
    across = -(-cols // 128)
    wide = scales.view(-1, across).repeat_interleave(block_rows, 0).repeat_interleave(128, 1)
    return wide[:rows, :cols]


def fp8_block_cast(x, p):
    rows, cols, block_rows = p["rows"], p["cols"], p["block_rows"]
    down, across = -(-rows // block_rows), -(-cols // 128)
    padded = torch.zeros(down * block_rows, across * 128)
    padded[:rows, :cols] = x["x"].view(rows, cols)
    amax = padded.view(down, block_rows, across, 128).abs().amax((1, 3))
    scale_inv = torch.where(amax > 0, amax / fp8_limits(p["e5m2"])[0], torch.ones_like(amax))
    scaled = padded[:rows, :cols] / by_blocks(scale_inv, rows, cols, block_rows)
    return {"q": to_fp8(scaled, p["e5m2"]), "scale_inv": scale_inv}


def fp8_gemm(x, p):
    a, b = x["a"].view(p["m"], p["k"]), x["b"].view(p["n"], p["k"])
    if p["blockwise"]:
        a = a * by_blocks(x["a_scale_inv"], p["m"], p["k"], 1)
        b = b * by_blocks(x["b_scale_inv"], p["n"], p["k"], 128)
    else:
        a, b = a * x["a_scale_inv"], b * x["b_scale_inv"]
    return {"c": added(x, "c", a @ b.t(), p["accumulate"])}


def fma(x, p):
    value = x["x"].clone()
    for _ in range(int(p["iterations"])):
        value = torch.add(torch.tensor(2.0**-10), value, alpha=1 - 2.0**-10)
    return {"y": value}


def occupy(x, p):
    return {"done": torch.ones(p["ctas"])}


def bucket_pack(x, p):
    return {"bucket": x["source"].view(p["tensors"], -1)[:, : p["elements"]]}


def bucket_unpack(x, p):
    target = x["target"].view(p["tensors"], -1).clone()
    target[:, : p["elements"]] = p["scale"] * x["bucket"].view(p["tensors"], -1)
    return {"target": target}


def copy(x, p):
    return {"dst": x["src"]}


def triad(x, p):
    return {"a": torch.add(x["b"], x["c"], alpha=p["s"])}


def cast(x, p):
    return {"dst": x["src"]}


def zero(x, p):
    return {"x": torch.zeros_like(x["x"])}


# --- comparison ---


def read(directory, operand, which):
    dtype = {"fp32": torch.float32, "int32": torch.int32}[operand["dtype"]]
    with open(os.path.join(directory, operand[which]), "rb") as file:
        data = bytearray(file.read())
    return torch.frombuffer(data, dtype=dtype) if data else torch.empty(0, dtype=dtype)


def relative_error(got, want):
    got, want = got.double().flatten(), want.detach().double().flatten()
    norm = want.norm().item()
    return (got - want).norm().item() / (norm if norm > 0 else 1.0)


def check(directory, case):
    """Errors of one case, and the largest relative error."""
    elsewhere = (getattr(module, case["op"], None) for module in (torch_context, torch_experts))
    function = globals().get(case["op"]) or next(filter(None, elsewhere), None)
    if function is None:
        return [f"{case['text']}: no PyTorch counterpart"], 0.0
    before = {o["name"]: read(directory, o, "before") for o in case["operands"]}
    want = function(before, case["params"])
    errors, worst = [], 0.0
    for operand in case["operands"]:
        got = read(directory, operand, "after")
        if not operand["written"] or got.numel() == 0:
            continue
        error = relative_error(got, want[operand["name"]])
        worst = max(worst, error)
        if not error <= TOLERANCE:
            errors.append(f"{case['text']}: {operand['name']} differs by {error:.2e}")
    return errors, worst


def main():
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    failures, worst_of = [], {}
    with tempfile.TemporaryDirectory() as directory:
        subprocess.run([sys.argv[1], directory], check=True)
        with open(os.path.join(directory, "index.json"), encoding="utf-8") as file:
            cases = json.load(file)
        for case in cases:
            errors, worst = check(directory, case)
            failures += errors
            worst_of[case["op"]] = max(worst, worst_of.get(case["op"], 0.0))
    for name, worst in worst_of.items():
        print(f"{name:22} largest relative error {worst:.1e}")
    print(f"{len(cases)} cases, {len(failures)} differences beyond {TOLERANCE:g}")
    print("\n".join(failures), file=sys.stderr)
    return 1 if failures or not cases else 0


if __name__ == "__main__":
    sys.exit(main())
