// SPDX-License-Identifier: Apache-2.0
// Memory of the emulated GPUs. New and freed memory is poison (NaN in every float format), blocks
// have guard zones, and freed blocks stay around for a while to see whether someone writes to them.
#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <map>
#include <string>

#include "tests/emulation/runtime/emulation.h"
#include "tests/emulation/runtime/runtime.h"

namespace stepmark::emulation {
namespace {

constexpr std::size_t kAlignmentBytes = 256;
constexpr std::size_t kGuardBytes = 256;
constexpr int kPoison = 0xFF;
constexpr std::size_t kKeptFreedBytes = std::size_t{64} << 20;
constexpr std::size_t kDefaultDeviceBytes = std::size_t{4} << 30;

constexpr const char* kWrittenAfterFree = "memory was written after it was freed";

enum class Kind : std::uint8_t { device, pinned, registered };

struct Block {
  Kind kind = Kind::device;
  int device = 0;
  std::size_t bytes = 0;
  std::byte* whole = nullptr;  // with guards; null when registered
};

struct Freed {
  std::byte* whole;
  std::size_t bytes;  // of whole
};

struct Memory {
  std::map<std::byte*, Block> blocks;
  std::deque<Freed> freed;
  std::size_t freed_bytes = 0;
  std::map<int, std::size_t> used_bytes;  // per device
  int allocations_until_failure;
  std::map<int, CUmemPoolHandle_st> default_pools;
  std::vector<std::unique_ptr<CUmemPoolHandle_st>> pools;

