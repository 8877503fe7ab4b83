// SPDX-License-Identifier: Apache-2.0
// What follows a GEMM, as passes of their own: for where no kernel of cuBLASLt does it along.
#pragma once

#include "core/dtype.h"
#include "kernels/cuda/cuda_kernels.h"

namespace stepmark::cuda {

// c (m, n) += bias (n). bias and c of these types.
[[nodiscard]] Enqueue add_bias(DType bias_type, DType c_type, std::int64_t m, std::int64_t n,
                               const void* bias, void* c, const KernelContext& context);
// c = gelu(pre)
[[nodiscard]] Enqueue apply_gelu(DType type, std::int64_t elements, const void* pre, void* c,
                                 const KernelContext& context);
// c *= gelu'(pre)
[[nodiscard]] Enqueue apply_gelu_slope(DType type, std::int64_t elements, const void* pre, void* c,
                                       const KernelContext& context);
// out (n) [+]= column sums of x (m, n). Uses the context's scratch from its start.
[[nodiscard]] Enqueue sum_columns(DType type, std::int64_t m, std::int64_t n, bool accumulate,
                                  const void* x, float* out, KernelContext& context);

}  // namespace stepmark::cuda
