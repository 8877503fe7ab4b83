// SPDX-License-Identifier: Apache-2.0
// Second stage of sums over the columns of a matrix: the first leaves a partial row per block.
#pragma once

#include "kernels/cuda/vector.cuh"

namespace stepmark::cuda {

// out [+]= the sums over `count` partial rows of `columns`; columns from `cols` on go to `beyond`
// (null when columns == cols). A block has 32 columns, its rows of threads a share of the partial
// rows each, which are added in order: the same sum every time.
static __global__ void __launch_bounds__(1024)
    add_partials_kernel(const float* partials, std::int64_t count, std::int64_t columns,
                        std::int64_t cols, float* out, float* beyond, bool accumulate) {
  auto* shared = reinterpret_cast<float*>(block_shared());
  const std::int64_t c = std::int64_t{blockIdx.x} * kWarp + threadIdx.x;
  float sum = 0;
  if (c < columns) {
    for (std::int64_t i = threadIdx.y; i < count; i += blockDim.y) sum += partials[i * columns + c];
  }
  shared[threadIdx.y * kWarp + threadIdx.x] = sum;
  __syncthreads();
  if (threadIdx.y != 0 || c >= columns) return;
  for (unsigned y = 1; y < blockDim.y; ++y) sum += shared[y * kWarp + threadIdx.x];
  float& to = c < cols ? out[c] : beyond[c - cols];
  to = accumulate ? to + sum : sum;
}

[[nodiscard]] inline Launch add_partials_launch(std::int64_t columns) {
  return {.blocks = static_cast<unsigned>((columns + kWarp - 1) / kWarp),
          .threads = {kWarp, 32},
          .shared_bytes = 1024 * sizeof(float)};
}

}  // namespace stepmark::cuda
