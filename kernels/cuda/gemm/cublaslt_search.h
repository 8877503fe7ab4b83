// SPDX-License-Identifier: Apache-2.0
// Which of cuBLASLt's proposals is the fastest, by trial.
#pragma once

#include <cstddef>
#include <functional>
#include <span>

#include "kernels/cuda/gemm/cublaslt_matmul.h"

namespace stepmark::cuda {

// Descriptors of one GEMM: all that a call needs but for addresses.
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

// Milliseconds of the best of some runs of what `work` enqueues, after one that is not timed;
// infinite when it throws.
[[nodiscard]] float time_of(const std::function<void(cudaStream_t)>& work);

// Device memory that may not be there: nothing beyond 1 GiB, or where there is no more.
class TrialMemory {
 public:
  explicit TrialMemory(std::size_t bytes);
  ~TrialMemory();
  TrialMemory(const TrialMemory&) = delete;
  TrialMemory& operator=(const TrialMemory&) = delete;
  [[nodiscard]] std::byte* data() const { return static_cast<std::byte*>(data_); }

 private:
  void* data_ = nullptr;
};
// Another way must be faster than the first by this part: noise shall not decide.
inline constexpr float kClearlyFaster = 0.97F;

}  // namespace stepmark::cuda
