// SPDX-License-Identifier: Apache-2.0
// A GEMM of our own: for what cuBLASLt has no kernel for (addresses that are aligned to
// one element only, fp8 on GPUs without it, empty sums). Right for any size, an order of magnitude
// slower than tensor cores.
#pragma once

#include <cstdint>

#include "core/dtype.h"
#include "kernels/cuda/cuda_kernels.h"

namespace stepmark::cuda {

// Row-major, as in GemmShape.
struct Gemm {
  std::int64_t m = 0, n = 0, k = 0;
  bool trans_a = false, trans_b = false, accumulate = false;
  DType in = DType::f32, out = DType::f32;
};

[[nodiscard]] Enqueue plain_gemm(const Gemm& gemm, const void* a, const void* b, const void* bias,
                                 void* c);

// c (m, n) [+]= a (m, k) b (n, k)^T with scales, as in Fp8GemmShape.
struct Fp8Gemm {
  std::int64_t m = 0, n = 0, k = 0;
  bool a_e5m2 = false, b_e5m2 = false, accumulate = false, blockwise = false;
  DType out = DType::f32;
};
[[nodiscard]] Enqueue plain_fp8_gemm(const Fp8Gemm& gemm, const void* a, const void* b,
                                     const float* a_scale_inv, const float* b_scale_inv, void* c);

}  // namespace stepmark::cuda
