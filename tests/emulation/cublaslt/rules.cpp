// SPDX-License-Identifier: Apache-2.0
// What cuBLASLt's documentation demands, and where it says nothing, what a kernel on tensor cores
// needs: stricter here than the library, so that its users must be able to do without it.
#include "tests/emulation/cublaslt/objects.h"

namespace stepmark::emulation::blaslt {
namespace {

bool in(std::uint32_t epilogue, std::initializer_list<cublasLtEpilogue_t> list) {
  for (const cublasLtEpilogue_t e : list) {
    if (epilogue == static_cast<std::uint32_t>(e)) return true;
  }
  return false;
}

bool aligned(const void* address, std::uintptr_t bytes) {
  return reinterpret_cast<std::uintptr_t>(address) % bytes == 0;
}

bool consistent(const Problem& p) {
  const bool ta = p.desc.trans_a != CUBLAS_OP_N, tb = p.desc.trans_b != CUBLAS_OP_N;
  const std::uint64_t m = ta ? p.a.cols : p.a.rows, ka = ta ? p.a.rows : p.a.cols;
  const std::uint64_t kb = tb ? p.b.cols : p.b.rows, n = tb ? p.b.rows : p.b.cols;
  for (const Layout* layout : {&p.a, &p.b, &p.c, &p.d}) {
    if (layout->rows == 0 || layout->cols == 0) return false;
    if (layout->ld < static_cast<std::int64_t>(layout->rows)) return false;
  }
  return m == p.d.rows && n == p.d.cols && ka == kb && p.c.rows == m && p.c.cols == n &&
         p.c.type == p.d.type;
}

cublasStatus_t check_epilogue(const Problem& p) {
  const std::uint32_t e = p.desc.epilogue;
  if (e == CUBLASLT_EPILOGUE_DEFAULT) return CUBLAS_STATUS_SUCCESS;
  const bool bias = in(e, {CUBLASLT_EPILOGUE_BIAS, CUBLASLT_EPILOGUE_GELU_AUX_BIAS,
                           CUBLASLT_EPILOGUE_BGRADA, CUBLASLT_EPILOGUE_BGRADB});
  const bool aux =
      in(e, {CUBLASLT_EPILOGUE_GELU_AUX, CUBLASLT_EPILOGUE_GELU_AUX_BIAS, CUBLASLT_EPILOGUE_DGELU});
  if (!bias && !aux) return CUBLAS_STATUS_NOT_SUPPORTED;
  if (bias && p.desc.bias == nullptr) return CUBLAS_STATUS_INVALID_VALUE;
  if (bias && !aligned(p.desc.bias, 16)) return CUBLAS_STATUS_NOT_SUPPORTED;
  if (aux) {
    if (p.desc.aux == nullptr || p.desc.aux_ld % 8 != 0 || p.desc.aux_ld < p.m()) {
      return CUBLAS_STATUS_INVALID_VALUE;
    }
    if (!aligned(p.desc.aux, 16)) return CUBLAS_STATUS_NOT_SUPPORTED;
  }
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t check_fp8(const Problem& p, const Preference& align, int compute_capability) {
  const auto no = CUBLAS_STATUS_NOT_SUPPORTED;
  if (compute_capability < 89) return no;
  if (p.desc.trans_a != CUBLAS_OP_T || p.desc.trans_b != CUBLAS_OP_N) return no;
  if (p.a.type == CUDA_R_8F_E5M2 && p.b.type == CUDA_R_8F_E5M2) return no;
  if (p.d.type != CUDA_R_16BF && p.d.type != CUDA_R_32F) return no;
  if (p.a.ld % 16 != 0 || p.b.ld % 16 != 0 || p.k() % 16 != 0) return no;
  if (p.m() * bytes_of(p.d.type) % 16 != 0 || p.d.ld * bytes_of(p.d.type) % 16 != 0) return no;
  for (const std::uint32_t bytes : {align.align_a, align.align_b, align.align_c, align.align_d}) {
    if (bytes < 16) return no;
  }
  if (p.desc.epilogue != CUBLASLT_EPILOGUE_DEFAULT) return no;
  constexpr auto kTensor = CUBLASLT_MATMUL_MATRIX_SCALE_SCALAR_32F;
  constexpr auto kRow = CUBLASLT_MATMUL_MATRIX_SCALE_VEC128_32F;
  constexpr auto kBlock = CUBLASLT_MATMUL_MATRIX_SCALE_BLK128x128_32F;
  const auto a = p.desc.a_scale_mode, b = p.desc.b_scale_mode;
  if (a == kTensor && b == kTensor) return CUBLAS_STATUS_SUCCESS;
  const bool blocks = (a == kRow && (b == kRow || b == kBlock)) || (a == kBlock && b == kRow);
  if (!blocks || compute_capability != 90 || p.desc.fast_accumulation != 0) return no;
  if (p.m() % 4 != 0 || p.n() % 4 != 0) return no;
  if (p.desc.a_scale == nullptr || p.desc.b_scale == nullptr) return CUBLAS_STATUS_INVALID_VALUE;
  return aligned(p.desc.a_scale, 16) && aligned(p.desc.b_scale, 16) ? CUBLAS_STATUS_SUCCESS : no;
}

}  // namespace

bool is_fp8(cudaDataType_t type) { return type == CUDA_R_8F_E4M3 || type == CUDA_R_8F_E5M2; }

std::int64_t bytes_of(cudaDataType_t type) {
  if (is_fp8(type)) return 1;
  return type == CUDA_R_16BF ? 2 : 4;
}

cublasStatus_t check_rules(const Problem& p, const Preference& align, int compute_capability) {
  if (!consistent(p)) return CUBLAS_STATUS_INVALID_VALUE;
  if (p.desc.compute != CUBLAS_COMPUTE_32F || p.desc.scale != CUDA_R_32F) {
    return CUBLAS_STATUS_NOT_SUPPORTED;
  }
  if (is_fp8(p.a.type) || is_fp8(p.b.type)) {
    if (!is_fp8(p.a.type) || !is_fp8(p.b.type)) return CUBLAS_STATUS_NOT_SUPPORTED;
    return check_fp8(p, align, compute_capability);
  }
  if (p.desc.a_scale != nullptr || p.desc.b_scale != nullptr) return CUBLAS_STATUS_INVALID_VALUE;
  if (p.a.type == CUDA_R_32F && p.b.type == CUDA_R_32F && p.d.type == CUDA_R_32F) {
    return check_epilogue(p);
  }
  if (p.a.type != CUDA_R_16BF || p.b.type != CUDA_R_16BF) return CUBLAS_STATUS_NOT_SUPPORTED;
  if (p.d.type != CUDA_R_16BF && p.d.type != CUDA_R_32F) return CUBLAS_STATUS_NOT_SUPPORTED;
  for (const std::uint32_t bytes : {align.align_a, align.align_b, align.align_c, align.align_d}) {
    if (bytes < 4) return CUBLAS_STATUS_NOT_SUPPORTED;
  }
  for (const Layout* layout : {&p.a, &p.b, &p.d}) {
    if (layout->ld * bytes_of(layout->type) % 4 != 0) return CUBLAS_STATUS_NOT_SUPPORTED;
  }
  return check_epilogue(p);
}

}  // namespace stepmark::emulation::blaslt
