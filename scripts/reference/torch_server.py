#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""PyTorch's side of a comparison on one GPU: one JSON command per line in, one JSON line out.

usage: torch_server.py [--device cuda|cpu]

It stays up between commands, so that the two sides can take turns (A B A B ...) while PyTorch is
imported and compiled once. Times are CUDA events (on the CPU, the clock), in seconds; products and
attention are timed with a cold L2 cache.

  {"do": "facts"}
  {"do": "gemm", "m": .., "n": .., "k": .., "trans_a": 0, "trans_b": 1, "dtype": "bf16"}
  {"do": "attention", "batch": .., "seq": .., "heads": .., "kv_heads": .., "head_dim": .., "backward": 0}
  {"do": "step_prepare", "workload": FILE, "layers": .., "seq": .., "micro_batch": .., "masters": 1}
  {"do": "step", "count": 5}
"""
import argparse
import json
import statistics
import sys
import time

import torch

import torch_models

DTYPES = {"bf16": torch.bfloat16, "fp32": torch.float32}
FLUSH_BYTES = 256 << 20  # twice the largest L2 cache


class Timer:
    def __init__(self, device):
        self.cuda = device.type == "cuda"
        self.flush = torch.empty(FLUSH_BYTES if self.cuda else 1, dtype=torch.uint8, device=device)

    def once(self, work, cold):
        if not self.cuda:
            begin = time.perf_counter()
            work()
            return time.perf_counter() - begin
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        if cold:
            self.flush.zero_()
        begin.record()
        work()
        end.record()
        end.synchronize()
        return begin.elapsed_time(end) / 1e3

    def median(self, work, budget_s=0.25, least=10, most=100):
        for _ in range(3):
            self.once(work, cold=True)
        until, times = time.monotonic() + budget_s, []
        while len(times) < least or (time.monotonic() < until and len(times) < most):
            times.append(self.once(work, cold=True))
        return statistics.median(times)


class Step:
    """Forward, loss, backward, fused AdamW; compiled on a GPU. masters: fp32 parameters under
    autocast to bf16; otherwise everything, the optimizer's state too, is bf16."""

    def __init__(self, device, ask):
        torch.manual_seed(1)
        dims = torch_models.read_dims(ask["workload"])
        if ask.get("layers"):
            dims["layers"] = ask["layers"]
        self.device, self.masters = device, bool(ask.get("masters", 1))
        self.precision = ask.get("precision", "bf16")
        model = torch_models.model_of(dims, ask["seq"])
        if self.precision == "bf16" and not self.masters:
            model = model.to(torch.bfloat16)
        self.model = model.to(device)
        shape = (ask["micro_batch"], ask["seq"])
        self.tokens, self.targets = (torch.randint(dims["vocab"], shape, device=device) for _ in range(2))
        options = {"fused": True} if device.type == "cuda" else {}
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-3, betas=(0.9, 0.95),
                                           weight_decay=0.1, **options)
        compile_it = device.type == "cuda" and hasattr(torch, "compile")
        self.forward = torch.compile(self.model) if compile_it else self.model
        self.parameters = sum(p.numel() for p in self.model.parameters())
        self.loss = None

    def run(self):
        mixed = self.precision == "bf16" and self.masters and self.device.type == "cuda"
        with torch.autocast(self.device.type, torch.bfloat16, enabled=mixed):
            self.loss = self.forward(self.tokens, self.targets)
        self.optimizer.zero_grad(set_to_none=True)
        self.loss.backward()
        self.optimizer.step()


class Server:
    def __init__(self, device):
        self.device, self.timer, self.step_model = device, Timer(device), None

    def facts(self, _):
        facts = {"pytorch": torch.__version__, "device": str(self.device)}
        if self.device.type == "cuda":
            facts.update(device=torch.cuda.get_device_name(), cuda=torch.version.cuda,
                         cudnn=torch.backends.cudnn.version())
        return facts

    def random(self, *shape, dtype="bf16"):
        return torch.randn(*shape, device=self.device).to(DTYPES[dtype])

    def gemm(self, ask):
        m, n, k, dtype = ask["m"], ask["n"], ask["k"], ask["dtype"]
        a = self.random(k, m, dtype=dtype).t() if ask.get("trans_a") else self.random(m, k, dtype=dtype)
        b = self.random(n, k, dtype=dtype).t() if ask.get("trans_b") else self.random(k, n, dtype=dtype)
        out = torch.empty(m, n, dtype=DTYPES[dtype], device=self.device)
        return {"seconds": self.timer.median(lambda: torch.matmul(a, b, out=out))}

    def attention(self, ask):
        def heads(count):
            x = self.random(ask["batch"], count, ask["seq"], ask["head_dim"])
            return x.requires_grad_(bool(ask["backward"]))

        q, k, v = heads(ask["heads"]), heads(ask["kv_heads"]), heads(ask["kv_heads"])
        times, errors = {}, {}
        for name, enter in self.backends():
            try:
                with enter():
                    times[name] = self.attention_time(q, k, v, ask["backward"])
            except (RuntimeError, TypeError) as error:
                errors[name] = str(error).splitlines()[0][:200]
        return {"backends": times, "errors": errors}

    def attention_time(self, q, k, v, backward):
        def forward():
            return torch_models.attention(q, k, v)

        if not backward:
            with torch.no_grad():
                return self.timer.median(forward)
        out = forward()
        gradient = torch.randn_like(out)
        return self.timer.median(
            lambda: torch.autograd.grad(out, (q, k, v), gradient, retain_graph=True))

    def backends(self):
        """Name and context manager of every SDPA backend that this PyTorch has."""
        try:
            from torch.nn.attention import SDPBackend, sdpa_kernel
        except ImportError:
            import contextlib
            return [("default", contextlib.nullcontext)]
        names = ("FLASH_ATTENTION", "CUDNN_ATTENTION", "EFFICIENT_ATTENTION")
        found = [getattr(SDPBackend, name, None) for name in names]
        return [(b.name, lambda b=b: sdpa_kernel(b)) for b in found if b is not None]

    def step_prepare(self, ask):
        self.step_model = None
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        begin = time.monotonic()
        self.step_model = Step(self.device, ask)
        for _ in range(3):
            self.step_model.run()
        loss = self.step_model.loss.item()
        return {"parameters": self.step_model.parameters, "loss": loss,
                "prepare_s": time.monotonic() - begin}

    def step(self, ask):
        times = [self.timer.once(self.step_model.run, cold=False) for _ in range(ask["count"])]
        return {"seconds": times, "loss": self.step_model.loss.item()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda", choices=("cuda", "cpu"))
    server = Server(torch.device(parser.parse_args().device))
    for line in sys.stdin:
        ask = json.loads(line)
        if ask["do"] not in ("facts", "gemm", "attention", "step_prepare", "step"):
            answer = {"error": f"no command '{ask['do']}'"}
        else:
            try:
                answer = getattr(server, ask["do"])(ask)
            except Exception as error:  # pylint: disable=broad-except
                words = (str(error).splitlines() or [""])[0]
                answer = {"error": f"{type(error).__name__}: {words}"[:300]}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
