// SPDX-License-Identifier: Apache-2.0
// Copies and memsets of the emulated CUDA runtime, with the rules for host memory that is not
// pinned: what is read is read before the call returns, and what is written is there when it does.
#include <cstddef>
#include <cstring>
#include <memory>
#include <vector>

#include "tests/emulation/runtime/runtime.h"

namespace stepmark::emulation {
namespace {

struct Ends {
  bool to_device, from_device;
};

// Device addresses must be of device memory, host ones must not.
bool ends_of(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind, Ends& ends) {
  ends = {is_device_range(to, bytes), is_device_range(from, bytes)};
  switch (kind) {
    case cudaMemcpyHostToHost:
      return !ends.to_device && !ends.from_device;
    case cudaMemcpyHostToDevice:
      return ends.to_device && !ends.from_device;
    case cudaMemcpyDeviceToHost:
      return !ends.to_device && ends.from_device;
    case cudaMemcpyDeviceToDevice:
      return ends.to_device && ends.from_device;
    case cudaMemcpyDefault:
      return true;
  }
  return false;
}

cudaError_t copy(Lock& lock, CUstream_st& stream, void* to, const void* from, std::size_t bytes,
                 cudaMemcpyKind kind, bool wait) {
  Ends ends{};
  if (bytes == 0) return cudaSuccess;
  if (!ends_of(to, from, bytes, kind, ends)) return cudaErrorInvalidValue;
  const bool pageable_to = !ends.to_device && !is_pinned_range(to, bytes);
  const bool pageable_from = !ends.from_device && !is_pinned_range(from, bytes);
  if (stream.capture && (pageable_to || pageable_from)) {
    stream.capture->invalid = true;
    return cudaErrorStreamCaptureUnsupported;
  }
  std::function<void()> work = [=] { std::memcpy(to, from, bytes); };
  if (pageable_from) {
    const auto* begin = static_cast<const std::byte*>(from);
    auto staged = std::make_shared<std::vector<std::byte>>(begin, begin + bytes);
    work = [=] { std::memcpy(to, staged->data(), bytes); };
  }
  const cudaError_t status = append_work(stream, std::move(work));
  if (status != cudaSuccess || (!wait && !pageable_to)) return status;
  return drain(lock, stream);
}

cudaError_t set(CUstream_st& stream, void* data, int value, std::size_t bytes) {
  if (bytes == 0) return cudaSuccess;
  if (!is_device_range(data, bytes)) return cudaErrorInvalidValue;
  return append_work(stream, [=] { std::memset(data, value, bytes); });
}

}  // namespace
}  // namespace stepmark::emulation

using namespace stepmark::emulation;

extern "C" {

cudaError_t cudaMemcpy(void* to, const void* from, size_t bytes, cudaMemcpyKind kind) {
  return api([&](Lock& lock) {
    if (const cudaError_t status = check_no_capture(); status != cudaSuccess) return status;
    return copy(lock, *stream_of(nullptr), to, from, bytes, kind,
                /*wait=*/kind != cudaMemcpyDeviceToDevice);
  });
}
cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t handle) {
  return api([&](Lock& lock) {
    CUstream_st* stream = stream_of(handle);
    if (stream == nullptr) return cudaErrorInvalidResourceHandle;
    return copy(lock, *stream, to, from, bytes, kind, /*wait=*/false);
  });
}
cudaError_t cudaMemset(void* data, int value, size_t bytes) {
  return api([&](Lock&) {
    if (const cudaError_t status = check_no_capture(); status != cudaSuccess) return status;
    return set(*stream_of(nullptr), data, value, bytes);
  });
}
cudaError_t cudaMemsetAsync(void* data, int value, size_t bytes, cudaStream_t handle) {
  return api([&](Lock&) {
    CUstream_st* stream = stream_of(handle);
    if (stream == nullptr) return cudaErrorInvalidResourceHandle;
    runtime().memset_bytes += bytes;
    return set(*stream, data, value, bytes);
  });
}

}  // extern "C"
