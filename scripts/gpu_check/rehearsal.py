# SPDX-License-Identifier: Apache-2.0
"""What a rehearsal measures instead: the same kinds of cases, small enough for a GPU that is emulated
on a CPU."""

WORKLOAD = """\
workload: rehearsal-{family}
description: stands for a larger model
source: this project
model:
  family: {family}
  layers: 1
  hidden: 64
  heads: 4
{more}  ffn: 96
  vocab: {vocab}
  max_seq: 32
plan:
  micro_batch: 1
  seq: 16
  precision: bf16
"""
WORKLOADS = {"gpt2-124m": WORKLOAD.format(family="gpt2", more="", vocab=192),
             "llama3-8b": WORKLOAD.format(family="llama", more="  kv_heads: 2\n", vocab=128)}
# Without a rival in PyTorch.
EXPERTS = {"mixtral-8x7b-slice": WORKLOAD.format(family="llama", vocab=128,
                                                 more="  kv_heads: 2\n  experts: 4\n  top_k: 2\n")}

STEP = """\
  - family: step
    workload: {workload}
    plan: [{plans}]
"""
COLLECTIVES = """\
  - family: collective
    collectives: [{names}]
    sizes: [{sizes}]
    placement: out-of-place
"""
KERNELS = """\
  - family: kernel
    ops: [{ops}]
    dtypes: [{dtype}]
    max_bytes: {most}
    max_gflop: 0.31
"""


def suite(context, name):
    """The path of a shipped suite, or of the small one that stands for it."""
    if not context.site.rehearsal:
        return context.site.suite(name)
    return written(context, name, {
        "gpu-smoke": lambda: _step(context, '"tp=1"') + _kernels("attention_fwd", "bf16", "4MiB"),
        "gpu-check": lambda: _kernels("gemm, attention_fwd, attention_bwd, step_count", "bf16", "4MiB"),
        "gpu-experts": lambda: "".join(_step(context, f'"routing={routing}"', "mixtral-8x7b-slice")
                                       for routing in ("uniform", "router")),
        "gpu-kernels": lambda: _kernels("clip_scale, bucket_pack, embedding_bwd", "bf16", "9MiB"),
        "gpu-ranks": lambda: _step(context, '"tp=2,dp=2", "tp=2", "tp=1"')
                     + _collectives("all_reduce, all_gather, all_to_all_v", "16, 4KiB"),
        "gpu-many-ranks": lambda: _collectives("all_reduce", "4KiB"),
        "death": lambda: _collectives("all_reduce, all_gather, broadcast, reduce", "4KiB, 8KiB, 16KiB"),
    }[name]())


def workload(context, name):
    """The name or file of a workload."""
    if not context.site.rehearsal:
        return name
    path = context.path(f"{name}.yaml")
    path.write_text({**WORKLOADS, **EXPERTS}[name], encoding="utf-8")
    return path


def written(context, name, cases):
    path = context.path(f"{name}.yaml")
    path.write_text(f"suite: {name}\ndescription: of a rehearsal\nbudget: 4s\nprecision: 20%\n"
                    f"cases:\n{cases}", encoding="utf-8")
    return path


def _step(context, plans, name="llama3-8b"):
    return STEP.format(workload=workload(context, name).name, plans=plans)


def _collectives(names, sizes):
    return COLLECTIVES.format(names=names, sizes=sizes)


def _kernels(ops, dtype, most):
    return KERNELS.format(ops=ops, dtype=dtype, most=most)
