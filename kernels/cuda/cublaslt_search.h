// SPDX-License-Identifier: Apache-2.0
// Which of cuBLASLt's proposals is the fastest, by trial.
#pragma once

#include <span>

#include "kernels/cuda/cublaslt_matmul.h"

namespace stepmark::cuda {

// Descriptors of one product: all that a call needs but for addresses.
struct MatmulCall {
  Matmul matmul;
  MatmulDesc desc;
  MatrixLayout a, b, d;
};
[[nodiscard]] MatmulCall make_call(const Matmul& matmul);
void set_pointers(const MatmulCall& call, const MatmulOperands& operands);
[[nodiscard]] cublasStatus_t enqueue(const MatmulCall& call, const MatmulOperands& operands,
                                     const cublasLtMatmulAlgo_t& algorithm, void* workspace,
                                     std::size_t workspace_bytes, int device, cudaStream_t stream);

// Index of the proposal to take. Operands are only read; results go to memory that is freed again.
// 0 when there is no memory for them.
[[nodiscard]] std::size_t fastest(const Matmul& matmul, const MatmulOperands& operands,
                                  std::span<const cublasLtMatmulHeuristicResult_t> proposals,
                                  int device);

}  // namespace stepmark::cuda
