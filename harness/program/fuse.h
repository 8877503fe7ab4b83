// SPDX-License-Identifier: Apache-2.0
// Fuses neighbouring kernels of a stream into ops that do both in one pass over memory:
//   gemm, gelu_fwd                            -> gemm_gelu
//   gemm, gelu_bwd of its result              -> gemm_dgelu, when nothing else reads that result
//   residual, rmsnorm_fwd or layernorm_fwd    -> residual_rmsnorm_fwd, residual_layernorm_fwd
//   gemm to fp32 and bias_grad, either order  -> gemm_bias_grad, when both read the same gradient
// The second must follow the first directly on their stream, read its result whole, and wait for
// nothing issued after the first; no other stream's op between them may wait for the first, for it
// would then wait for both. The fused op takes the first's place, waits for what either waited
// for, and is labelled "layer0.mlp.up+gelu". A workspace buffer that no op uses any more is left
// out.
#pragma once

#include "harness/program/program.h"

namespace stepmark {

[[nodiscard]] Program fuse(Program program);

}  // namespace stepmark
