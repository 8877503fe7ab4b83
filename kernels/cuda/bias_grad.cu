// SPDX-License-Identifier: Apache-2.0
// Column sums in two stages, in a fixed order: blocks of 32 packs of columns by 8 rows sum groups
// of rows into scratch, one wave of them; then the groups are added up.
#include <algorithm>

#include "kernels/cuda/column_sums.cuh"
#include "kernels/cuda/gemm/gemm_epilogue.h"
#include "kernels/cuda/vector.cuh"

namespace stepmark::cuda {
namespace {

constexpr unsigned kColumnThreads = 32, kRowThreads = 8;
constexpr std::int64_t kLeastRows = 64;  // of a group
constexpr int kRows = 4;                 // packs under way in each thread
// Blocks on an SM, all at once: one more than a whole number of waves would cost a wave.
constexpr int kBlocksPerSm = 4;

// parts (gridDim.y, n): row g is the sum of rows [g * rows, (g + 1) * rows) of x.
template <class T, int kWidth>
__global__ void __launch_bounds__(kColumnThreads* kRowThreads, kBlocksPerSm)
    sum_groups_kernel(const T* x, std::int64_t m, std::int64_t n, std::int64_t rows, float* parts) {
  auto* shared = reinterpret_cast<float*>(block_shared());
  const std::int64_t j = (std::int64_t{blockIdx.x} * kColumnThreads + threadIdx.x) * kWidth;
  const std::int64_t begin = blockIdx.y * rows;
  const std::int64_t end = begin + rows < m ? begin + rows : m;
  float sums[kWidth] = {};
  if (j < n) {
    for (std::int64_t i = begin + threadIdx.y; i < end; i += kRows * kRowThreads) {
      Pack<T, kWidth> packs[kRows] = {};
      STEPMARK_UNROLL
      for (int k = 0; k < kRows; ++k) {
        const std::int64_t row = i + k * kRowThreads;
        if (row < end) packs[k] = load_pack<kWidth>(x + row * n + j);
      }
      STEPMARK_UNROLL
      for (int k = 0; k < kRows; ++k) {
        for (int e = 0; e < kWidth; ++e) sums[e] += load(packs[k].v[e]);
      }
    }
  }
  for (int e = 0; e < kWidth; ++e) {
    shared[(threadIdx.y * kWidth + e) * kColumnThreads + threadIdx.x] = sums[e];
  }
  __syncthreads();
  if (threadIdx.y != 0 || j >= n) return;
  for (int e = 0; e < kWidth; ++e) {
    float sum = 0.0F;
    for (unsigned y = 0; y < kRowThreads; ++y) {
      sum += shared[(y * kWidth + e) * kColumnThreads + threadIdx.x];
    }
    parts[blockIdx.y * n + j + e] = sum;
  }
}

}  // namespace

Enqueue sum_columns(DType type, std::int64_t m, std::int64_t n, bool accumulate, const void* x,
                    float* out, KernelContext& context) {
  if (n == 0) return [](cudaStream_t) {};
  return with_type(type, [&]<class T>(T) -> Enqueue {
    const auto* in = static_cast<const T*>(x);
    const bool packs = aligned(in) && n % kPackElements<T> == 0;
    return with_width<T>(packs, [&](auto width) -> Enqueue {
      const auto across = static_cast<unsigned>((n / width + kColumnThreads - 1) / kColumnThreads);
      const std::int64_t most = (m + kLeastRows - 1) / kLeastRows;
      const std::int64_t wanted =
          std::max<std::int64_t>(1, std::int64_t{context.sm_count()} * kBlocksPerSm / across);
      const std::int64_t groups = wanted < most ? wanted : most;
      const std::int64_t rows = groups > 0 ? (m + groups - 1) / groups : 0;
      const Launch sum{.blocks = dim3(across, static_cast<unsigned>(groups)),
                       .threads = dim3(kColumnThreads, kRowThreads),
                       .shared_bytes = kColumnThreads * kRowThreads * width * sizeof(float)};
      context.scratch()->reserve(static_cast<std::size_t>(groups * n) * sizeof(float));
      return [=, scratch = context.scratch()](cudaStream_t stream) {
        auto* parts = static_cast<float*>(scratch->data());
        if (groups > 0) {
          launch(&sum_groups_kernel<T, width>, sum, stream, in, m, n, rows, parts);
        }
        launch(&add_partials_kernel, add_partials_launch(n), stream, parts, groups, n, n, out,
               static_cast<float*>(nullptr), accumulate);
      };
    });
  });
}

}  // namespace stepmark::cuda
