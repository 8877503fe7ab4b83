# SPDX-License-Identifier: Apache-2.0
"""PyTorch's side of the ops of ranks that share sequences (kernels/ops/context.h), for torch_ops.py."""
import torch


def rotated(x, p, at):
    """Packed projections, query and key heads turned as at the positions `at` of a sequence."""
    half = p["head_dim"] // 2
    frequency = 1.0 / p["theta"] ** (torch.arange(half, dtype=torch.float64) / half)
    angle = at.double()[:, None] * frequency
    angle = torch.cat([angle, angle], -1)
    cosine, sine = angle.cos().float(), (angle.sin() * (-1 if p["inverse"] else 1)).float()
    packed = x["qkv"].view(p["batch"], len(at), -1, p["head_dim"]).clone().transpose(1, 2)
    turned = packed[:, : p["heads"] + p["kv_heads"]]
    swapped = torch.cat([-turned[..., half:], turned[..., :half]], -1)
    packed[:, : p["heads"] + p["kv_heads"]] = turned * cosine + swapped * sine
    return {"qkv": packed.transpose(1, 2)}


def chunks_of(p, pair):
    """Which of the sequence's 2 * ways chunks a pair has."""
    return [pair, 2 * p["ways"] - 1 - pair]


def places(p, pair):
    """Where the tokens of a pair are in the sequence."""
    return torch.cat([chunk * p["chunk"] + torch.arange(p["chunk"]) for chunk in chunks_of(p, pair)])


def rope_chunks(x, p):
    return rotated(x, p, places(p, p["pair"]))


def queries(qkv, p):
    return qkv.view(p["batch"], 2 * p["chunk"], -1, p["head_dim"]).transpose(1, 2)[:, : p["heads"]]


def keys_and_values(kv, p):
    parts = kv.view(p["key_pairs"], p["batch"], 2 * p["chunk"], 2, p["kv_heads"], p["head_dim"])
    of_heads = parts.permute(3, 1, 4, 0, 2, 5).flatten(3, 4)
    return of_heads.repeat_interleave(p["heads"] // p["kv_heads"], 2)


def scores_of(q, k, p):
    at = places(p, p["pair"])
    keys = torch.cat([places(p, p["key_pair"] + one) for one in range(p["key_pairs"])])
    scores = q @ k.transpose(2, 3) / p["head_dim"] ** 0.5
    return scores.masked_fill(keys[None, :] > at[:, None], float("-inf"))


def by_head(out, p):
    return out.view(p["batch"], 2 * p["chunk"], p["heads"], p["head_dim"]).transpose(1, 2)


def attention_chunks_fwd(x, p):
    k, v = keys_and_values(x["kv"], p)
    scores = scores_of(queries(x["qkv"], p), k, p)
    lse = scores.logsumexp(-1)
    if not p["accumulate"]:
        return {"out": (scores.softmax(-1) @ v).transpose(1, 2), "lse": lse}
    before = x["lse"].view_as(lse)
    both = torch.logaddexp(before, lse)
    out = (scores - both[..., None]).exp() @ v + (before - both).exp()[..., None] * by_head(x["out"], p)
    return {"out": out.transpose(1, 2), "lse": both}


def attention_chunks_bwd(x, p):
    # lse and out are of more keys than those at hand: constants here, as is the row sum that the
    # gradient of their softmax takes away.
    qkv, kv = (x[name].detach().clone().requires_grad_(True) for name in ("qkv", "kv"))
    k, v = keys_and_values(kv, p)
    q = queries(qkv, p)
    shares = (scores_of(q, k, p) - x["lse"].view(p["batch"], p["heads"], -1, 1)).exp()
    dout = by_head(x["dout"], p)
    due = (dout * by_head(x["out"], p)).sum(-1)
    total = (dout * (shares @ v)).sum() - (due * shares.sum(-1)).sum()
    dq, dkv = torch.autograd.grad(total, [q, kv])
    dq = dq.transpose(1, 2)
    return {"dq": x["dq"].view(dq.shape) + dq if p["accumulate"] else dq, "dkv": dkv}


def kv_split(x, p):
    return {"kv": x["qkv"].view(p["tokens"], -1)[:, p["heads"] * p["head_dim"] :]}


def qkv_join(x, p):
    return {"dqkv": torch.cat([x["dq"].view(p["tokens"], -1), x["dkv"].view(p["tokens"], -1)], 1)}


def heads_to_ranks(x, p):
    tokens, ways, kinds = p["tokens"], p["ways"], [p["heads"], p["kv_heads"], p["kv_heads"]]
    if p["inverse"]:
        shares = x["from"].view(ways, tokens, -1, p["head_dim"]).transpose(0, 1)
        parts = shares.split([heads // ways for heads in kinds], 2)
        return {"to": torch.cat([part.reshape(tokens, heads, p["head_dim"]) for part, heads in zip(parts, kinds)], 1)}
    parts = x["from"].view(tokens, -1, p["head_dim"]).split(kinds, 1)
    shares = torch.cat([part.view(tokens, ways, heads // ways, p["head_dim"]) for part, heads in zip(parts, kinds)], 2)
    return {"to": shares.transpose(0, 1)}


def chunks_in_order(x, p):
    ways, chunk, width = p["ways"], p["chunk"], p["width"]
    order = [one for pair in range(ways) for one in chunks_of(p, pair)]
    if p["inverse"]:
        whole = x["from"].view(p["batch"], 2 * ways, chunk, width)[:, order]
        return {"to": whole.view(p["batch"], ways, 2, chunk, width).transpose(0, 1)}
    whole = torch.empty(p["batch"], 2 * ways, chunk, width)
    whole[:, order] = x["from"].view(ways, p["batch"], 2, chunk, width).transpose(0, 1).reshape(whole.shape)
    return {"to": whole}
