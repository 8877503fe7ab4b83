// SPDX-License-Identifier: Apache-2.0
// cuDNN, opened while running: the functions of its graph interface, and one handle per device.
#pragma once

#include <cudnn.h>

#include <cstdint>
#include <mutex>
#include <stdexcept>
#include <string>

namespace stepmark::cuda {

#define STEPMARK_CUDNN_FUNCTIONS(X) \
  X(cudnnGetVersion)                \
  X(cudnnGetErrorString)            \
  X(cudnnGetLastErrorString)        \
  X(cudnnCreate)                    \
  X(cudnnSetStream)                 \
  X(cudnnBackendCreateDescriptor)   \
  X(cudnnBackendDestroyDescriptor)  \
  X(cudnnBackendSetAttribute)       \
  X(cudnnBackendGetAttribute)       \
  X(cudnnBackendFinalize)           \
  X(cudnnBackendExecute)

struct CudnnApi {
// NOLINTNEXTLINE(bugprone-macro-parentheses): declares a member of that name
#define STEPMARK_CUDNN_MEMBER(name) decltype(&::name) name = nullptr;
  STEPMARK_CUDNN_FUNCTIONS(STEPMARK_CUDNN_MEMBER)
#undef STEPMARK_CUDNN_MEMBER
  std::string path;
  std::string version;              // "9.19.0"
  std::int64_t version_number = 0;  // 91900
};

// Why cuDNN cannot do something: a library that is missing or too old, or a call that it refused.
// Callers turn to another implementation.
class CudnnRefusal : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

// The first version (as cudnnGetVersion counts) whose attention takes what cudnn_attention builds:
// masks of -infinity, and gradients of queries that need not be zeroed before.
inline constexpr std::size_t kCudnnMinVersion = 91000;

// The library of this process (core/shared_library.h; STEPMARK_CUDNN_LIBRARY names one file),
// opened by the first call. Throws CudnnRefusal, every time anew with the same reason.
[[nodiscard]] const CudnnApi& cudnn();

// A device's handle. One thread at a time may use it: hold the mutex from setting the stream until
// the call that uses it is back. Lives until the process ends.
struct CudnnHandle {
  cudnnHandle_t handle = nullptr;
  std::mutex in_use;
};
// Of the current device, `device`. Throws CudnnRefusal.
[[nodiscard]] CudnnHandle& cudnn_handle(int device);

// Throws CudnnRefusal with the call, the status and the library's own words.
void check_cudnn(cudnnStatus_t status, const char* call);
#define STEPMARK_CUDNN_CHECK(call) \
  ::stepmark::cuda::check_cudnn(::stepmark::cuda::cudnn().call, #call)

}  // namespace stepmark::cuda
