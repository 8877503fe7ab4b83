// SPDX-License-Identifier: Apache-2.0
// cudaMallocFromPoolAsync with a release threshold that keeps everything. On failure the pool is
// trimmed once, since its free memory may lie in pieces; then the error says what was asked for and
// what is free.
#include "harness/exec/cuda/cuda_memory.h"

#include <cstdint>
#include <limits>

#include "core/cuda/check.h"
#include "core/cuda/handles.h"
#include "core/error.h"
#include "core/units.h"

namespace stepmark {
namespace {

cudaMemPool_t make_pool(int ordinal) {
  cudaMemPoolProps props{};
  props.allocType = cudaMemAllocationTypePinned;
  props.handleTypes = cudaMemHandleTypeNone;
  props.location.type = cudaMemLocationTypeDevice;
  props.location.id = ordinal;
  cudaMemPool_t pool = nullptr;
  STEPMARK_CUDA_CHECK(cudaMemPoolCreate(&pool, &props));
  std::uint64_t keep_all = std::numeric_limits<std::uint64_t>::max();
  STEPMARK_CUDA_CHECK(cudaMemPoolSetAttribute(pool, cudaMemPoolAttrReleaseThreshold, &keep_all));
  return pool;
}

}  // namespace

struct CudaMemory::Pool {
  explicit Pool(int gpu) : ordinal(gpu), stream(cuda::make_stream()), pool(make_pool(gpu)) {}
  ~Pool() { cuda::log_cuda_error(cudaMemPoolDestroy(pool), "cudaMemPoolDestroy(pool)"); }
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  int ordinal;
  cuda::StreamOwner stream;  // the order of allocations and releases
  cudaMemPool_t pool;
};

CudaMemory::CudaMemory(int ordinal, std::string gpu, const CudaWait& wait)
    : pool_(std::make_shared<Pool>(ordinal)), gpu_(std::move(gpu)), wait_(wait) {}

Memory CudaMemory::allocate(std::size_t bytes) {
  if (bytes == 0) return {};
  void* data = nullptr;
  const auto try_once = [&] {
    return cudaMallocFromPoolAsync(&data, bytes, pool_->pool, pool_->stream.get());
  };
  cudaError_t status = try_once();
  if (status == cudaErrorMemoryAllocation) {
    // Freed memory that lies in pieces is given back, so that it can become one piece again.
    (void)cudaGetLastError();
    STEPMARK_CUDA_CHECK(cudaMemPoolTrimTo(pool_->pool, 0));
    status = try_once();
  }
  if (status == cudaErrorMemoryAllocation) {
    (void)cudaGetLastError();
    std::size_t free_bytes = 0, total_bytes = 0;
    STEPMARK_CUDA_CHECK(cudaMemGetInfo(&free_bytes, &total_bytes));
    const auto text = [](std::size_t n) { return format_bytes(static_cast<double>(n)); };
    throw Error(ExitCode::kEnvironment,
                fmt::format("out of memory on {}: {} asked for, {} of {} free", gpu_, text(bytes),
                            text(free_bytes), text(total_bytes)),
                "cudaMallocFromPoolAsync");
  }
  cuda::check(status, "cudaMallocFromPoolAsync");
  Memory memory(data, bytes, [pool = pool_](void* p) {
    cuda::log_cuda_error(cudaFreeAsync(p, pool->stream.get()), "cudaFreeAsync(memory)");
  });
  wait_.for_stream(pool_->stream.get());
  return memory;
}

}  // namespace stepmark
