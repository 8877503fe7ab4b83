#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""PyTorch's side of a comparison on one GPU: one JSON command per line in, one JSON line out.

usage: torch_server.py [--device cuda|cpu]

It stays up between commands, so that the two sides can take turns (A B A B ...) while PyTorch is
imported and compiled once. Times are CUDA events (on the CPU, the clock), in seconds; GEMMs and
attention are timed with a cold L2 cache, emptied by reading, so that nothing is written back meanwhile.
Steps are timed back to back: so many between two events. `forms` says what is compiled (all that this
PyTorch has when it is empty), `clip` is the largest norm of the gradient (0: no clipping).

  {"do": "facts"}
  {"do": "gemm", "m": .., "n": .., "k": .., "trans_a": 0, "trans_b": 1, "dtype": "bf16"}
  {"do": "attention", "batch": .., "seq": .., "heads": .., "kv_heads": .., "head_dim": .., "backward": 0}
  {"do": "step_prepare", "workload": FILE, "layers": .., "seq": .., "micro_batch": .., "forms": []}
  {"do": "step", "form": "default", "clip": 1, "count": 5}
"""
import argparse
import json
import statistics
import sys
import time

import torch

import torch_models

DTYPES = {"bf16": torch.bfloat16, "fp32": torch.float32}
FLUSH_BYTES = 512 << 20  # several times the largest L2 cache
FORMS = ("default", "reduce-overhead")  # of torch.compile
CLIPS = (1, 0)
TRY_STEPS, PREPARE_STEPS = 5, 3


class Timer:
    def __init__(self, device):
        self.cuda = device.type == "cuda"
        self.flush = torch.zeros(FLUSH_BYTES // 4 if self.cuda else 1, device=device)

    def once(self, work, cold):
        if not self.cuda:
            begin = time.perf_counter()
            work()
            return time.perf_counter() - begin
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        if cold:
            self.flush.sum()
        begin.record()
        work()
        end.record()
        end.synchronize()
        return begin.elapsed_time(end) / 1e3

    def each_of(self, count, work):
        """Mean seconds of `count` calls one after another, between two events."""
        def all_of_them():
            for _ in range(count):
                work()

        return self.once(all_of_them, cold=False) / count

    def median(self, work, budget_s=0.25, least=10, most=100):
        for _ in range(3):
            self.once(work, cold=True)
        until, times = time.monotonic() + budget_s, []
        while len(times) < least or (time.monotonic() < until and len(times) < most):
            times.append(self.once(work, cold=True))
        return statistics.median(times)


class Step:
    """Forward, loss, backward, clipping where asked for, fused AdamW: fp32 parameters and moments, on a
    GPU under autocast to bf16 with the sums between blocks in bf16."""

    def __init__(self, device, ask):
        torch.manual_seed(1)
        dims = torch_models.read_dims(ask["workload"])
        if ask.get("layers"):
            dims["layers"] = ask["layers"]
        self.device = device
        self.mixed = ask.get("precision", "bf16") == "bf16" and device.type == "cuda"
        self.model = torch_models.model_of(dims, ask["seq"], device, torch.bfloat16 if self.mixed else None)
        shape = (ask["micro_batch"], ask["seq"])
        self.tokens, self.targets = (torch.randint(dims["vocab"], shape, device=device) for _ in range(2))
        options = {"fused": True} if device.type == "cuda" else {}
        self.parameters = list(self.model.parameters())
        self.optimizer = torch.optim.AdamW(self.parameters, lr=1e-3, betas=(0.9, 0.95), weight_decay=0.1,
                                           **options)
        self.loss = None
        self.forwards = {name: self.compiled(name) for name in self.names(ask.get("forms"))}

    def names(self, wanted):
        can_compile = self.device.type == "cuda" and hasattr(torch, "compile")
        return wanted or (FORMS if can_compile else ("eager",))

    def compiled(self, form):
        if form == "eager":
            return self.model
        return torch.compile(self.model) if form == "default" else torch.compile(self.model, mode=form)

    def run(self, form, clip):
        self.loss = None  # a form with graphs of its own reuses its memory
        mark = getattr(getattr(torch, "compiler", None), "cudagraph_mark_step_begin", None)
        if mark and form == "reduce-overhead":
            mark()
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.mixed):
            loss = self.forwards[form](self.tokens, self.targets)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        if clip > 0:
            torch.nn.utils.clip_grad_norm_(self.parameters, clip)
        self.optimizer.step()
        self.loss = loss

    def count(self):
        return sum(p.numel() for p in self.parameters)


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
        step = self.step_model = Step(self.device, ask)
        times, errors, prepared = {}, {}, {}
        for form in step.forwards:
            form_begin = time.monotonic()
            try:
                for _ in range(PREPARE_STEPS):
                    step.run(form, 0)
                for clip in CLIPS:
                    step.run(form, clip)
                    seconds = self.timer.each_of(TRY_STEPS, lambda f=form, c=clip: step.run(f, c))
                    times.setdefault(str(clip), {})[form] = seconds
            except Exception as error:  # pylint: disable=broad-except
                errors[form] = in_words(error)
                step.loss = None
                step.optimizer.zero_grad(set_to_none=True)
            prepared[form] = time.monotonic() - form_begin
        if not times:
            raise RuntimeError(f"no form of the step ran: {errors}")
        answer = {"parameters": step.count(), "forms": times, "errors": errors, "compile_s": prepared,
                  "best": {clip: min(of, key=of.get) for clip, of in times.items()}, "prepare_s": time.monotonic() - begin}
        if self.device.type == "cuda":
            answer.update(held_bytes=torch.cuda.max_memory_reserved(),
                          gpu_bytes=torch.cuda.get_device_properties(self.device).total_memory)
        return answer

    def step(self, ask):
        step, form, clip = self.step_model, ask["form"], ask["clip"]
        step.run(form, clip)
        seconds = self.timer.each_of(ask["count"], lambda: step.run(form, clip))
        return {"seconds": seconds, "loss": step.loss.item()}


def in_words(error):
    words = (str(error).splitlines() or [""])[0]
    return f"{type(error).__name__}: {words}"[:300]


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
                answer = {"error": in_words(error)}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
