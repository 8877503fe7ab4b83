// SPDX-License-Identifier: Apache-2.0
// Casts to 8-bit floating point and their scales. The largest magnitude of a tensor is found by an
// atomic maximum of the bits of |x|, which order like the numbers: the result does not depend on
// the order of the blocks. NaN is left out of it.
#include "kernels/ops/fp8.h"

#include "kernels/cuda/cuda_kernels.h"
#include "kernels/cuda/fp8_fast.cuh"
#include "kernels/cuda/fp8_number.cuh"
#include "kernels/cuda/reduce.cuh"
#include "kernels/cuda/vector.cuh"

namespace stepmark::cuda {
namespace {

constexpr unsigned kThreads = kFp8Threads;
constexpr unsigned kWarps = kThreads / kWarp;
constexpr std::size_t kReduceBytes = kWarp * sizeof(float);

// kWidth elements of the result in one access, as many packs of x as that takes.
template <class T, int kWidth>
__global__ void __launch_bounds__(kThreads)
    cast_kernel(const T* x, const float* scale, Fp8* q, float* amax, std::int64_t n, bool e5m2) {
  constexpr int kIn = kWidth < kPackElements<T> ? kWidth : kPackElements<T>, kParts = kWidth / kIn;
  const float factor = *scale;
  float largest = 0.0F;
  const std::int64_t first = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  const std::int64_t stride = std::int64_t{gridDim.x} * blockDim.x;
  for (std::int64_t i = first * kWidth; i < n; i += stride * kWidth) {
    Pack<T, kIn> in[kParts];
    STEPMARK_UNROLL
    for (int part = 0; part < kParts; ++part) in[part] = load_pack<kIn>(x + i + part * kIn);
    Pack<Fp8, kWidth> out;
    STEPMARK_UNROLL
    for (int part = 0; part < kParts; ++part) {
      largest = Larger{}(largest, largest_of(in[part]));
      if constexpr (kIn == 1) {
        out.v[part] = to_fp8(load(in[part].v[0]) * factor, e5m2);
      } else {
        const auto cast = to_fp8_pack(in[part], e5m2, [=](float v) { return v * factor; });
        for (int e = 0; e < kIn; ++e) out.v[part * kIn + e] = cast.v[e];
      }
    }
    store_pack<kWidth>(q + i, out);
  }
  raise_amax(amax, largest, reinterpret_cast<float*>(block_shared()));
}

// Any size and alignment, in tiles of 64x64 through shared memory, element by element.
constexpr int kTile = 64, kTilePitch = kTile + 4;
constexpr std::size_t kTileBytes = kTile * kTilePitch;

template <class T>
__global__ void __launch_bounds__(kThreads)
    cast_transpose_kernel(const T* x, const float* scale, Fp8* q, Fp8* q_t, float* amax,
                          std::int64_t rows, std::int64_t cols, bool e5m2) {
  auto* tile = reinterpret_cast<Fp8*>(block_shared());
  const float factor = *scale;
  float largest = 0.0F;
  const std::int64_t across = (cols + kTile - 1) / kTile;
  const std::int64_t row0 = blockIdx.x / across * kTile, col0 = blockIdx.x % across * kTile;
  const int lane = static_cast<int>(threadIdx.x) % kTile;
  const int first = static_cast<int>(threadIdx.x) / kTile;
  constexpr int kStep = static_cast<int>(kThreads) / kTile;
  for (int r = first; r < kTile; r += kStep) {
    if (row0 + r >= rows || col0 + lane >= cols) continue;
    const std::int64_t at = (row0 + r) * cols + col0 + lane;
    const float value = load(x[at]);
    largest = Larger{}(largest, fabsf(value));
    const Fp8 out = to_fp8(value * factor, e5m2);
    q[at] = out;
    tile[r * kTilePitch + lane] = out;
  }
  __syncthreads();
  for (int c = first; c < kTile; c += kStep) {
    if (col0 + c >= cols || row0 + lane >= rows) continue;
    q_t[(col0 + c) * rows + row0 + lane] = tile[lane * kTilePitch + c];
  }
  raise_amax(amax, largest, reinterpret_cast<float*>(block_shared() + kTileBytes));
}

// One block. The history is moved from its end to its beginning, a block's width at a time, so
// that nothing is read after it was written.
__global__ void __launch_bounds__(kThreads)
    scale_kernel(float* history, std::int64_t n, float limit, float margin, float* scale,
                 float* scale_inv) {
  float largest = 0.0F;
  for (std::int64_t i = threadIdx.x; i < n; i += kThreads) largest = Larger{}(largest, history[i]);
  largest = block_reduce<Larger>(largest, reinterpret_cast<float*>(block_shared()));
  if (threadIdx.x == 0) {
    const float wanted = limit / largest / exp2f(margin);
    const bool usable = wanted > 0.0F && wanted < INFINITY;
    *scale = usable ? wanted : 1.0F;
    *scale_inv = usable ? 1.0F / wanted : 1.0F;
  }
  const std::int64_t chunks = (n + kThreads - 1) / kThreads;
  for (std::int64_t chunk = chunks - 1; chunk >= 0; --chunk) {
    const std::int64_t i = chunk * kThreads + threadIdx.x;
    const float before = i > 0 && i < n ? history[i - 1] : 0.0F;
    __syncthreads();
    if (i < n) history[i] = before;
  }
}

// A warp's 128 columns of one row: 4 per lane, 32 apart.
constexpr int kLaneColumns = kFp8Block / static_cast<int>(kWarp);

template <class T>
__device__ float largest_of_row(const T* row, std::int64_t columns) {
  float largest = 0.0F;
  for (int e = 0; e < kLaneColumns; ++e) {
    const std::int64_t c = threadIdx.x % kWarp + e * kWarp;
    if (c < columns) largest = Larger{}(largest, fabsf(load(row[c])));
  }
  return largest;
}

template <class T>
__device__ void cast_row(const T* row, Fp8* q, std::int64_t columns, float inverse, bool e5m2) {
  for (int e = 0; e < kLaneColumns; ++e) {
    const std::int64_t c = threadIdx.x % kWarp + e * kWarp;
    if (c < columns) q[c] = to_fp8(load(row[c]) / inverse, e5m2);
  }
}

// One warp per row of a block of columns. Lanes of warps beyond the last row have no columns.
template <class T>
__global__ void __launch_bounds__(kThreads)
    row_block_cast_kernel(const T* x, Fp8* q, float* scale_inv, std::int64_t rows,
                          std::int64_t cols, float limit, bool e5m2) {
  const std::int64_t across = (cols + kFp8Block - 1) / kFp8Block;
  const std::int64_t item = std::int64_t{blockIdx.x} * kWarps + threadIdx.x / kWarp;
  const bool inside = item < rows * across;
  const std::int64_t row = inside ? item / across : 0, col = inside ? item % across * kFp8Block : 0;
  const std::int64_t left = inside ? cols - col : 0;
  const T* from = x + row * cols + col;
  const float inverse = inverse_scale(warp_reduce<Larger>(largest_of_row(from, left)), limit);
  cast_row(from, q + row * cols + col, left, inverse, e5m2);
  if (inside && threadIdx.x % kWarp == 0) scale_inv[item] = inverse;
}

// One block per 128 rows of a block of columns, read twice: the second time from the L1 cache.
template <class T>
__global__ void __launch_bounds__(kThreads)
    tile_block_cast_kernel(const T* x, Fp8* q, float* scale_inv, std::int64_t rows,
                           std::int64_t cols, float limit, bool e5m2) {
  const std::int64_t across = (cols + kFp8Block - 1) / kFp8Block;
  const std::int64_t row0 = blockIdx.x / across * kFp8Block, col = blockIdx.x % across * kFp8Block;
  const std::int64_t end = row0 + kFp8Block < rows ? row0 + kFp8Block : rows;
  const std::int64_t first = row0 + threadIdx.x / kWarp;
  float largest = 0.0F;
  for (std::int64_t r = first; r < end; r += kWarps) {
    largest = Larger{}(largest, largest_of_row(x + r * cols + col, cols - col));
  }
  largest = block_reduce<Larger>(largest, reinterpret_cast<float*>(block_shared()));
  const float inverse = inverse_scale(largest, limit);
  for (std::int64_t r = first; r < end; r += kWarps) {
    cast_row(x + r * cols + col, q + r * cols + col, cols - col, inverse, e5m2);
  }
  if (threadIdx.x == 0) scale_inv[blockIdx.x] = inverse;
}

}  // namespace

Enqueue prepare_fp8_cast(const OpShape& shape, void* const* operands, KernelContext& context) {
  const auto s = unpack<Fp8CastShape>(shape);
  const auto* scale = input<float>(operands, 1);
  auto *q = output<Fp8>(operands, 2), *q_t = output<Fp8>(operands, 3);
  auto* amax = output<float>(operands, 4);
  const bool e5m2 = s.e5m2 != 0;
  const std::int64_t n = s.rows * s.cols;
  if (n == 0) return [](cudaStream_t) {};
  return with_type(shape.dtype, [&]<class T>(T) -> Enqueue {
    const T* x = input<T>(operands, 0);
    const bool whole = s.cols % kPackElements<T> == 0 && s.rows % kTurnRows == 0;
    if (s.transpose != 0 && whole && aligned(x, q, q_t)) {
      const std::int64_t tiles =
          (s.rows + kTurnTile - 1) / kTurnTile * ((s.cols + kTurnTile - 1) / kTurnTile);
      const Launch tiled{.blocks = static_cast<unsigned>(tiles),
                         .threads = kThreads,
                         .shared_bytes = kTurnBytes + kReduceBytes};
      return [=](cudaStream_t stream) {
        launch(&cast_turn_kernel<T>, tiled, stream, x, scale, q, q_t, amax, s.rows, s.cols, e5m2);
      };
    }
    if (s.transpose != 0) {
      const std::int64_t tiles = (s.rows + kTile - 1) / kTile * ((s.cols + kTile - 1) / kTile);
      const Launch tiled{.blocks = static_cast<unsigned>(tiles),
                         .threads = kThreads,
                         .shared_bytes = kTileBytes + kReduceBytes};
      return [=](cudaStream_t stream) {
        launch(&cast_transpose_kernel<T>, tiled, stream, x, scale, q, q_t, amax, s.rows, s.cols,
               e5m2);
      };
    }
    constexpr int kWidest = 16;  // elements of a pack of results
    const auto flat = [&](auto width) -> Enqueue {
      const Launch grid{.blocks = blocks_for(n / width, kThreads, context.sm_count(), 16),
                        .threads = kThreads,
                        .shared_bytes = kReduceBytes};
      return [=](cudaStream_t stream) {
        launch(&cast_kernel<T, width>, grid, stream, x, scale, q, amax, n, e5m2);
      };
    };
    const bool packs = aligned(x, q) && n % kWidest == 0;
    return packs ? flat(std::integral_constant<int, kWidest>{})
                 : flat(std::integral_constant<int, 1>{});
  });
}

Enqueue prepare_fp8_scale(const OpShape& shape, void* const* operands, KernelContext&) {
  const auto s = unpack<Fp8ScaleShape>(shape);
  auto *history = output<float>(operands, 0), *scale = output<float>(operands, 1);
  auto* scale_inv = output<float>(operands, 2);
  const float limit = fp8_max(s.e5m2 != 0), margin = static_cast<float>(s.margin);
  return [=](cudaStream_t stream) {
    launch(&scale_kernel, {.blocks = 1, .threads = kThreads, .shared_bytes = kReduceBytes}, stream,
           history, s.history, limit, margin, scale, scale_inv);
  };
}

Enqueue prepare_fp8_block_cast(const OpShape& shape, void* const* operands, KernelContext&) {
  const auto s = unpack<Fp8BlockCastShape>(shape);
  auto* q = output<Fp8>(operands, 1);
  auto* scale_inv = output<float>(operands, 2);
  const bool e5m2 = s.e5m2 != 0;
  const float limit = fp8_max(e5m2);
  const std::int64_t items =
      (s.rows + s.block_rows - 1) / s.block_rows * ((s.cols + kFp8Block - 1) / kFp8Block);
  if (items == 0) return [](cudaStream_t) {};
  return with_type(shape.dtype, [&]<class T>(T) -> Enqueue {
    const T* x = input<T>(operands, 0);
    const bool tiles = s.block_rows > 1;
    const bool packs = aligned(x, q) && s.cols % kPackElements<T> == 0;
    const auto kernel =
        tiles ? (packs ? &tile_block_cast_packs_kernel<T> : &tile_block_cast_kernel<T>)
              : (packs ? &row_block_cast_packs_kernel<T> : &row_block_cast_kernel<T>);
    const std::int64_t each = tiles ? 1 : packs ? kWarps * kRowBlocks : kWarps;
    const std::int64_t blocks = (items + each - 1) / each;
    return [=](cudaStream_t stream) {
      launch(kernel,
             {.blocks = static_cast<unsigned>(blocks),
              .threads = kThreads,
              .shared_bytes = kReduceBytes},
             stream, x, q, scale_inv, s.rows, s.cols, limit, e5m2);
    };
  });
}

}  // namespace stepmark::cuda
