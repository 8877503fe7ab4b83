// SPDX-License-Identifier: Apache-2.0
// The experts' GEMMs on tensor cores, in one launch each (gemm/mma_tile.cuh). Blocks are as many as
// the worst counts need; those that find no tile have nothing to do.
#include "kernels/cuda/experts/experts_gemm.h"
#include "kernels/cuda/experts/experts_rows.cuh"
#include "kernels/cuda/gemm/mma_tile.cuh"
#include "kernels/ops/experts.h"

namespace stepmark::cuda {
namespace {

using namespace mma;

// Each expert's last tile, and the last of all, may be filled in part.
__host__ __device__ std::int64_t most_tiles(const ExpertsGemmShape& s) {
  return tiles(s.rows) + s.experts + 1;
}

// kDeep: whether b's elements follow each other along k.
template <bool kDeep>
__global__ void __launch_bounds__(kThreads, 2)
    experts_gemm_mma_kernel(ExpertsGemmShape s, const bfloat* a, const bfloat* b,
                            const std::int32_t* counts, bfloat* c) {
  const TilePlace place = place_of(blockIdx.x, most_tiles(s), tiles(s.n));
  const ExpertTile x = expert_tile<kTile>(place.down, s.experts, counts, s.rows);
  if (x.expert == s.experts) return zero_tile<kTile>(x, place.across * kTile, s.n, c);
  bfloat* to = c + x.first * s.n;
  tile_of(
      Operand<true>{.data = a + x.first * s.k, .pitch = s.k, .rows = x.rows, .depth = s.k},
      Operand<kDeep>{
          .data = b + x.expert * s.n * s.k, .pitch = kDeep ? s.k : s.n, .rows = s.n, .depth = s.k},
      x.tile * kTile, place.across * kTile,
      [&](std::int64_t i, std::int64_t j, float first, float second) {
        *reinterpret_cast<__nv_bfloat162*>(to + i * s.n + j) = __floats2bfloat162_rn(first, second);
      });
}

__global__ void __launch_bounds__(kThreads, 2)
    experts_wgrad_mma_kernel(ExpertsWgradShape s, const bfloat* a, const bfloat* b,
                             const std::int32_t* counts, float* c) {
  const std::int64_t down = tiles(s.m), across = tiles(s.n), e = blockIdx.x / (down * across);
  const TilePlace place = place_of(blockIdx.x % (down * across), down, across);
  const std::int64_t first = rows_before(e, counts, s.rows);
  const std::int64_t rows = rows_of(counts[e], first, s.rows);
  float* to = c + e * s.m * s.n;
  tile_of(Operand<false>{.data = a + first * s.m, .pitch = s.m, .rows = s.m, .depth = rows},
          Operand<false>{.data = b + first * s.n, .pitch = s.n, .rows = s.n, .depth = rows},
          place.down * kTile, place.across * kTile,
          [&](std::int64_t i, std::int64_t j, float x, float y) {
            auto& out = *reinterpret_cast<Pack<float, 2>*>(to + i * s.n + j);
            const Pack<float, 2> before = s.accumulate != 0 ? out : Pack<float, 2>{};
            store_pack(to + i * s.n + j, Pack<float, 2>{{before.v[0] + x, before.v[1] + y}});
          });
}

}  // namespace

Enqueue prepare_mma_experts_gemm(const OpShape& shape, void* const* operands) {
  const auto s = unpack<ExpertsGemmShape>(shape);
  const Launch config{.blocks = static_cast<unsigned>(most_tiles(s) * tiles(s.n)),
                      .threads = kThreads,
                      .shared_bytes = kSharedBytes};
  auto* kernel = s.trans_b != 0 ? &experts_gemm_mma_kernel<true> : &experts_gemm_mma_kernel<false>;
  return [=, a = input<bfloat>(operands, 0), b = input<bfloat>(operands, 1),
          counts = input<std::int32_t>(operands, 2), c = output<bfloat>(operands, 3)](
             cudaStream_t stream) { launch(kernel, config, stream, s, a, b, counts, c); };
}

Enqueue prepare_mma_experts_wgrad(const OpShape& shape, void* const* operands) {
  const auto s = unpack<ExpertsWgradShape>(shape);
  const Launch config{.blocks = static_cast<unsigned>(s.experts * tiles(s.m) * tiles(s.n)),
                      .threads = kThreads,
                      .shared_bytes = kSharedBytes};
  return [=, a = input<bfloat>(operands, 0), b = input<bfloat>(operands, 1),
          counts = input<std::int32_t>(operands, 2),
          c = output<float>(operands, 3)](cudaStream_t stream) {
    launch(&experts_wgrad_mma_kernel, config, stream, s, a, b, counts, c);
  };
}

}  // namespace stepmark::cuda
