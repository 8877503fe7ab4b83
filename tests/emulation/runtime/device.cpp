// SPDX-License-Identifier: Apache-2.0
// Which GPUs there are, and what they say of themselves: a small one of compute capability 9.0, as
// often as STEPMARK_EMULATED_DEVICES says. STEPMARK_EMULATED_GPU is its name, with " MIG ..." for a
// part of one; STEPMARK_EMULATED_GPU_MIB its memory.
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "tests/emulation/runtime/runtime.h"

namespace stepmark::emulation {
namespace {

constexpr int kDefaultDevices = 8;
constexpr int kSmCount = 4;
constexpr int kL2Bytes = 1 << 20;
constexpr int kVersion = CUDART_VERSION;

bool is_device(int device) { return device >= 0 && device < device_count(); }

int attribute(cudaDeviceAttr which) {
  switch (which) {
    case cudaDevAttrMultiProcessorCount:
      return kSmCount;
    case cudaDevAttrComputeCapabilityMajor:
      return 9;
    case cudaDevAttrL2CacheSize:
      return kL2Bytes;
    case cudaDevAttrMaxThreadsPerBlock:
      return 1024;
    case cudaDevAttrWarpSize:
      return 32;
    case cudaDevAttrMaxSharedMemoryPerBlock:
      return 48 << 10;
    case cudaDevAttrMaxSharedMemoryPerBlockOptin:
      return 163 << 10;  // of 8.0, the least that kernels must do with
    case cudaDevAttrMemoryPoolsSupported:
    case cudaDevAttrStreamPrioritiesSupported:
    case cudaDevAttrUnifiedAddressing:
    case cudaDevAttrConcurrentKernels:
      return 1;
    case cudaDevAttrComputeMode:
      return cudaComputeModeDefault;
    default:
      return 0;
  }
}

}  // namespace

Runtime& runtime() {
  static auto* runtime = new Runtime;  // outlives whoever calls at the end of the process
  return *runtime;
}

cudaError_t& last_error() {
  thread_local cudaError_t error = cudaSuccess;
  return error;
}

int& current_device() {
  thread_local int device = 0;
  return device;
}

int device_count() {
  const char* text = std::getenv("STEPMARK_EMULATED_DEVICES");
  return text != nullptr ? std::atoi(text) : kDefaultDevices;
}

}  // namespace stepmark::emulation

using namespace stepmark::emulation;

extern "C" {

cudaError_t cudaGetDeviceCount(int* count) {
  *count = device_count();
  return *count > 0 ? cudaSuccess : keep(cudaErrorNoDevice);
}
cudaError_t cudaGetDevice(int* device) {
  return api([&](Lock&) {
    *device = current_device();
    return cudaSuccess;
  });
}
cudaError_t cudaSetDevice(int device) {
  return api([&](Lock&) {
    if (!is_device(device)) return cudaErrorInvalidDevice;
    current_device() = device;
    return cudaSuccess;
  });
}
cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr which, int device) {
  return api([&](Lock&) {
    if (!is_device(device)) return cudaErrorInvalidDevice;
    *value = attribute(which);
    return cudaSuccess;
  });
}
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device) {
  size_t free_bytes = 0, total_bytes = 0;
  if (const cudaError_t status = cudaMemGetInfo(&free_bytes, &total_bytes); status != cudaSuccess) {
    return status;
  }
  return api([&](Lock&) {
    if (!is_device(device)) return cudaErrorInvalidDevice;
    *properties = {};
    const char* name = std::getenv("STEPMARK_EMULATED_GPU");
    std::snprintf(properties->name, sizeof(properties->name), "%s",
                  name != nullptr ? name : "Emulated GPU");
    properties->totalGlobalMem = total_bytes;
    properties->major = attribute(cudaDevAttrComputeCapabilityMajor);
    properties->minor = attribute(cudaDevAttrComputeCapabilityMinor);
    properties->multiProcessorCount = kSmCount;
    properties->l2CacheSize = kL2Bytes;
    properties->warpSize = 32;
    properties->maxThreadsPerBlock = 1024;
    properties->sharedMemPerBlock = 48 << 10;
    properties->sharedMemPerBlockOptin = 227 << 10;
    properties->concurrentKernels = 1;
    properties->pciBusID = device + 1;
    std::memset(properties->uuid.bytes, device, sizeof(properties->uuid.bytes));
    return cudaSuccess;
  });
}
cudaError_t cudaDeviceGetPCIBusId(char* text, int bytes, int device) {
  return api([&](Lock&) {
    if (!is_device(device)) return cudaErrorInvalidDevice;
    std::snprintf(text, static_cast<std::size_t>(bytes), "0000:%02x:00.0", device + 1);
    return cudaSuccess;
  });
}
cudaError_t cudaDeviceCanAccessPeer(int* can, int device, int peer) {
  return api([&](Lock&) {
    if (!is_device(device) || !is_device(peer)) return cudaErrorInvalidDevice;
    *can = device != peer ? 1 : 0;
    return cudaSuccess;
  });
}
cudaError_t cudaRuntimeGetVersion(int* version) {
  *version = kVersion;
  return cudaSuccess;
}
cudaError_t cudaDriverGetVersion(int* version) {
  *version = kVersion;
  return cudaSuccess;
}

}  // extern "C"
