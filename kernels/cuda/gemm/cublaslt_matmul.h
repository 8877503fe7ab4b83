// SPDX-License-Identifier: Apache-2.0
// One GEMM by cuBLASLt, in its terms: column-major. A row-major matrix (r, c) is the
// column-major one (c, r), so c = op(a) op(b) of row-major operands is asked for as D = op(B)
// op(A).
#pragma once

#include <compare>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "core/dtype.h"
#include "kernels/cuda/cuda_kernels.h"
#include "kernels/cuda/gemm/cublaslt.h"

namespace stepmark::cuda {

// D (m, n) = op(A) op(B) [+ D], then the epilogue. Packed: A is (m, k), or (k, m) when trans_a;
// B is (k, n), or (n, k) when trans_b.
struct Matmul {
  std::int64_t m = 0, n = 0, k = 0;
  DType a = DType::f32, b = DType::f32, d = DType::f32;
  bool trans_a = false, trans_b = false, accumulate = false;
  cublasLtEpilogue_t epilogue = CUBLASLT_EPILOGUE_DEFAULT;
  // How the scales of fp8 operands are laid out (cublasLtMatmulMatrixScale_t).
  cublasLtMatmulMatrixScale_t a_scale = CUBLASLT_MATMUL_MATRIX_SCALE_SCALAR_32F;
  cublasLtMatmulMatrixScale_t b_scale = CUBLASLT_MATMUL_MATRIX_SCALE_SCALAR_32F;
  // NOLINTNEXTLINE(modernize-use-nullptr): of the generated code
  auto operator<=>(const Matmul&) const = default;
};

struct MatmulOperands {
  const void* a = nullptr;
  const void* b = nullptr;
  void* d = nullptr;
  void* bias = nullptr;  // d's type; read by ..._BIAS (m), written by BGRADA (m) and BGRADB (n)
  void* aux =
      nullptr;  // what GELU is taken of (m, n), d's type: written by GELU_AUX, read by DGELU
  const float* a_scale = nullptr;
  const float* b_scale = nullptr;
};

// A GEMM that is ready to be enqueued.
class MatmulPlan {
 public:
  struct State;
  explicit MatmulPlan(std::shared_ptr<const State> state) : state_(std::move(state)) {}
  void enqueue(cudaStream_t stream) const;
  // With scales whose address was not known while planning.
  void enqueue(cudaStream_t stream, const float* a_scale, const float* b_scale) const;
  // Of the context's scratch, from its start, which the GEMM uses.
  [[nodiscard]] std::size_t workspace_bytes() const;
  [[nodiscard]] const std::string& engine() const;  // the algorithm, for records

 private:
  std::shared_ptr<const State> state_;
};

// None where the library has no algorithm for this problem and these addresses. Among the
// heuristic's first proposals the fastest here is taken, by trial on the operands into memory of
// its own; STEPMARK_GEMM_SEARCH=0, or a result too large for such memory, takes the first proposal.
// Parts of a sum over k may be added up in bf16 where PyTorch's default allows it (bf16 operands
// and result), unless STEPMARK_GEMM_REDUCTION=fp32; the engine's name says " reduction=bf16" then.
// What was found is kept for the process. Two processes may choose differently, and then round
// differently. Throws Error when the library is missing or fails.
[[nodiscard]] std::optional<MatmulPlan> plan_matmul(const Matmul& matmul,
                                                    const MatmulOperands& operands,
                                                    KernelContext& context);

// How many problems the library was asked about, as opposed to remembered.
[[nodiscard]] int matmuls_looked_up();

}  // namespace stepmark::cuda
