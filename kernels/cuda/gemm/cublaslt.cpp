// SPDX-License-Identifier: Apache-2.0
// A library of another major version is found as well, only to say which one is there. Everything
// that fails says which variable or package would help: without it no GEMM runs on a GPU.
#include "kernels/cuda/gemm/cublaslt.h"

#include <fmt/ranges.h>

#include <map>
#include <mutex>
#include <vector>

#include "core/error.h"
#include "core/shared_library.h"

namespace stepmark::cuda {
namespace {

constexpr const char* kVariable = "STEPMARK_CUBLASLT_LIBRARY";

// That of the header first; the others only to say which one is there.
std::vector<std::string> file_names() {
  std::vector<std::string> names{fmt::format("libcublasLt.so.{}", CUBLAS_VER_MAJOR),
                                 "libcublasLt.so"};
  for (const int major : {13, 12, 11}) {
    if (major != CUBLAS_VER_MAJOR) names.push_back(fmt::format("libcublasLt.so.{}", major));
  }
  return names;
}

std::string version_text(std::size_t version) {
  return fmt::format("{}.{}.{}", version / 10000, version / 100 % 100, version % 100);
}

}  // namespace

CublasLt open_cublaslt() {
  const std::vector<std::string> names = file_names();
  const SharedLibrary library = SharedLibrary::open({.variable = kVariable, .names = names});
  STEPMARK_CHECK(library,
                 "cuBLASLt was not found ({}). GEMMs on a GPU need it. Looked for {} in "
                 "STEPMARK_LIBRARY_PATH, where the loader looks (LD_LIBRARY_PATH, its cache), in "
                 "$CUDA_HOME/lib64 and in /usr/local/cuda/lib64, or for the one file that {} "
                 "names. Install CUDA {}'s cuBLAS, or set one of these variables",
                 library.error(), fmt::join(names, ", "), kVariable, CUBLAS_VER_MAJOR);
  CublasLt found;
  found.path = library.path();
#define STEPMARK_CUBLASLT_BIND(name)                                               \
  found.name = library.symbol<std::remove_pointer_t<decltype(found.name)>>(#name); \
  STEPMARK_CHECK(found.name != nullptr,                                            \
                 "{} has no function {}: it is not cuBLASLt {}, whose "            \
                 "library {} can name",                                            \
                 found.path, #name, CUBLAS_VER_MAJOR, kVariable);
  STEPMARK_CUBLASLT_FUNCTIONS(STEPMARK_CUBLASLT_BIND)
#undef STEPMARK_CUBLASLT_BIND
  const std::size_t version = found.cublasLtGetVersion();
  found.version = version_text(version);
  STEPMARK_CHECK(version / 10000 == CUBLAS_VER_MAJOR,
                 "{} is cuBLASLt {}, but this program was built with the header of cuBLASLt {}, "
                 "and structures differ between major versions. Let {} name libcublasLt.so.{}, or "
                 "build with the CUDA toolkit of version {}",
                 found.path, found.version, version_text(CUBLAS_VERSION), kVariable,
                 CUBLAS_VER_MAJOR, version / 10000);
  return found;
}

const CublasLt& cublaslt() {
  static const CublasLt library = open_cublaslt();
  return library;
}

cublasLtHandle_t cublaslt_handle(int device) {
  static std::mutex mutex;
  static std::map<int, cublasLtHandle_t> handles;
  const std::lock_guard lock(mutex);
  cublasLtHandle_t& handle = handles[device];
  if (handle == nullptr) STEPMARK_CUBLASLT_CHECK(cublaslt().cublasLtCreate(&handle));
  return handle;
}

void check_cublaslt(cublasStatus_t status, const char* expression, std::source_location where) {
  if (status == CUBLAS_STATUS_SUCCESS) return;
  throw Error(ExitCode::kEnvironment,
              fmt::format("cuBLASLt {} answered {} ({})", cublaslt().version,
                          cublaslt().cublasLtGetStatusName(status), static_cast<int>(status)),
              expression, where);
}

MatrixLayout make_layout(cudaDataType_t type, std::int64_t rows, std::int64_t columns) {
  cublasLtMatrixLayout_t layout = nullptr;
  STEPMARK_CUBLASLT_CHECK(cublaslt().cublasLtMatrixLayoutCreate(
      &layout, type, static_cast<std::uint64_t>(rows), static_cast<std::uint64_t>(columns), rows));
  return MatrixLayout(layout);
}

MatmulDesc make_matmul_desc() {
  cublasLtMatmulDesc_t desc = nullptr;
  STEPMARK_CUBLASLT_CHECK(
      cublaslt().cublasLtMatmulDescCreate(&desc, CUBLAS_COMPUTE_32F, CUDA_R_32F));
  return MatmulDesc(desc);
}

MatmulPreference make_preference() {
  cublasLtMatmulPreference_t preference = nullptr;
  STEPMARK_CUBLASLT_CHECK(cublaslt().cublasLtMatmulPreferenceCreate(&preference));
  return MatmulPreference(preference);
}

}  // namespace stepmark::cuda
