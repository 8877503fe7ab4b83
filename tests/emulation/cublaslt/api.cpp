// SPDX-License-Identifier: Apache-2.0
// The functions of cuBLASLt that the project uses. From the environment:
//   STEPMARK_EMULATED_CUBLASLT_VERSION  what cublasLtGetVersion answers (the header's)
//   STEPMARK_EMULATED_CUBLASLT_SLOW_EPILOGUES=1  GEMMs with an epilogue take longer than without
//   STEPMARK_EMULATED_CUBLASLT_FASTEST  number of the algorithm that all others take longer than
#include <cuda_runtime_api.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <thread>

#include "tests/emulation/cublaslt/objects.h"
#include "tests/emulation/runtime/emulated_stream.h"

namespace stepmark::emulation::blaslt {
namespace {

constexpr int kAlgorithms = 5;
constexpr std::array<std::size_t, kAlgorithms> kWorkspaceBytes{0, 1 << 16, 1 << 18, 1 << 17, 0};
// The one that cuts k in two, and adds the parts up in D's type.
constexpr int kSplitting = 4;

// What is in a cublasLtMatmulAlgo_t here: the problem it was proposed for, and the alignments that
// were promised.
struct Algorithm {
  std::int32_t id;
  std::uint32_t align_a, align_b, align_c, align_d;
  std::uint32_t fingerprint;
};
static_assert(sizeof(Algorithm) <= sizeof(cublasLtMatmulAlgo_t));

Algorithm unpack(const cublasLtMatmulAlgo_t& from) {
  Algorithm algorithm{};
  std::memcpy(&algorithm, &from, sizeof(algorithm));
  return algorithm;
}

std::uint32_t fingerprint(const Problem& p) {
  std::uint32_t hash = 17;
  const auto add = [&](auto value) { hash = hash * 31 + static_cast<std::uint32_t>(value); };
  for (const Layout* layout : {&p.a, &p.b, &p.c, &p.d}) {
    add(layout->type);
    add(layout->rows);
    add(layout->cols);
    add(layout->ld);
  }
  add(p.desc.trans_a);
  add(p.desc.trans_b);
  add(p.desc.epilogue);
  add(p.desc.a_scale_mode);
  add(p.desc.b_scale_mode);
  return hash;
}

int number(const char* variable, int otherwise) {
  const char* text = std::getenv(variable);
  return text != nullptr ? std::atoi(text) : otherwise;
}

int compute_capability() {
  int device = 0, major = 0, minor = 0;
  static_cast<void>(cudaGetDevice(&device));
  static_cast<void>(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device));
  static_cast<void>(cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, device));
  return 10 * major + minor;
}

template <class Object, class Handle>
Object* behind(Handle handle) {
  return reinterpret_cast<Object*>(handle);
}

template <class T>
cublasStatus_t assign(T& to, const void* from, std::size_t bytes) {
  if (from == nullptr || bytes != sizeof(T)) return CUBLAS_STATUS_INVALID_VALUE;
  std::memcpy(&to, from, sizeof(T));
  return CUBLAS_STATUS_SUCCESS;
}

bool multiple_of(const void* address, std::uint32_t bytes) {
  return reinterpret_cast<std::uintptr_t>(address) % bytes == 0;
}

}  // namespace
}  // namespace stepmark::emulation::blaslt

using namespace stepmark::emulation::blaslt;  // NOLINT: the functions below are C

