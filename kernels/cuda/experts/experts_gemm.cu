// SPDX-License-Identifier: Apache-2.0
// The experts' GEMMs in one launch each: a block finds its expert by the counts, which only the
// device knows, and computes a tile of its results (gemm/plain_tile.cuh). No tensor cores: the
// times of such steps on a GPU are bounded by these kernels.
#include "kernels/cuda/cuda_kernels.h"
#include "kernels/cuda/engine_note.h"
#include "kernels/cuda/gemm/plain_tile.cuh"
#include "kernels/ops/experts.h"

namespace stepmark::cuda {
namespace {

// Of an expert, of the rows behind `first`: what is in memory may not fit (experts.cu).
__device__ inline std::int64_t rows_of(std::int32_t count, std::int64_t first, std::int64_t rows) {
  const std::int64_t left = rows - first, wanted = count > 0 ? count : 0;
  return wanted < left ? wanted : left;
}

template <class T>
__global__ void __launch_bounds__(kTileThreads)
    experts_gemm_kernel(ExpertsGemmShape s, const T* a, const T* b, const std::int32_t* counts,
                        T* c) {
  const std::int64_t across = tiles(s.n), j0 = blockIdx.x % across * kTile;
  std::int64_t tile = blockIdx.x / across, first = 0;
  for (std::int64_t e = 0; e < s.experts; ++e) {
    const std::int64_t rows = rows_of(counts[e], first, s.rows);
    if (tile < tiles(rows)) {
      T* to = c + first * s.n;
      const T* weights = b + e * s.n * s.k;
      tile_of(rows, s.n, s.k, tile * kTile, j0, Strided<T>{a + first * s.k, s.k, 1},
              Strided<T>{weights, s.trans_b != 0 ? s.k : 1, s.trans_b != 0 ? 1 : s.n},
              [&](std::int64_t i, std::int64_t j, float sum) { store(to[i * s.n + j], sum); });
      return;
    }
    tile -= tiles(rows);
    first += rows;
  }
  // What no expert has.
  const std::int64_t begin = first + tile * kTile;
  for (std::int64_t i = threadIdx.x; i < kTile * kTile; i += kTileThreads) {
    const std::int64_t row = begin + i / kTile, j = j0 + i % kTile;
    if (row < s.rows && j < s.n) store(c[row * s.n + j], 0.0F);
  }
}

template <class T>
__global__ void __launch_bounds__(kTileThreads)
    experts_wgrad_kernel(ExpertsWgradShape s, const T* a, const T* b, const std::int32_t* counts,
                         float* c) {
  const std::int64_t across = tiles(s.n), down = tiles(s.m);
  const std::int64_t e = blockIdx.x / (across * down), tile = blockIdx.x % (across * down);
  std::int64_t first = 0;
  for (std::int64_t before = 0; before < e; ++before) {
    first += rows_of(counts[before], first, s.rows);
  }
  float* to = c + e * s.m * s.n;
  tile_of(s.m, s.n, rows_of(counts[e], first, s.rows), tile / across * kTile, tile % across * kTile,
          Strided<T>{a + first * s.m, 1, s.m}, Strided<T>{b + first * s.n, 1, s.n},
          [&](std::int64_t i, std::int64_t j, float sum) {
            float& out = to[i * s.n + j];
            out = s.accumulate != 0 ? out + sum : sum;
          });
}

// Whoever times experts shall know what bounds them.
void note(const OpShape& shape) {
  note_engine(
      shape,
      {.engine = "own kernel without tensor cores",
       .refused = shape.dtype == DType::f32 ? "" : "there is no grouped GEMM on tensor cores"});
}

}  // namespace

Enqueue prepare_experts_gemm(const OpShape& shape, void* const* operands, KernelContext&) {
  const auto s = unpack<ExpertsGemmShape>(shape);
  if (s.rows * s.n == 0) return [](cudaStream_t) {};
  note(shape);
  // Each expert's last tile, and the last of all, may be filled in part.
  const std::int64_t blocks = (tiles(s.rows) + s.experts + 1) * tiles(s.n);
  const Launch config{.blocks = static_cast<unsigned>(blocks),
                      .threads = kTileThreads,
                      .shared_bytes = kTileSharedBytes};
  return with_type(shape.dtype, [&]<class T>(T) -> Enqueue {
    return [=, a = input<T>(operands, 0), b = input<T>(operands, 1),
            counts = input<std::int32_t>(operands, 2),
            c = output<T>(operands, 3)](cudaStream_t stream) {
      launch(&experts_gemm_kernel<T>, config, stream, s, a, b, counts, c);
    };
  });
}

Enqueue prepare_experts_wgrad(const OpShape& shape, void* const* operands, KernelContext&) {
  const auto s = unpack<ExpertsWgradShape>(shape);
  if (s.m * s.n == 0) return [](cudaStream_t) {};
  note(shape);
  const Launch config{.blocks = static_cast<unsigned>(s.experts * tiles(s.m) * tiles(s.n)),
                      .threads = kTileThreads,
                      .shared_bytes = kTileSharedBytes};
  return with_type(shape.dtype, [&]<class T>(T) -> Enqueue {
    return [=, a = input<T>(operands, 0), b = input<T>(operands, 1),
            counts = input<std::int32_t>(operands, 2),
            c = output<float>(operands, 3)](cudaStream_t stream) {
      launch(&experts_wgrad_kernel<T>, config, stream, s, a, b, counts, c);
    };
  });
}

}  // namespace stepmark::cuda
