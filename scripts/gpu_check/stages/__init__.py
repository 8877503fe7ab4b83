# SPDX-License-Identifier: Apache-2.0
"""The stages, in the order in which they run: what everything rests on first."""
from gpu_check.stage import Stage
from gpu_check.stages import (against_torch, build, death, doctor, kernels, machine, ranks, sanitizer,
                              step, tests)


def all_stages(site):
    stages = [Stage("machine", "GPU, driver and versions", "a GPU and its driver", 30, machine.run, 5)]
    if not site.bundle:
        stages.append(Stage("build", "what is missing", "every program", 240, build.run, 20))
    return stages + [
        Stage("doctor", "is this machine fit", "nothing broken", 30, doctor.run, 5),
        Stage("tests", "ctest label gpu", "all pass", 120, tests.run, 40),
        Stage("ranks", "2, 3, 4 and 8 ranks on one GPU", "0 wrong, perf_valid=false", 120, ranks.run, 60),
        Stage("death", "a killed rank is named", "one message, no hang", 70, death.run, 25),
        Stage("kernels", "each kernel against its floor", "memory-bound: 90 % of copy", 75, kernels.run, 40),
        Stage("gemm", "matrix products against torch.matmul", "98 % of torch.matmul", 60,
              against_torch.gemm, 30),
        Stage("attention", "attention against the best SDPA backend", "95 % of the best", 50,
              against_torch.attention, 30),
        Stage("step-llama3-8b-4-layers", "the step against compiled PyTorch", "1.10x tokens/s", 120,
              step.llama, 60),
        Stage("step-gpt2-124m", "the step against compiled PyTorch", "1.00x tokens/s", 90, step.gpt2, 45),
        Stage("sanitizer", "compute-sanitizer on small tests", "0 errors", 120, sanitizer.run, 40),
    ]
