#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""PyTorch's side of gpu-check, as far as a CPU shows it: which form is the rival, clipping, sums between
blocks in bf16. Exit code 77 where PyTorch is absent."""
import pathlib
import sys
import tempfile
import unittest

REPO = pathlib.Path(__file__).resolve().parents[3]
sys.path[:0] = [str(REPO / "scripts"), str(REPO / "scripts" / "reference")]

try:
    import torch
except ImportError as error:
    print(f"skipped: PyTorch is not installed for {sys.executable} ({error})")
    sys.exit(77)

import torch_models  # noqa: E402
import torch_server  # noqa: E402
from gpu_check import rehearsal  # noqa: E402

CPU = torch.device("cpu")


class CallClock(torch_server.Timer):
    """Time passes in calls of models alone, so that a busy machine is as fast as an idle one."""

    def __init__(self):
        super().__init__(CPU)
        self.now = 0

    def takes(self, time):
        def form(model):
            def forward(*inputs):
                self.now += time
                return model(*inputs)
            return forward
        return form

    def once(self, work, cold):
        begin = self.now
        work()
        return self.now - begin


class Server(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.server = torch_server.Server(CPU)
        self.had_compile = getattr(torch, "compile", None)

    def tearDown(self):
        if self.had_compile:
            torch.compile = self.had_compile
        elif hasattr(torch, "compile"):
            del torch.compile

    def ask(self, name="gpt2-124m", **more):
        path = pathlib.Path(self.folder.name, "workload.yaml")
        path.write_text(rehearsal.WORKLOADS[name], encoding="utf-8")
        return {"workload": str(path), "seq": 16, "micro_batch": 1, "precision": "fp32", **more}

    def compile_with(self, forms):
        """torch.compile that gives each form of `forms`, by its name, a model of its own."""
        torch.compile = lambda model, mode="default": forms[mode](model)

    def test_the_rival_is_the_faster_form(self):
        clock = CallClock()
        self.server.timer = clock
        for slower in torch_server.FORMS:
            self.compile_with({form: clock.takes(10 if form == slower else 1)
                               for form in torch_server.FORMS})
            answer = self.server.step_prepare(self.ask(forms=list(torch_server.FORMS)))
            faster = next(form for form in torch_server.FORMS if form != slower)
            self.assertEqual(answer["best"], {"1": faster, "0": faster})

    def test_a_form_that_does_not_run_is_no_rival(self):
        def broken(model):
            def forward(*inputs):
                raise RuntimeError("CUDA out of memory\nmore")
            return forward
        self.compile_with({"default": lambda model: model, "reduce-overhead": broken})
        answer = self.server.step_prepare(self.ask(forms=list(torch_server.FORMS)))
        self.assertEqual(answer["best"], {"1": "default", "0": "default"})
        self.assertIn("out of memory", answer["errors"]["reduce-overhead"])
        self.compile_with({"default": broken})
        with self.assertRaisesRegex(RuntimeError, "no form of the step ran"):
            self.server.step_prepare(self.ask(forms=["default"]))

    def test_steps_learn_with_and_without_clipping(self):
        for name in rehearsal.WORKLOADS:
            answer = self.server.step_prepare(self.ask(name))
            self.assertEqual(answer["best"], {"1": "eager", "0": "eager"})
            losses = [self.server.step({"form": "eager", "clip": clip, "count": 2})["loss"]
                      for clip in (0, 1, 0, 1)]
            self.assertEqual(losses, sorted(losses, reverse=True))

    def test_clipping_limits_the_gradient(self):
        step = torch_server.Step(CPU, self.ask())
        for clip in (1e-3, 0):
            step.run("eager", clip)
            norm = torch.cat([p.grad.flatten() for p in step.parameters]).norm().item()
            self.assertEqual(norm <= 1.01e-3, clip > 0, norm)

    def test_sums_between_blocks_may_be_bf16(self):
        tokens, losses = torch.arange(16).view(1, 16), []
        # Autocast on a CPU, unlike that of GPUs, does not widen what LayerNorm reads.
        dims = torch_models.read_dims(self.ask("llama3-8b")["workload"])
        for residual in (None, torch.bfloat16):
            torch.manual_seed(3)
            model = torch_models.model_of(dims, 16, CPU, residual)
            with torch.autocast("cpu", torch.bfloat16):
                losses.append(model(tokens, tokens).item())
        self.assertNotEqual(losses[0], losses[1])
        self.assertAlmostEqual(losses[0], losses[1], delta=0.05)


if __name__ == "__main__":
    unittest.main(verbosity=2)
