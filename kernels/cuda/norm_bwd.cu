// SPDX-License-Identifier: Apache-2.0
// Gradients of normalisation. A grid of about as many blocks as fit at once walks over the rows:
// each thread keeps its columns, with their sums for dgamma and dbeta in registers, so that dy and
// x are read once. Every block writes its sums as one partial row, and a second kernel adds those
// up in order.
#include <algorithm>

#include "kernels/cuda/cuda_kernels.h"
#include "kernels/cuda/norm_row.cuh"
#include "kernels/cuda/vector.cuh"
#include "kernels/ops/norm.h"

namespace stepmark::cuda {
namespace {

// The ops' operands; mean and dbeta are null for RMSNorm.
template <class T>
struct NormBwd {
  const T *dy = nullptr, *x = nullptr, *gamma = nullptr;
  const float *mean = nullptr, *rstd = nullptr;
  T* dx = nullptr;
  float *dgamma = nullptr, *dbeta = nullptr;
  std::int64_t rows = 0, cols = 0;
  bool add_dx = false, accumulate = false;
};

// A block's partial row: cols sums for dgamma, then, with a mean, cols for dbeta.
template <bool kMean>
__device__ float* partial_row(float* partials, std::int64_t cols) {
  return partials + blockIdx.x * (kMean ? 2 : 1) * cols;
}

constexpr int kHeldPacks = 2;  // of each of dy, x and dx in a thread
constexpr unsigned kThreads = 512;
// Of rows too wide for that. More threads leave fewer registers than the kernel would like.
template <bool kMean>
constexpr unsigned kWideThreads = kMean ? 768 : 1024;

template <class T, int kWidth, bool kMean, unsigned kMaxThreads>
__global__ void __launch_bounds__(kMaxThreads) norm_bwd_kernel(NormBwd<T> o, float* partials) {
  using P = Pack<T, kWidth>;
  constexpr std::size_t kSums = kRowSumFloats<2>;
  auto* shared = reinterpret_cast<float*>(block_shared());
  const auto column = [&](int p) { return (threadIdx.x + std::int64_t{blockDim.x} * p) * kWidth; };
  float dgamma[kHeldPacks][kWidth] = {}, dbeta[kHeldPacks][kMean ? kWidth : 1] = {};
  const auto n = static_cast<float>(o.cols);

  const std::int64_t step = std::int64_t{gridDim.x} * blockDim.y;
  unsigned turn = 0;
  // Rows of a block go in step, also past the end: with zeros, which add nothing.
  for (std::int64_t base = std::int64_t{blockIdx.x} * blockDim.y; base < o.rows; base += step) {
    const std::int64_t r = base + threadIdx.y, at = r * o.cols;
    const bool here = r < o.rows;
    P dy[kHeldPacks] = {}, x[kHeldPacks] = {}, dx[kHeldPacks] = {};
    for (int p = 0; p < kHeldPacks; ++p) {
      if (!here || column(p) >= o.cols) continue;
      dy[p] = load_pack<kWidth>(o.dy + at + column(p));
      x[p] = load_pack<kWidth>(o.x + at + column(p));
      if (o.add_dx) dx[p] = load_pack<kWidth>(o.dx + at + column(p));
    }
    const float rstd = here ? o.rstd[r] : 0.0F;
    const float mean = kMean && here ? o.mean[r] : 0.0F;
    float sums[2] = {};  // of gamma dy xhat, and of gamma dy
    for (int p = 0; p < kHeldPacks; ++p) {
      if (column(p) >= o.cols) continue;
      const P gamma = load_pack<kWidth>(o.gamma + column(p));
      for (int j = 0; j < kWidth; ++j) {
        const float d = load(dy[p].v[j]), hat = (load(x[p].v[j]) - mean) * rstd;
        const float gd = load(gamma.v[j]) * d;
        sums[0] += gd * hat;
        dgamma[p][j] += d * hat;
        if constexpr (kMean) {
          sums[1] += gd;
          dbeta[p][j] += d;
        }
      }
    }
    if constexpr (kMean) {
      row_sums(sums, shared + (turn % 2) * blockDim.y * kSums);
    } else {
      float one[1] = {sums[0]};
      row_sums(one, shared + (turn % 2) * blockDim.y * kSums);
      sums[0] = one[0];
    }
    ++turn;
    const float mean_gd_hat = sums[0] / n, mean_gd = sums[1] / n;
    for (int p = 0; p < kHeldPacks; ++p) {
      if (!here || column(p) >= o.cols) continue;
      const P gamma = load_pack<kWidth>(o.gamma + column(p));
      for (int j = 0; j < kWidth; ++j) {
        const float hat = (load(x[p].v[j]) - mean) * rstd;
        const float d = rstd * (load(gamma.v[j]) * load(dy[p].v[j]) - mean_gd - hat * mean_gd_hat);
        store(dx[p].v[j], load(dx[p].v[j]) + d);
      }
      store_pack<kWidth>(o.dx + at + column(p), dx[p]);
    }
  }

  // The block's rows together, in order, then to memory.
  const auto each_sum = [&](auto f) {
    for (int p = 0; p < kHeldPacks; ++p) {
      if (column(p) >= o.cols) continue;
      for (int j = 0; j < kWidth; ++j) {
        f(column(p) + j, dgamma[p][j]);
        if constexpr (kMean) f(o.cols + column(p) + j, dbeta[p][j]);
      }
    }
  };
  for (unsigned y = 1; y < blockDim.y; ++y) {
    __syncthreads();
    if (threadIdx.y == y) each_sum([&](std::int64_t i, float& sum) { shared[i] = sum; });
    __syncthreads();
    if (threadIdx.y == 0) each_sum([&](std::int64_t i, float& sum) { sum += shared[i]; });
  }
  float* to = partial_row<kMean>(partials, o.cols);
  if (threadIdx.y == 0) each_sum([&](std::int64_t i, float& sum) { to[i] = sum; });
}

// Rows of any length and alignment: read twice, the sums in the block's partial row. A thread keeps
// its columns, so that no other touches its sums.
template <class T, int kWidth, bool kMean>
__global__ void __launch_bounds__(1024) norm_bwd_long_kernel(NormBwd<T> o, float* partials) {
  auto* shared = reinterpret_cast<float*>(block_shared());
  float* sum_dgamma = partial_row<kMean>(partials, o.cols);
  float* sum_dbeta = sum_dgamma + o.cols;
  const auto n = static_cast<float>(o.cols);
  const std::int64_t first = std::int64_t{threadIdx.x} * kWidth;
  const std::int64_t step = std::int64_t{blockDim.x} * kWidth;
  unsigned turn = 0;
  for (std::int64_t r = blockIdx.x; r < o.rows; r += gridDim.x, ++turn) {
    const T *dy = o.dy + r * o.cols, *x = o.x + r * o.cols;
    T* dx = o.dx + r * o.cols;
    const float rstd = o.rstd[r], mean = kMean ? o.mean[r] : 0.0F;
    float sums[2] = {};
    for (std::int64_t c = first; c < o.cols; c += step) {
      const auto pd = load_pack<kWidth>(dy + c), px = load_pack<kWidth>(x + c);
      const auto gamma = load_pack<kWidth>(o.gamma + c);
      for (int j = 0; j < kWidth; ++j) {
        const float d = load(pd.v[j]), hat = (load(px.v[j]) - mean) * rstd;
        const float gd = load(gamma.v[j]) * d;
        sums[0] += gd * hat;
        sums[1] += gd;
        sum_dgamma[c + j] = turn == 0 ? d * hat : sum_dgamma[c + j] + d * hat;
        if constexpr (kMean) sum_dbeta[c + j] = turn == 0 ? d : sum_dbeta[c + j] + d;
      }
    }
    row_sums(sums, shared + (turn % 2) * kRowSumFloats<2>);
    const float mean_gd_hat = sums[0] / n, mean_gd = kMean ? sums[1] / n : 0.0F;
    for (std::int64_t c = first; c < o.cols; c += step) {
      const auto pd = load_pack<kWidth>(dy + c), px = load_pack<kWidth>(x + c);
      const auto gamma = load_pack<kWidth>(o.gamma + c);
      Pack<T, kWidth> out = {};
      if (o.add_dx) out = load_pack<kWidth>(dx + c);
      for (int j = 0; j < kWidth; ++j) {
        const float hat = (load(px.v[j]) - mean) * rstd;
        const float d = rstd * (load(gamma.v[j]) * load(pd.v[j]) - mean_gd - hat * mean_gd_hat);
        store(out.v[j], load(out.v[j]) + d);
      }
      store_pack<kWidth>(dx + c, out);
    }
  }
}

// dgamma, then dbeta, [+]= the sums over `count` partial rows of `columns` (cols or twice that). A
// block has 32 columns, its rows of threads a share of the partials each, added in order.
__global__ void __launch_bounds__(1024)
    add_partials_kernel(const float* partials, std::int64_t count, std::int64_t columns,
                        std::int64_t cols, float* dgamma, float* dbeta, bool accumulate) {
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
  float& to = c < cols ? dgamma[c] : dbeta[c - cols];
  to = accumulate ? to + sum : sum;
}

struct Grid {
  Launch launch;
  std::int64_t blocks;
};

// Several short rows in a block leave fewer partial rows to add; two blocks on an SM let one
// compute while the other waits for memory.
template <bool kMean>
Grid held_grid(std::int64_t rows, std::int64_t columns, std::int64_t cols, int sm_count) {
  constexpr std::int64_t kOne = kHeldPacks * kWarp, kMost = kThreads;
  const std::int64_t threads = (columns + kOne - 1) / kOne * kWarp;
  const std::int64_t block_rows = std::max(std::int64_t{1}, kMost / 2 / threads);
  const std::int64_t per_sm = std::max(std::int64_t{1}, kMost / (threads * block_rows));
  const std::int64_t blocks = std::min((rows + block_rows - 1) / block_rows, per_sm * sm_count);
  std::size_t floats = 2 * static_cast<std::size_t>(block_rows) * kRowSumFloats<2>;
  if (block_rows > 1) floats = std::max(floats, static_cast<std::size_t>((kMean ? 2 : 1) * cols));
  return {.launch = {.blocks = static_cast<unsigned>(blocks),
                     .threads = {static_cast<unsigned>(threads), static_cast<unsigned>(block_rows)},
                     .shared_bytes = floats * sizeof(float)},
          .blocks = blocks};
}

Grid long_grid(std::int64_t rows, std::int64_t columns, int sm_count) {
  const std::int64_t threads = std::min((columns + kWarp - 1) / kWarp * kWarp, std::int64_t{1024});
  const std::int64_t blocks = std::min(rows, std::int64_t{2} * sm_count);
  return {.launch = {.blocks = static_cast<unsigned>(blocks),
                     .threads = static_cast<unsigned>(threads),
                     .shared_bytes = 2 * kRowSumFloats<2> * sizeof(float)},
          .blocks = blocks};
}

template <bool kMean, class T>
Enqueue prepare_bwd(const NormBwd<T>& o, KernelContext& context) {
  constexpr int kPack = kPackElements<T>;
  const bool packs = aligned(o.dy, o.x, o.gamma, o.dx) && o.cols % kPack == 0;
  const auto fits = [&](unsigned threads) {
    return packs && o.cols <= std::int64_t{threads} * kHeldPacks * kPack;
  };
  const bool held = fits(kWideThreads<kMean>);
  const Grid grid = held ? held_grid<kMean>(o.rows, o.cols / kPack, o.cols, context.sm_count())
                         : long_grid(o.rows, packs ? o.cols / kPack : o.cols, context.sm_count());
  const auto kernel = fits(kThreads) ? &norm_bwd_kernel<T, kPack, kMean, kThreads>
                      : held         ? &norm_bwd_kernel<T, kPack, kMean, kWideThreads<kMean>>
                      : packs        ? &norm_bwd_long_kernel<T, kPack, kMean>
                                     : &norm_bwd_long_kernel<T, 1, kMean>;
  const std::int64_t columns = (kMean ? 2 : 1) * o.cols;
  context.scratch()->reserve(static_cast<std::size_t>(grid.blocks * columns) * sizeof(float));
  return [=, scratch = context.scratch()](cudaStream_t stream) {
    auto* partials = static_cast<float*>(scratch->data());
    if (grid.blocks > 0) launch(kernel, grid.launch, stream, o, partials);
    const Launch add{.blocks = static_cast<unsigned>((columns + kWarp - 1) / kWarp),
                     .threads = {kWarp, 32},
                     .shared_bytes = 1024 * sizeof(float)};
    launch(&add_partials_kernel, add, stream, partials, grid.blocks, columns, o.cols, o.dgamma,
           o.dbeta, o.accumulate);
  };
}

}  // namespace

Enqueue prepare_layernorm_bwd(const OpShape& shape, void* const* operands, KernelContext& context) {
  const auto s = unpack<LayerNormBwdShape>(shape);
  return with_type(shape.dtype, [&]<class T>(T) {
    return prepare_bwd<true>(NormBwd<T>{.dy = input<T>(operands, 0),
                                        .x = input<T>(operands, 1),
                                        .gamma = input<T>(operands, 2),
                                        .mean = input<float>(operands, 3),
                                        .rstd = input<float>(operands, 4),
                                        .dx = output<T>(operands, 5),
                                        .dgamma = output<float>(operands, 6),
                                        .dbeta = output<float>(operands, 7),
                                        .rows = s.rows,
                                        .cols = s.cols,
                                        .add_dx = s.add_dx != 0,
                                        .accumulate = s.accumulate != 0},
                             context);
  });
}

Enqueue prepare_rmsnorm_bwd(const OpShape& shape, void* const* operands, KernelContext& context) {
  const auto s = unpack<RmsNormBwdShape>(shape);
  return with_type(shape.dtype, [&]<class T>(T) {
    return prepare_bwd<false>(NormBwd<T>{.dy = input<T>(operands, 0),
                                         .x = input<T>(operands, 1),
                                         .gamma = input<T>(operands, 2),
                                         .rstd = input<float>(operands, 3),
                                         .dx = output<T>(operands, 4),
                                         .dgamma = output<float>(operands, 5),
                                         .rows = s.rows,
                                         .cols = s.cols,
                                         .add_dx = s.add_dx != 0,
                                         .accumulate = s.accumulate != 0},
                              context);
  });
}

}  // namespace stepmark::cuda
