// SPDX-License-Identifier: Apache-2.0
// Text of a CUDA error. Destructors log instead of throwing, and are silent while the runtime
// unloads, when every call fails.
#include "core/cuda/check.h"

#include "core/error.h"

namespace stepmark::cuda {
namespace {

std::string describe(cudaError_t status) {
  int device = -1;
  // The failed state of a context makes this fail as well; the ordinal is then not known.
  const bool known = cudaGetDevice(&device) == cudaSuccess;
  return fmt::format("CUDA {} ({}){}", cudaGetErrorName(status), cudaGetErrorString(status),
                     known ? fmt::format(" on device {}", device) : std::string());
}

}  // namespace

void throw_cuda_error(cudaError_t status, const char* expression, std::source_location where) {
  throw Error(ExitCode::kEnvironment, describe(status), expression, where);
}

void log_cuda_error(cudaError_t status, const char* expression,
                    std::source_location where) noexcept {
  if (status == cudaSuccess || status == cudaErrorCudartUnloading) return;
  log_check_failure(expression, describe(status), where);
}

void fail(const std::string& message, std::source_location where) {
  throw Error(ExitCode::kEnvironment, message, {}, where);
}

}  // namespace stepmark::cuda
