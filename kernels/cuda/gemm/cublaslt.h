// SPDX-License-Identifier: Apache-2.0
// cuBLASLt, opened while running: its functions, one handle per device, and owners of its
// descriptors. The structures come from the toolkit's header, so a library of another major version
// is refused.
#pragma once

#include <cublasLt.h>

#include <cstddef>
#include <source_location>
#include <string>
#include <utility>

namespace stepmark::cuda {

#define STEPMARK_CUBLASLT_FUNCTIONS(X)    \
  X(cublasLtGetVersion)                   \
  X(cublasLtGetStatusName)                \
  X(cublasLtCreate)                       \
  X(cublasLtMatmul)                       \
  X(cublasLtMatmulAlgoGetHeuristic)       \
  X(cublasLtMatmulAlgoConfigGetAttribute) \
  X(cublasLtMatmulDescCreate)             \
  X(cublasLtMatmulDescDestroy)            \
  X(cublasLtMatmulDescSetAttribute)       \
  X(cublasLtMatrixLayoutCreate)           \
  X(cublasLtMatrixLayoutDestroy)          \
  X(cublasLtMatmulPreferenceCreate)       \
  X(cublasLtMatmulPreferenceDestroy)      \
  X(cublasLtMatmulPreferenceSetAttribute)

struct CublasLt {
// NOLINTNEXTLINE(bugprone-macro-parentheses): declares a member of that name
#define STEPMARK_CUBLASLT_MEMBER(name) decltype(&::name) name = nullptr;
  STEPMARK_CUBLASLT_FUNCTIONS(STEPMARK_CUBLASLT_MEMBER)
#undef STEPMARK_CUBLASLT_MEMBER
  std::string path;
  std::string version;  // "13.1.0"
};

// Looks for the library (core/shared_library.h; STEPMARK_CUBLASLT_LIBRARY names one file). Throws
// Error(kEnvironment) that says what was looked for, or found, and what to do.
[[nodiscard]] CublasLt open_cublaslt();
// The one of this process, opened by the first call.
[[nodiscard]] const CublasLt& cublaslt();
// The handle of a device, which is the current one. Lives until the process ends.
[[nodiscard]] cublasLtHandle_t cublaslt_handle(int device);

void check_cublaslt(cublasStatus_t status, const char* expression,
                    std::source_location where = std::source_location::current());
#define STEPMARK_CUBLASLT_CHECK(expression) \
  ::stepmark::cuda::check_cublaslt((expression), #expression)

// Owns a descriptor of the library.
template <class T, auto kDestroy>
class CublasLtObject {
 public:
  CublasLtObject() = default;
  explicit CublasLtObject(T object) : object_(object) {}
  ~CublasLtObject() {
    if (object_ != nullptr) (cublaslt().*kDestroy)(object_);
  }
  CublasLtObject(CublasLtObject&& other) noexcept
      : object_(std::exchange(other.object_, nullptr)) {}
  CublasLtObject& operator=(CublasLtObject&& other) noexcept {
    std::swap(object_, other.object_);
    return *this;
  }
  [[nodiscard]] T get() const { return object_; }

 private:
  T object_ = nullptr;
};

using MatrixLayout = CublasLtObject<cublasLtMatrixLayout_t, &CublasLt::cublasLtMatrixLayoutDestroy>;
using MatmulDesc = CublasLtObject<cublasLtMatmulDesc_t, &CublasLt::cublasLtMatmulDescDestroy>;
using MatmulPreference =
    CublasLtObject<cublasLtMatmulPreference_t, &CublasLt::cublasLtMatmulPreferenceDestroy>;

// Column-major, packed: the leading dimension is `rows`.
[[nodiscard]] MatrixLayout make_layout(cudaDataType_t type, std::int64_t rows,
                                       std::int64_t columns);
// GEMMs and sums in true fp32, or of narrower numbers into fp32; alpha and beta fp32 on the
// host.
[[nodiscard]] MatmulDesc make_matmul_desc();
[[nodiscard]] MatmulPreference make_preference();

template <class T>
void set(const MatmulDesc& desc, cublasLtMatmulDescAttributes_t attribute, const T& value) {
  STEPMARK_CUBLASLT_CHECK(
      cublaslt().cublasLtMatmulDescSetAttribute(desc.get(), attribute, &value, sizeof(value)));
}
template <class T>
void set(const MatmulPreference& preference, cublasLtMatmulPreferenceAttributes_t attribute,
         const T& value) {
  STEPMARK_CUBLASLT_CHECK(cublaslt().cublasLtMatmulPreferenceSetAttribute(
      preference.get(), attribute, &value, sizeof(value)));
}

}  // namespace stepmark::cuda
