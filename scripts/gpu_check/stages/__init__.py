# SPDX-License-Identifier: Apache-2.0
"""The stages, in the order in which they run, and the order of what matters: when time is short, the
last ones are left out."""
from gpu_check.stage import Stage
from gpu_check.stages import (against_torch, death, experts, kernels, machine, ranks, sanitizer, smoke,
                              step, tests)


def all_stages(_site=None):
    return [
        Stage("machine", "GPU, driver, versions, doctor", "a GPU and its driver, nothing broken", 3,
              machine.run, 6),
        Stage("smoke", "one step, one GEMM", "right, by the expected engines", 6, smoke.run, 10),
        Stage("step-gpt2-124m", "the step against compiled PyTorch", "all its goals", 30, step.gpt2, 70,
              step.goals("GPT-2 124M", step.GPT2_WANTED)),
        Stage("step-llama3-8b-4-layers", "the step against compiled PyTorch", "all its goals", 35,
              step.llama, 85, step.goals("Llama-3-8B, 4 layers", step.LLAMA_WANTED)),
        Stage("gemm", "GEMMs against torch.matmul", f"each >= {against_torch.GEMM_WANTED}x", 15,
              against_torch.gemm, 16),
        Stage("attention", "attention against the best SDPA backend",
              f"each >= {against_torch.ATTENTION_WANTED}x", 12, against_torch.attention, 12),
        Stage("kernels", "kernels against their bounds", kernels.WANTED_WORDS, 20, kernels.run, 20,
              ((kernels.GOAL, "memory-bound kernels, bound over 100 us", kernels.WANTED_WORDS),)),
        Stage("experts", "steps with experts, own kernels on tensor cores", "right", 14, experts.run, 20),
        Stage("tests", "ctest label gpu", "all pass", 20, tests.run, 45),
        Stage("ranks", "2, 3, 4 and 8 ranks on one GPU", "0 wrong, within 90 s", 46, ranks.run, 50),
        Stage("death", "a killed rank is named", "one message, no hang", 4, death.run, 15),
        Stage("sanitizer", "compute-sanitizer on small tests", "0 errors", 10, sanitizer.run, 30),
    ]
