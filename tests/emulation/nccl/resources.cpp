// SPDX-License-Identifier: Apache-2.0
// Operators, registered buffers and memory of the emulated NCCL: tables that notice every misuse.
#include <cuda_runtime_api.h>

#include <cstdint>

#include "tests/emulation/nccl/handles.h"
#include "tests/emulation/nccl/reduction.h"

using namespace stepmark::emulation;  // NOLINT: the functions below are this file's purpose

namespace {

std::mutex allocations_mutex;
std::map<void*, void*> allocations;  // aligned address to what cudaMalloc gave

bool aligned(const void* data) {
  return reinterpret_cast<std::uintptr_t>(data) % NCCL_WIN_REQUIRED_ALIGNMENT == 0;
}

}  // namespace

extern "C" {

ncclResult_t ncclRedOpCreatePreMulSum(ncclRedOp_t* op, void* scalar, ncclDataType_t type,
                                      ncclScalarResidence_t residence, ncclComm_t comm) {
  const auto state = state_of(comm);
  if (state == nullptr || op == nullptr || scalar == nullptr || size_of(type) == 0) {
    return failed(ncclInvalidArgument, "ncclRedOpCreatePreMulSum");
  }
  if (residence != ncclScalarHostImmediate) {
    return failed(ncclInvalidUsage, "the emulation reads scalars at once");
  }
  const std::lock_guard lock(state->tables);
  *op = static_cast<ncclRedOp_t>(state->next_op++);
  state->scaled_sums[*op] = {type, scalar_value(scalar, type)};
  return ncclSuccess;
}

ncclResult_t ncclRedOpDestroy(ncclRedOp_t op, ncclComm_t comm) {
  const auto state = state_of(comm);
  if (state == nullptr) return failed(ncclInvalidArgument, "no communicator");
  const std::lock_guard lock(state->tables);
  if (state->scaled_sums.erase(op) == 1) return ncclSuccess;
  return failed(ncclInvalidArgument, "unknown operator");
}

ncclResult_t ncclCommRegister(const ncclComm_t comm, void* data, size_t bytes, void** handle) {
  const auto state = state_of(comm);
  if (state == nullptr || data == nullptr || bytes == 0 || handle == nullptr) {
    return failed(ncclInvalidArgument, "ncclCommRegister");
  }
  const std::lock_guard lock(state->tables);
  if (!state->registered.emplace(data, bytes).second) {
    return failed(ncclInvalidUsage, "the emulation refuses to register a buffer twice");
  }
  *handle = data;
  return ncclSuccess;
}

ncclResult_t ncclCommDeregister(const ncclComm_t comm, void* handle) {
  const auto state = state_of(comm);
  if (state == nullptr) return failed(ncclInvalidArgument, "no communicator");
  const std::lock_guard lock(state->tables);
  if (state->registered.erase(handle) == 1) return ncclSuccess;
  return failed(ncclInvalidArgument, "not a registered buffer");
}

ncclResult_t ncclCommWindowRegister(ncclComm_t comm, void* data, size_t bytes, ncclWindow_t* window,
                                    int flags) {
  const auto state = state_of(comm);
  if (state == nullptr || data == nullptr || bytes == 0 || window == nullptr || !aligned(data) ||
      (flags != NCCL_WIN_DEFAULT && flags != NCCL_WIN_COLL_SYMMETRIC)) {
    return failed(ncclInvalidArgument, "ncclCommWindowRegister");
  }
  const std::lock_guard lock(state->tables);
  *window = reinterpret_cast<ncclWindow_t>(data);
  state->windows[*window] = data;
  return ncclSuccess;
}

ncclResult_t ncclCommWindowDeregister(ncclComm_t comm, ncclWindow_t window) {
  const auto state = state_of(comm);
  if (state == nullptr) return failed(ncclInvalidArgument, "no communicator");
  const std::lock_guard lock(state->tables);
  if (state->windows.erase(window) == 1) return ncclSuccess;
  return failed(ncclInvalidArgument, "not a window");
}

ncclResult_t ncclMemAlloc(void** data, size_t bytes) {
  if (data == nullptr) return failed(ncclInvalidArgument, "ncclMemAlloc");
  void* raw = nullptr;
  if (cudaMalloc(&raw, bytes + NCCL_WIN_REQUIRED_ALIGNMENT) != cudaSuccess) {
    return failed(ncclUnhandledCudaError, "cudaMalloc");
  }
  const auto address = reinterpret_cast<std::uintptr_t>(raw);
  constexpr std::uintptr_t kMask = NCCL_WIN_REQUIRED_ALIGNMENT - 1;
  *data = reinterpret_cast<void*>((address + kMask) & ~kMask);
  const std::lock_guard lock(allocations_mutex);
  allocations[*data] = raw;
  return ncclSuccess;
}

ncclResult_t ncclMemFree(void* data) {
  const std::lock_guard lock(allocations_mutex);
  const auto found = allocations.find(data);
  if (found == allocations.end()) return failed(ncclInvalidArgument, "not from ncclMemAlloc");
  const cudaError_t freed = cudaFree(found->second);
  allocations.erase(found);
  return freed == cudaSuccess ? ncclSuccess : ncclUnhandledCudaError;
}

}  // extern "C"
