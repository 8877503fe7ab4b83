// SPDX-License-Identifier: Apache-2.0
// The experts' GEMMs in one launch each: a block finds its expert by the counts, which only the
// device knows, and computes a tile of its results. On tensor cores where that can be
// (experts_mma.cu), else by the kernels here (gemm/plain_tile.cuh).
#include "kernels/cuda/experts/experts_gemm.h"

#include "kernels/cuda/engine_note.h"
#include "kernels/cuda/experts/experts_rows.cuh"
#include "kernels/cuda/gemm/plain_tile.cuh"
#include "kernels/ops/experts.h"

namespace stepmark::cuda {
namespace {

template <class T>
__global__ void __launch_bounds__(kTileThreads)
    experts_gemm_kernel(ExpertsGemmShape s, const T* a, const T* b, const std::int32_t* counts,
                        T* c) {
  const std::int64_t across = tiles(s.n), j0 = blockIdx.x % across * kTile;
  const ExpertTile x = expert_tile<kTile>(blockIdx.x / across, s.experts, counts, s.rows);
  if (x.expert == s.experts) return zero_tile<kTile>(x, j0, s.n, c);
  T* to = c + x.first * s.n;
  const T* weights = b + x.expert * s.n * s.k;
  tile_of(x.rows, s.n, s.k, x.tile * kTile, j0, Strided<T>{a + x.first * s.k, s.k, 1},
          Strided<T>{weights, s.trans_b != 0 ? s.k : 1, s.trans_b != 0 ? 1 : s.n},
          [&](std::int64_t i, std::int64_t j, float sum) { store(to[i * s.n + j], sum); });
}

template <class T>
__global__ void __launch_bounds__(kTileThreads)
    experts_wgrad_kernel(ExpertsWgradShape s, const T* a, const T* b, const std::int32_t* counts,
                         float* c) {
  const std::int64_t across = tiles(s.n), down = tiles(s.m);
  const std::int64_t e = blockIdx.x / (across * down), tile = blockIdx.x % (across * down);
  const std::int64_t first = rows_before(e, counts, s.rows);
  float* to = c + e * s.m * s.n;
  tile_of(s.m, s.n, rows_of(counts[e], first, s.rows), tile / across * kTile, tile % across * kTile,
          Strided<T>{a + first * s.m, 1, s.m}, Strided<T>{b + first * s.n, 1, s.n},
          [&](std::int64_t i, std::int64_t j, float sum) {
            float& out = to[i * s.n + j];
            out = s.accumulate != 0 ? out + sum : sum;
          });
}

// Whoever times experts shall know what bounds them. `across` and `along`: the widths that chunks
// of 16 bytes must divide.
bool takes_tensor_cores(const OpShape& shape, void* const* operands, std::int64_t across,
                        std::int64_t along, const KernelContext& context) {
  constexpr std::int64_t kChunk = 8;
  const bool fits =
      across % kChunk == 0 && along % kChunk == 0 && aligned(operands[0], operands[1], operands[3]);
  EngineNote note{.engine = "own kernel without tensor cores", .refused = ""};
  const bool takes = shape.dtype == DType::bf16 && fits;
  if (takes) {
    note = {.engine = "own kernel on tensor cores",
            .refused = lost_by_mma(context.compute_capability())};
  } else if (shape.dtype == DType::bf16) {
    note.refused = "tensor cores need widths of whole, aligned chunks of 16 bytes";
  }
  note_engine(shape, std::move(note));
  return takes;
}

}  // namespace

Enqueue prepare_experts_gemm(const OpShape& shape, void* const* operands, KernelContext& context) {
  const auto s = unpack<ExpertsGemmShape>(shape);
  if (s.rows * s.n == 0) return [](cudaStream_t) {};
  if (takes_tensor_cores(shape, operands, s.n, s.k, context)) {
    return prepare_mma_experts_gemm(shape, operands);
  }
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

Enqueue prepare_experts_wgrad(const OpShape& shape, void* const* operands, KernelContext& context) {
  const auto s = unpack<ExpertsWgradShape>(shape);
  if (s.m * s.n == 0) return [](cudaStream_t) {};
  if (takes_tensor_cores(shape, operands, s.m, s.n, context)) {
    return prepare_mma_experts_wgrad(shape, operands);
  }
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
