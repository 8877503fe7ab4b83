// SPDX-License-Identifier: Apache-2.0
// What is behind the handles of the emulated cuBLASLt, by its documentation (cuBLAS, chapter "Using
// the cuBLASLt API"). Matrices are column-major.
#pragma once

#include <cublasLt.h>

#include <cstdint>

namespace stepmark::emulation::blaslt {

struct Layout {
  cudaDataType_t type = CUDA_R_32F;
  std::uint64_t rows = 0, cols = 0;
  std::int64_t ld = 0;
};

struct Desc {
  cublasComputeType_t compute = CUBLAS_COMPUTE_32F;
  cudaDataType_t scale = CUDA_R_32F;
  cublasOperation_t trans_a = CUBLAS_OP_N, trans_b = CUBLAS_OP_N;
  std::uint32_t epilogue = CUBLASLT_EPILOGUE_DEFAULT;
  void* bias = nullptr;
  void* aux = nullptr;
  std::int64_t aux_ld = 0;
  const float* a_scale = nullptr;
  const float* b_scale = nullptr;
  std::int32_t a_scale_mode = CUBLASLT_MATMUL_MATRIX_SCALE_SCALAR_32F;
  std::int32_t b_scale_mode = CUBLASLT_MATMUL_MATRIX_SCALE_SCALAR_32F;
  std::int8_t fast_accumulation = 0;
};

struct Preference {
  std::uint64_t workspace_bytes = 0;
  std::uint32_t reduction_schemes = CUBLASLT_REDUCTION_SCHEME_MASK;
  std::uint32_t align_a = 256, align_b = 256, align_c = 256, align_d = 256;
};

struct Problem {
  Desc desc;
  Layout a, b, c, d;
  [[nodiscard]] std::int64_t m() const { return static_cast<std::int64_t>(d.rows); }
  [[nodiscard]] std::int64_t n() const { return static_cast<std::int64_t>(d.cols); }
  [[nodiscard]] std::int64_t k() const {
    return static_cast<std::int64_t>(desc.trans_a == CUBLAS_OP_N ? a.cols : a.rows);
  }
};

[[nodiscard]] bool is_fp8(cudaDataType_t type);
[[nodiscard]] std::int64_t bytes_of(cudaDataType_t type);

// Alignments, in bytes, that addresses will have. SUCCESS, INVALID_VALUE for contradictions,
// NOT_SUPPORTED for what there is no kernel for (rules.cpp).
[[nodiscard]] cublasStatus_t check_rules(const Problem& problem, const Preference& alignments,
                                         int compute_capability);

struct Pointers {
  const void *a, *b, *c;
  void* d;
  float alpha, beta;
};
// parts: of the sum over k, each rounded to D's type before they are added up; 1: none is.
void multiply(const Problem& problem, const Pointers& pointers, std::int64_t parts);

}  // namespace stepmark::emulation::blaslt