  Memory() {
    const char* text = std::getenv("STEPMARK_EMULATED_FAIL_ALLOCATION");
    allocations_until_failure = text != nullptr ? std::atoi(text) : 0;
  }
};

Memory& memory() {
  static auto* memory = new Memory;  // outlives whoever frees at the end of the process
  return *memory;
}

std::size_t device_bytes() {
  const char* text = std::getenv("STEPMARK_EMULATED_MEMORY");
  if (text != nullptr) return std::strtoull(text, nullptr, 10);
  const char* mib = std::getenv("STEPMARK_EMULATED_GPU_MIB");
  return mib != nullptr ? std::strtoull(mib, nullptr, 10) << 20 : kDefaultDeviceBytes;
}

bool is_poison(const std::byte* data, std::size_t bytes) {
  return std::all_of(data, data + bytes, [](std::byte b) { return b == std::byte{kPoison}; });
}

const Block* block_around(const void* data, std::size_t bytes) {
  auto* at = const_cast<std::byte*>(static_cast<const std::byte*>(data));
  auto next = memory().blocks.upper_bound(at);
  if (next == memory().blocks.begin()) return nullptr;
  --next;
  const auto offset = static_cast<std::size_t>(at - next->first);
  return offset + bytes <= next->second.bytes ? &next->second : nullptr;
}

cudaError_t allocate(void** data, std::size_t bytes, Kind kind) {
  Memory& m = memory();
  *data = nullptr;
  if (bytes == 0) return cudaSuccess;
  if (kind == Kind::device) {
    if (m.allocations_until_failure > 0 && --m.allocations_until_failure == 0) {
      return cudaErrorMemoryAllocation;
    }
    std::size_t& used = m.used_bytes[current_device()];
    if (bytes > device_bytes() || used > device_bytes() - bytes) return cudaErrorMemoryAllocation;
    used += bytes;
  }
  const std::size_t rounded = (bytes + kAlignmentBytes - 1) / kAlignmentBytes * kAlignmentBytes;
  const std::size_t total = rounded + 2 * kGuardBytes;
  auto* whole = static_cast<std::byte*>(std::aligned_alloc(kAlignmentBytes, total));
  if (whole == nullptr) return cudaErrorMemoryAllocation;
  std::memset(whole, kPoison, total);
  m.blocks[whole + kGuardBytes] = {kind, current_device(), bytes, whole};
  *data = whole + kGuardBytes;
  return cudaSuccess;
}

void drop_oldest_freed() {
  Memory& m = memory();
  const Freed oldest = m.freed.front();
  m.freed.pop_front();
  m.freed_bytes -= oldest.bytes;
  const bool untouched = is_poison(oldest.whole, oldest.bytes);
  std::free(oldest.whole);
  if (!untouched) break_device(cudaErrorIllegalAddress, kWrittenAfterFree);
}

// The block's end, when the device gets there.
void poison(std::byte* data, const Block& block) {
  Memory& m = memory();
  const std::byte* after = data + block.bytes;
  const std::size_t total =
      (block.bytes + kAlignmentBytes - 1) / kAlignmentBytes * kAlignmentBytes + 2 * kGuardBytes;
  const auto behind = static_cast<std::size_t>(block.whole + total - after);
  if (!is_poison(block.whole, kGuardBytes) || !is_poison(after, behind)) {
    break_device(cudaErrorIllegalAddress,
                 "a write outside of its " + std::to_string(block.bytes) + " bytes of memory");
  }
  std::memset(block.whole, kPoison, total);
  m.freed.push_back({block.whole, total});
  m.freed_bytes += total;
  while (m.freed_bytes > kKeptFreedBytes) drop_oldest_freed();
}

// Takes the block off the list of live ones; its memory is still to be poisoned.
bool take(void* data, Kind kind, Block& block) {
  Memory& m = memory();
  const auto it = m.blocks.find(static_cast<std::byte*>(data));
  if (it == m.blocks.end() || it->second.kind != kind) return false;
  block = it->second;
  if (kind == Kind::device) m.used_bytes[block.device] -= block.bytes;
  m.blocks.erase(it);
  return true;
}

cudaError_t release(Lock& lock, void* data, Kind kind) {
  if (data == nullptr) return cudaSuccess;
  if (const cudaError_t status = check_no_capture(); status != cudaSuccess) return status;
  Block block;
  if (!take(data, kind, block)) return cudaErrorInvalidValue;
  // As on a GPU this waits for all that was enqueued before.
  const cudaError_t status = drain_device(lock, block.device);
  poison(static_cast<std::byte*>(data), block);
  return status != cudaSuccess ? status : runtime().broken;
}

CUmemPoolHandle_st* pool_of(cudaMemPool_t pool) {
  return pool != nullptr && pool->alive ? pool : nullptr;
}

template <class Map>
std::size_t count_of(const Map& objects) {
  return static_cast<std::size_t>(
      std::count_if(objects.begin(), objects.end(), [](const auto& o) { return o->alive; }));
}

}  // namespace

bool is_device_range(const void* data, std::size_t bytes) {
  const Block* block = block_around(data, bytes);
  return block != nullptr && block->kind == Kind::device;
}

bool is_pinned_range(const void* data, std::size_t bytes) {
  const Block* block = block_around(data, bytes);
  return block != nullptr && block->kind != Kind::device;
}

LiveAllocations live_allocations() {
  const Lock lock(runtime().mutex);
  for (const Freed& freed : memory().freed) {
    if (!is_poison(freed.whole, freed.bytes)) {
      break_device(cudaErrorIllegalAddress, kWrittenAfterFree);
    }
  }
  LiveAllocations live;
  for (const auto& [data, block] : memory().blocks) {
    if (block.kind == Kind::device) {
      ++live.device_blocks;
      live.device_bytes += block.bytes;
    } else {
      ++live.host_blocks;
    }
  }
  for (const auto& stream : runtime().streams) {
    if (stream->alive && !is_legacy(*stream)) ++live.streams;
  }
  live.events = count_of(runtime().events);
  live.graphs = count_of(runtime().graphs);
  live.graph_execs = count_of(runtime().graph_execs);
  return live;
}

void fail_allocation(int n) {
  const Lock lock(runtime().mutex);
  memory().allocations_until_failure = n;
}

}  // namespace stepmark::emulation

using namespace stepmark::emulation;

