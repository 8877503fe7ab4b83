# SPDX-License-Identifier: Apache-2.0
"""PyTorch's side of the ops of a mixture of experts (kernels/ops/router.h, experts.h), for torch_ops.py."""
import torch


def hits_by_token(hits, p):
    """Of each token the counts of its sequence."""
    at = (p["first"] + torch.arange(p["tokens"])) // p["seq"]
    return hits.view(p["sequences"], p["experts"])[at]


def weights_of(logits, chosen, p):
    weights = logits.softmax(-1).gather(1, chosen)
    return weights / weights.sum(-1, keepdim=True) if p["renormalise"] else weights


def router_top_k(x, p):
    return {"chosen": x["logits"].view(p["tokens"], -1).topk(p["top_k"], -1).indices}


def router_weights(x, p):
    chosen = x["chosen"].view(p["tokens"], -1).long()
    hits = torch.zeros(p["sequences"], p["experts"])
    at = (p["first"] + torch.arange(p["tokens"])) // p["seq"]
    for token, sequence in enumerate(at.tolist()):
        hits[sequence].index_add_(0, chosen[token], torch.ones(p["top_k"]))
    return {"weights": weights_of(x["logits"].view(p["tokens"], -1), chosen, p), "hits": hits}


def router_bwd(x, p):
    logits = x["logits"].view(p["tokens"], -1).detach().clone().requires_grad_(True)
    weights = weights_of(logits, x["chosen"].view(p["tokens"], -1).long(), p)
    aux = p["aux_scale"] * (hits_by_token(x["hits"], p) * logits.softmax(-1)).sum()
    total = (weights * x["dweights"].view_as(weights)).sum() + aux
    dlogits = torch.autograd.grad(total, logits)[0]
    return {"dlogits": dlogits, "aux": (x["aux"] if p["accumulate"] else 0) + aux.detach().view(1)}


def experts_permute(x, p):
    chosen = x["chosen"].view(-1).long()
    order = chosen.argsort(stable=True)
    places = torch.empty_like(chosen)
    counts = torch.bincount(chosen, minlength=p["experts"])
    if p["capacity"]:
        of_rank = counts.view(p["ranks"], -1)
        begin = torch.arange(p["ranks"])[:, None] * p["capacity"] + of_rank.cumsum(1) - of_rank
        first = counts.cumsum(0) - counts
        places[order] = torch.arange(len(order)) + (begin.flatten() - first)[chosen[order]]
    else:
        places[order] = torch.arange(len(order))
    rows = torch.zeros(p["ranks"] * p["capacity"] or len(chosen), p["width"])
    rows[places] = x["x"].view(p["tokens"], -1).repeat_interleave(p["top_k"], 0)
    return {"rows": rows, "places": places, "counts": counts}


def experts_unpermute(x, p):
    rows = x["rows"].view(p["slots"], -1)[x["places"].long()].view(p["tokens"], p["top_k"], -1)
    if p["weighted"]:
        rows = rows * x["weights"].view(p["tokens"], -1, 1)
    return {"out": rows.sum(1)}


def experts_unpermute_bwd(x, p):
    rows, weights = (x[name].detach().clone().requires_grad_(True) for name in ("rows", "weights"))
    out = experts_unpermute({"rows": rows, "weights": weights, "places": x["places"]}, {**p, "weighted": 1})["out"]
    drows, dweights = torch.autograd.grad(out, [rows, weights], x["dout"].view_as(out))
    return {"drows": drows, "dweights": dweights}


def experts_sort(x, p):
    counts = x["counts"].view(p["ranks"], p["experts"]).tolist()
    arrived, runs = 0, {}
    for rank, of_rank in enumerate(counts):
        at = rank * p["capacity"] if p["capacity"] else arrived
        for expert, rows in enumerate(of_rank):
            runs[expert, rank] = range(at, at + rows)
            at += rows
        arrived = at
    index = torch.tensor([row for run in sorted(runs) for row in runs[run]], dtype=torch.long)
    before = x["from"].view(p["rows"], -1)
    to = torch.zeros_like(before)
    if p["inverse"]:
        to[index] = before[: len(index)]
        return {"to": to}
    to[: len(index)] = before[index]
    return {"to": to, "totals": torch.tensor(counts).sum(0)}


def by_expert(counts):
    """The rows of each expert."""
    ends = counts.long().cumsum(0).tolist()
    return [slice(begin, end) for begin, end in zip([0] + ends, ends)]


def experts_gemm(x, p):
    a = x["a"].view(p["rows"], -1)
    b = x["b"].view(p["experts"], p["n"] if p["trans_b"] else p["k"], -1)
    c = torch.zeros(p["rows"], p["n"])
    for expert, rows in enumerate(by_expert(x["counts"])):
        c[rows] = a[rows] @ (b[expert].t() if p["trans_b"] else b[expert])
    return {"c": c}


def experts_wgrad(x, p):
    a, b = x["a"].view(p["rows"], -1), x["b"].view(p["rows"], -1)
    c = torch.stack([a[rows].t() @ b[rows] for rows in by_expert(x["counts"])])
    return {"c": c + (x["c"].view_as(c) if p["accumulate"] else 0)}
