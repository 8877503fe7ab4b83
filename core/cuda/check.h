// SPDX-License-Identifier: Apache-2.0
// Errors of the CUDA runtime as Error(kEnvironment): expression, error name and text, device. The
// rank and host are Error's own.
#pragma once

#include <cuda_runtime_api.h>

#include <source_location>
#include <string>

namespace stepmark::cuda {

[[noreturn]] void throw_cuda_error(cudaError_t status, const char* expression,
                                   std::source_location where);
// For destructors: logs and goes on. Says nothing of a driver that is already shutting down.
void log_cuda_error(cudaError_t status, const char* expression,
                    std::source_location where = std::source_location::current()) noexcept;

// Throws Error(kEnvironment). For .cu sources: nvcc cannot compile the formatting library behind
// core/error.h, so they do not include it.
[[noreturn]] void fail(const std::string& message,
                       std::source_location where = std::source_location::current());

inline void check(cudaError_t status, const char* expression,
                  std::source_location where = std::source_location::current()) {
  if (status != cudaSuccess) throw_cuda_error(status, expression, where);
}

}  // namespace stepmark::cuda

#define STEPMARK_CUDA_CHECK(expression) ::stepmark::cuda::check((expression), #expression)
