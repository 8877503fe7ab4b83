# SPDX-License-Identifier: Apache-2.0
"""The workloads' models in PyTorch, with torch.nn.functional: GPT-2 (Radford et al. 2019, tied head)
and Llama (arXiv 2407.21783: RMSNorm, rotary positions, grouped heads, SwiGLU)."""
import contextlib
import math

import torch
import torch.nn.functional as F


def read_dims(path):
    """The flat `key: value` lines of a workload file; enough for the dims."""
    dims = {}
    with open(path, encoding="utf-8") as file:
        for line in file:
            key, _, value = line.partition(":")
            value = value.strip()
            if value and key.strip() not in dims:
                dims[key.strip()] = int(value) if value.isdigit() else value
    return dims


# Grouped heads without copies, from PyTorch 2.5 on.
HAS_GQA = "enable_gqa" in (getattr(F, "scaled_dot_product_attention", None).__doc__ or "")


def attention(q, k, v):
    """Causal; q is (batch, heads, seq, head_dim), k and v have kv_heads."""
    if q.shape[1] != k.shape[1] and HAS_GQA:
        return F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
    if q.shape[1] != k.shape[1]:
        k, v = (x.repeat_interleave(q.shape[1] // x.shape[1], dim=1) for x in (k, v))
    if hasattr(F, "scaled_dot_product_attention"):
        return F.scaled_dot_product_attention(q, k, v, is_causal=True)
    future = torch.ones(q.shape[-2], q.shape[-2], dtype=torch.bool, device=q.device).triu(1)
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
    return scores.masked_fill(future, -math.inf).softmax(-1) @ v


def loss_of(logits, targets):
    return F.cross_entropy(logits.flatten(0, 1).float(), targets.flatten())


def narrowed(x, dtype):
    return x if dtype is None else x.to(dtype)


class Gpt2(torch.nn.Module):
    residual = None  # dtype of the sums between blocks; None: that of the embedding

    def __init__(self, dims, seq):
        super().__init__()
        hidden, vocab, ffn = dims["hidden"], dims["vocab"], dims["ffn"]
        self.heads = dims["heads"]
        self.wte = torch.nn.Embedding(vocab, hidden)
        self.wpe = torch.nn.Parameter(0.02 * torch.randn(dims["max_seq"], hidden))
        self.blocks = torch.nn.ModuleList(
            torch.nn.ModuleDict({
                "norm1": torch.nn.LayerNorm(hidden), "qkv": torch.nn.Linear(hidden, 3 * hidden),
                "out": torch.nn.Linear(hidden, hidden), "norm2": torch.nn.LayerNorm(hidden),
                "up": torch.nn.Linear(hidden, ffn), "down": torch.nn.Linear(ffn, hidden)})
            for _ in range(dims["layers"]))
        self.norm = torch.nn.LayerNorm(hidden)
        torch.nn.init.normal_(self.wte.weight, std=0.02)
        self.seq = seq

    def forward(self, tokens, targets):
        x = narrowed(self.wte(tokens) + self.wpe[: self.seq], self.residual)
        for block in self.blocks:
            qkv = block["qkv"](block["norm1"](x))
            batch, seq, _ = qkv.shape
            q, k, v = qkv.view(batch, seq, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
            x = x + block["out"](attention(q, k, v).transpose(1, 2).flatten(2))
            x = x + block["down"](F.gelu(block["up"](block["norm2"](x)), approximate="tanh"))
        return loss_of(F.linear(self.norm(x), self.wte.weight), targets)


class Rms(torch.nn.Module):
    def __init__(self, width, eps=1e-5):
        super().__init__()
        self.eps = eps
        self.weight = torch.nn.Parameter(torch.ones(width))

    def forward(self, x):
        y = x.float()
        return (y * torch.rsqrt(y.square().mean(-1, keepdim=True) + self.eps)).to(x.dtype) * self.weight


class Llama(torch.nn.Module):
    residual = None

    def __init__(self, dims, seq):
        super().__init__()
        hidden, vocab, ffn = dims["hidden"], dims["vocab"], dims["ffn"]
        self.heads, self.kv_heads = dims["heads"], dims.get("kv_heads", dims["heads"])
        self.head_dim = dims.get("head_dim", hidden // self.heads)

        eps = float(dims.get("norm_eps", 1e-5))
        self.norms_heads = str(dims.get("qk_norm", "false")) == "true"

        def linear(wide_in, wide_out):
            return torch.nn.Linear(wide_in, wide_out, bias=False)

        def head_norms():
            return {f"{of}_norm": Rms(self.head_dim, eps) for of in "qk"} if self.norms_heads else {}

        self.embedding = torch.nn.Embedding(vocab, hidden)
        self.blocks = torch.nn.ModuleList(
            torch.nn.ModuleDict({
                "norm1": Rms(hidden, eps),
                "qkv": linear(hidden, (self.heads + 2 * self.kv_heads) * self.head_dim),
                "out": linear(self.heads * self.head_dim, hidden), "norm2": Rms(hidden, eps),
                "gate_up": linear(hidden, 2 * ffn), "down": linear(ffn, hidden), **head_norms()})
            for _ in range(dims["layers"]))
        self.norm = Rms(hidden, eps)
        self.head = linear(hidden, vocab)
        if str(dims.get("tied_embeddings", "false")) == "true":
            self.head.weight = self.embedding.weight
        for weight in self.parameters():
            if weight.dim() == 2:
                torch.nn.init.normal_(weight, std=0.02)
        half = self.head_dim // 2
        theta = float(dims.get("rope_theta", 10000))
        angles = torch.outer(torch.arange(seq), theta ** (-torch.arange(half) / half))
        self.register_buffer("cos", angles.cos(), persistent=False)
        self.register_buffer("sin", angles.sin(), persistent=False)

    def rotate(self, x):
        low, high = x.chunk(2, dim=-1)
        cos, sin = self.cos.to(x.dtype), self.sin.to(x.dtype)
        return torch.cat((low * cos - high * sin, high * cos + low * sin), dim=-1)

    def forward(self, tokens, targets):
        x = narrowed(self.embedding(tokens), self.residual)
        for block in self.blocks:
            qkv = block["qkv"](block["norm1"](x))
            batch, seq, _ = qkv.shape
            q, k, v = qkv.view(batch, seq, -1, self.head_dim).transpose(1, 2).split(
                (self.heads, self.kv_heads, self.kv_heads), dim=1)
            if self.norms_heads:
                q, k = block["q_norm"](q), block["k_norm"](k)
            attended = attention(self.rotate(q), self.rotate(k), v)
            x = x + block["out"](attended.transpose(1, 2).flatten(2))
            gate, up = block["gate_up"](block["norm2"](x)).chunk(2, dim=-1)
            x = x + block["down"](F.silu(gate) * up)
        return loss_of(self.head(self.norm(x)), targets)


def model_of(dims, seq, device="cpu", residual=None):
    """The model on `device`, made there where this PyTorch can: billions of parameters take minutes on
    a CPU. `residual`: dtype of the sums between blocks."""
    families = {"gpt2": Gpt2, "llama": Llama}
    if dims.get("family") not in families:
        raise ValueError(f"no PyTorch model of family {dims.get('family')}")
    with made_on(device):
        model = families[dims["family"]](dims, seq)
    model.residual = residual
    return model.to(device)


def made_on(device):
    device = torch.device(device)
    return device if hasattr(device, "__enter__") else contextlib.nullcontext()  # from 2.0 on