extern "C" {

cudaError_t cudaMalloc(void** data, size_t bytes) {
  return api([&](Lock&) {
    if (const cudaError_t status = check_no_capture(); status != cudaSuccess) return status;
    return allocate(data, bytes, Kind::device);
  });
}
cudaError_t cudaFree(void* data) {
  return api([&](Lock& lock) { return release(lock, data, Kind::device); });
}

cudaError_t cudaMallocFromPoolAsync(void** data, size_t bytes, cudaMemPool_t pool,
                                    cudaStream_t handle) {
  return api([&](Lock&) {
    const CUstream_st* stream = stream_of(handle);
    if (stream == nullptr || pool_of(pool) == nullptr) return cudaErrorInvalidResourceHandle;
    if (stream->capture) {  // allocation nodes are not emulated
      stream->capture->invalid = true;
      return cudaErrorStreamCaptureUnsupported;
    }
    return allocate(data, bytes, Kind::device);
  });
}
cudaError_t cudaMallocAsync(void** data, size_t bytes, cudaStream_t stream) {
  cudaMemPool_t pool = nullptr;
  if (const cudaError_t status = cudaDeviceGetMemPool(&pool, current_device());
      status != cudaSuccess) {
    return status;
  }
  return cudaMallocFromPoolAsync(data, bytes, pool, stream);
}
cudaError_t cudaFreeAsync(void* data, cudaStream_t handle) {
  return api([&](Lock&) {
    CUstream_st* stream = stream_of(handle);
    if (stream == nullptr) return cudaErrorInvalidResourceHandle;
    if (stream->capture) {
      stream->capture->invalid = true;
      return cudaErrorStreamCaptureUnsupported;
    }
    Block block;
    if (!take(data, Kind::device, block)) return cudaErrorInvalidValue;
    return append_work(*stream, [data, block] {
      const Lock lock(runtime().mutex);
      poison(static_cast<std::byte*>(data), block);
    });
  });
}

cudaError_t cudaHostAlloc(void** data, size_t bytes, unsigned) {
  return api([&](Lock&) {
    if (const cudaError_t status = check_no_capture(); status != cudaSuccess) return status;
    return allocate(data, bytes, Kind::pinned);
  });
}
cudaError_t cudaMallocHost(void** data, size_t bytes) { return cudaHostAlloc(data, bytes, 0); }
cudaError_t cudaFreeHost(void* data) {
  return api([&](Lock& lock) { return release(lock, data, Kind::pinned); });
}
cudaError_t cudaHostRegister(void* data, size_t bytes, unsigned) {
  return api([&](Lock&) {
    if (data == nullptr || bytes == 0) return cudaErrorInvalidValue;
    if (block_around(data, 1) != nullptr) return cudaErrorHostMemoryAlreadyRegistered;
    memory().blocks[static_cast<std::byte*>(data)] = {Kind::registered, current_device(), bytes,
                                                      nullptr};
    return cudaSuccess;
  });
}
cudaError_t cudaHostUnregister(void* data) {
  return api([&](Lock& lock) {
    Block block;
    if (!take(data, Kind::registered, block)) return cudaErrorHostMemoryNotRegistered;
    return drain_device(lock, block.device);
  });
}

cudaError_t cudaMemGetInfo(size_t* free, size_t* total) {
  return api([&](Lock&) {
    *total = device_bytes();
    const std::size_t used = memory().used_bytes[current_device()];
    *free = used < *total ? *total - used : 0;
    return cudaSuccess;
  });
}

cudaError_t cudaPointerGetAttributes(cudaPointerAttributes* attributes, const void* data) {
  return api([&](Lock&) {
    *attributes = {};
    attributes->type = cudaMemoryTypeUnregistered;
    attributes->hostPointer = const_cast<void*>(data);
    if (const Block* block = block_around(data, 1)) {
      const bool device = block->kind == Kind::device;
      attributes->type = device ? cudaMemoryTypeDevice : cudaMemoryTypeHost;
      attributes->device = block->device;
      attributes->devicePointer = const_cast<void*>(data);
      if (device) attributes->hostPointer = nullptr;
    }
    return cudaSuccess;
  });
}

cudaError_t cudaDeviceGetDefaultMemPool(cudaMemPool_t* pool, int device) {
  return api([&](Lock&) {
    if (device < 0 || device >= device_count()) return cudaErrorInvalidDevice;
    *pool = &memory().default_pools[device];
    (*pool)->device = device;
    return cudaSuccess;
  });
}
cudaError_t cudaDeviceGetMemPool(cudaMemPool_t* pool, int device) {
  return cudaDeviceGetDefaultMemPool(pool, device);
}
cudaError_t cudaMemPoolCreate(cudaMemPool_t* pool, const cudaMemPoolProps* props) {
  return api([&](Lock&) {
    if (props->allocType != cudaMemAllocationTypePinned ||
        props->location.type != cudaMemLocationTypeDevice) {
      return cudaErrorInvalidValue;
    }
    *pool = memory().pools.emplace_back(std::make_unique<CUmemPoolHandle_st>()).get();
    (*pool)->device = props->location.id;
    return cudaSuccess;
  });
}
cudaError_t cudaMemPoolDestroy(cudaMemPool_t handle) {
  return api([&](Lock&) {
    CUmemPoolHandle_st* pool = pool_of(handle);
    if (pool == nullptr) return cudaErrorInvalidValue;
    pool->alive = false;
    return cudaSuccess;
  });
}
cudaError_t cudaMemPoolSetAttribute(cudaMemPool_t pool, cudaMemPoolAttr, void* value) {
  return api([&](Lock&) {
    return pool_of(pool) == nullptr || value == nullptr ? cudaErrorInvalidValue : cudaSuccess;
  });
}
cudaError_t cudaMemPoolTrimTo(cudaMemPool_t pool, size_t) {
  return api([&](Lock&) { return pool_of(pool) == nullptr ? cudaErrorInvalidValue : cudaSuccess; });
}

}  // extern "C"