extern "C" {

std::size_t cublasLtGetVersion() {
  return static_cast<std::size_t>(number("STEPMARK_EMULATED_CUBLASLT_VERSION", CUBLAS_VERSION));
}

const char* cublasLtGetStatusName(cublasStatus_t status) {
  switch (status) {
    case CUBLAS_STATUS_SUCCESS:
      return "CUBLAS_STATUS_SUCCESS";
    case CUBLAS_STATUS_INVALID_VALUE:
      return "CUBLAS_STATUS_INVALID_VALUE";
    case CUBLAS_STATUS_NOT_SUPPORTED:
      return "CUBLAS_STATUS_NOT_SUPPORTED";
    case CUBLAS_STATUS_EXECUTION_FAILED:
      return "CUBLAS_STATUS_EXECUTION_FAILED";
    default:
      return "another status";
  }
}

cublasStatus_t cublasLtCreate(cublasLtHandle_t* handle) {
  static int context = 0;
  *handle = reinterpret_cast<cublasLtHandle_t>(&context);
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t* desc, cublasComputeType_t compute,
                                        cudaDataType_t scale) {
  *desc = reinterpret_cast<cublasLtMatmulDesc_t>(new Desc{.compute = compute, .scale = scale});
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t desc) {
  delete behind<Desc>(desc);
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t handle,
                                              cublasLtMatmulDescAttributes_t attribute,
                                              const void* value, std::size_t bytes) {
  Desc& desc = *behind<Desc>(handle);
  switch (attribute) {
    case CUBLASLT_MATMUL_DESC_TRANSA:
      return assign(desc.trans_a, value, bytes);
    case CUBLASLT_MATMUL_DESC_TRANSB:
      return assign(desc.trans_b, value, bytes);
    case CUBLASLT_MATMUL_DESC_EPILOGUE:
      return assign(desc.epilogue, value, bytes);
    case CUBLASLT_MATMUL_DESC_BIAS_POINTER:
      return assign(desc.bias, value, bytes);
    case CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER:
      return assign(desc.aux, value, bytes);
    case CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD:
      return assign(desc.aux_ld, value, bytes);
    case CUBLASLT_MATMUL_DESC_A_SCALE_POINTER:
      return assign(desc.a_scale, value, bytes);
    case CUBLASLT_MATMUL_DESC_B_SCALE_POINTER:
      return assign(desc.b_scale, value, bytes);
    case CUBLASLT_MATMUL_DESC_A_SCALE_MODE:
      return assign(desc.a_scale_mode, value, bytes);
    case CUBLASLT_MATMUL_DESC_B_SCALE_MODE:
      return assign(desc.b_scale_mode, value, bytes);
    case CUBLASLT_MATMUL_DESC_FAST_ACCUM:
      return assign(desc.fast_accumulation, value, bytes);
    default:
      return CUBLAS_STATUS_NOT_SUPPORTED;
  }
}

cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t* layout, cudaDataType_t type,
                                          std::uint64_t rows, std::uint64_t cols, std::int64_t ld) {
  *layout = reinterpret_cast<cublasLtMatrixLayout_t>(
      new Layout{.type = type, .rows = rows, .cols = cols, .ld = ld});
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t layout) {
  delete behind<Layout>(layout);
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t* preference) {
  *preference = reinterpret_cast<cublasLtMatmulPreference_t>(new Preference);
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t preference) {
  delete behind<Preference>(preference);
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t handle,
                                                    cublasLtMatmulPreferenceAttributes_t attribute,
                                                    const void* value, std::size_t bytes) {
  Preference& preference = *behind<Preference>(handle);
  switch (attribute) {
    case CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES:
      return assign(preference.workspace_bytes, value, bytes);
    case CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK:
      return assign(preference.reduction_schemes, value, bytes);
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES:
      return assign(preference.align_a, value, bytes);
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES:
      return assign(preference.align_b, value, bytes);
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES:
      return assign(preference.align_c, value, bytes);
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES:
      return assign(preference.align_d, value, bytes);
    default:
      return CUBLAS_STATUS_NOT_SUPPORTED;
  }
}

cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t, cublasLtMatmulDesc_t desc,
                                              cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
                                              cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d,
                                              cublasLtMatmulPreference_t preference, int requested,
                                              cublasLtMatmulHeuristicResult_t results[],
                                              int* count) {
  *count = 0;
  if (requested <= 0) return CUBLAS_STATUS_INVALID_VALUE;
  const Problem problem{*behind<Desc>(desc), *behind<Layout>(a), *behind<Layout>(b),
                        *behind<Layout>(c), *behind<Layout>(d)};
  const Preference& wanted = *behind<Preference>(preference);
  const cublasStatus_t status = check_rules(problem, wanted, compute_capability());
  if (status != CUBLAS_STATUS_SUCCESS) return status;
  for (int id = 0; id < kAlgorithms && *count < requested; ++id) {
    const std::size_t workspace = kWorkspaceBytes[static_cast<std::size_t>(id)];
    if (workspace > wanted.workspace_bytes) continue;
    const bool allowed = (wanted.reduction_schemes & CUBLASLT_REDUCTION_SCHEME_OUTPUT_TYPE) != 0;
    if (id == kSplitting && !allowed) continue;
    cublasLtMatmulHeuristicResult_t& result = results[(*count)++];
    result = {};
    const Algorithm algorithm{.id = id,
                              .align_a = wanted.align_a,
                              .align_b = wanted.align_b,
                              .align_c = wanted.align_c,
                              .align_d = wanted.align_d,
                              .fingerprint = fingerprint(problem)};
    std::memcpy(&result.algo, &algorithm, sizeof(algorithm));
    result.workspaceSize = workspace;
    result.state = id == 1 ? CUBLAS_STATUS_NOT_SUPPORTED : CUBLAS_STATUS_SUCCESS;
  }
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulAlgoConfigGetAttribute(const cublasLtMatmulAlgo_t* algo,
                                                    cublasLtMatmulAlgoConfigAttributes_t attribute,
                                                    void* value, std::size_t bytes,
                                                    std::size_t* written) {
  const std::int32_t id = unpack(*algo).id;
  std::int32_t answer = id;
  if (attribute == CUBLASLT_ALGO_CONFIG_SPLITK_NUM) {
    answer = id == kSplitting ? 2 : 1;
  } else if (attribute == CUBLASLT_ALGO_CONFIG_REDUCTION_SCHEME) {
    answer = id == kSplitting ? CUBLASLT_REDUCTION_SCHEME_OUTPUT_TYPE : 0;
  } else if (attribute != CUBLASLT_ALGO_CONFIG_ID) {
    return CUBLAS_STATUS_NOT_SUPPORTED;
  }
  if (bytes != sizeof(answer)) return CUBLAS_STATUS_INVALID_VALUE;
  std::memcpy(value, &answer, sizeof(answer));
  *written = sizeof(answer);
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmul(cublasLtHandle_t, cublasLtMatmulDesc_t desc, const void* alpha,
                              const void* a, cublasLtMatrixLayout_t a_layout, const void* b,
                              cublasLtMatrixLayout_t b_layout, const void* beta, const void* c,
                              cublasLtMatrixLayout_t c_layout, void* d,
                              cublasLtMatrixLayout_t d_layout, const cublasLtMatmulAlgo_t* algo,
                              void* workspace, std::size_t workspace_bytes, cudaStream_t stream) {
  const Problem problem{*behind<Desc>(desc), *behind<Layout>(a_layout), *behind<Layout>(b_layout),
                        *behind<Layout>(c_layout), *behind<Layout>(d_layout)};
  const Algorithm algorithm = unpack(*algo);
  const Preference promised{.workspace_bytes = workspace_bytes,
                            .align_a = algorithm.align_a,
                            .align_b = algorithm.align_b,
                            .align_c = algorithm.align_c,
                            .align_d = algorithm.align_d};
  if (algorithm.fingerprint != fingerprint(problem)) return CUBLAS_STATUS_INVALID_VALUE;
  if (!multiple_of(a, promised.align_a) || !multiple_of(b, promised.align_b) ||
      !multiple_of(c, promised.align_c) || !multiple_of(d, promised.align_d)) {
    return CUBLAS_STATUS_INVALID_VALUE;
  }
  const std::size_t needed = kWorkspaceBytes[static_cast<std::size_t>(algorithm.id)];
  if (workspace_bytes < needed || (needed > 0 && workspace == nullptr) ||
      !multiple_of(workspace, 256)) {
    return CUBLAS_STATUS_INVALID_VALUE;
  }
  const cublasStatus_t status = check_rules(problem, promised, compute_capability());
  if (status != CUBLAS_STATUS_SUCCESS) return status;
  // alpha and beta are on the host, and are read during the call.
  const Pointers pointers{
      a, b, c, d, *static_cast<const float*>(alpha), *static_cast<const float*>(beta)};
  const int fastest = number("STEPMARK_EMULATED_CUBLASLT_FASTEST", -1);
  const bool splits = algorithm.id == kSplitting;
  const bool slow_epilogue = number("STEPMARK_EMULATED_CUBLASLT_SLOW_EPILOGUES", 0) != 0 &&
                             problem.desc.epilogue != CUBLASLT_EPILOGUE_DEFAULT;
  const bool slow = slow_epilogue || (fastest >= 0 && fastest != algorithm.id);
  try {
    stepmark::emulation::enqueue(stream, [=] {
      if (slow) std::this_thread::sleep_for(std::chrono::milliseconds(slow_epilogue ? 50 : 5));
      if (needed > 0) std::memset(workspace, 0x7F, needed);
      multiply(problem, pointers, splits ? 2 : 1);
    });
  } catch (...) {
    return CUBLAS_STATUS_EXECUTION_FAILED;
  }
  return CUBLAS_STATUS_SUCCESS;
}

}  // extern "C"
