// SPDX-License-Identifier: Apache-2.0
// Gradients of normalisation. A grid of as many blocks as fit at once walks over the rows, the next
// one on its way while this one is worked on: each thread keeps its columns, with their sums for
// dgamma and dbeta in registers, so that dy and x are read once. Every block writes its sums as one
// partial row, and a second kernel adds those up in order.
#include <algorithm>

#include "kernels/cuda/column_sums.cuh"
#include "kernels/cuda/cuda_kernels.h"
#include "kernels/cuda/norm/norm_row.cuh"
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

// One pack of each of dy, x and dx in a thread (two of rows beyond 1024 packs), so that a thousand
// threads of an SM have registers for their sums; what they will work on next is meanwhile copied
// to shared memory. A thread reads there what it copied itself, which needs no barrier.
constexpr unsigned kThreads = 512, kWideThreads = 1024;
constexpr int kStages = 2;  // rows under way: the one that is worked on, and the next

// A thread's packs of a row, staged: kPacks of dy, x and (when it is added to) dx.
template <class T, int kWidth, int kPacks>
class StagedRow {
 public:
  using P = Pack<T, kWidth>;
  static constexpr int kArrays = 3;

  __device__ StagedRow(const NormBwd<T>& o, std::byte* shared) : o_(o) {
    const unsigned threads = blockDim.x * blockDim.y;
    own_ = reinterpret_cast<P*>(shared) + threadIdx.y * blockDim.x + threadIdx.x;
    stride_ = threads;
  }
  [[nodiscard]] __device__ std::int64_t column(int p) const {
    return (threadIdx.x + std::int64_t{blockDim.x} * p) * kWidth;
  }
  // Begins to copy row r, zeros past the end, which add nothing.
  __device__ void fetch(std::int64_t r, unsigned stage) {
    const bool here = r < o_.rows;
    const std::int64_t at = here ? r * o_.cols : 0;
    STEPMARK_UNROLL
    for (int p = 0; p < kPacks; ++p) {
      const std::int64_t c = column(p);
      const bool valid = here && c < o_.cols;
      copy_async_16(slot(stage, 0, p), o_.dy + at + (valid ? c : 0), valid);
      copy_async_16(slot(stage, 1, p), o_.x + at + (valid ? c : 0), valid);
      copy_async_16(slot(stage, 2, p), o_.dx + at + (valid ? c : 0), valid && o_.add_dx);
    }
    copy_async_commit();
  }
  [[nodiscard]] __device__ P dy(unsigned stage, int p) const { return *slot(stage, 0, p); }
  [[nodiscard]] __device__ P x(unsigned stage, int p) const { return *slot(stage, 1, p); }
  [[nodiscard]] __device__ P dx(unsigned stage, int p) const { return *slot(stage, 2, p); }

 private:
  [[nodiscard]] __device__ P* slot(unsigned stage, int array, int p) const {
    return own_ +
           ((stage * kArrays + static_cast<unsigned>(array)) * kPacks + static_cast<unsigned>(p)) *
               stride_;
  }
  const NormBwd<T>& o_;
  P* own_;
  unsigned stride_;
};

constexpr std::size_t kSumFloats = 2 * kRowSumFloats<2>;  // of one row of the block, both turns

template <class T, int kWidth, bool kMean, int kPacks, unsigned kMaxThreads>
__global__ void __launch_bounds__(kMaxThreads, kWideThreads / kMaxThreads)
    norm_bwd_kernel(NormBwd<T> o, float* partials) {
  using P = Pack<T, kWidth>;
  constexpr std::size_t kSums = kRowSumFloats<2>;
  auto* shared = reinterpret_cast<float*>(block_shared());
  StagedRow<T, kWidth, kPacks> row(o, block_shared() + kSumFloats * blockDim.y * sizeof(float));
  float dgamma[kPacks][kWidth] = {}, dbeta[kPacks][kMean ? kWidth : 1] = {};
  const float per_column = 1.0F / static_cast<float>(o.cols);

  const std::int64_t step = std::int64_t{gridDim.x} * blockDim.y;
  const std::int64_t first = std::int64_t{blockIdx.x} * blockDim.y + threadIdx.y;
  row.fetch(first, 0);
  unsigned turn = 0;
  // Rows of a block go in step, also past the end.
  for (std::int64_t base = std::int64_t{blockIdx.x} * blockDim.y; base < o.rows; base += step) {
    const std::int64_t r = base + threadIdx.y;
    const bool here = r < o.rows;
    const unsigned stage = turn % kStages;
    row.fetch(r + step, (turn + 1) % kStages);
    const float rstd = here ? o.rstd[r] : 0.0F;
    const float mean = kMean && here ? o.mean[r] : 0.0F;
    copy_async_wait<kStages - 1>();
    float sums[2] = {};  // of gamma dy xhat, and of gamma dy
    STEPMARK_UNROLL
    for (int p = 0; p < kPacks; ++p) {
      if (row.column(p) >= o.cols) continue;
      const P gamma = load_pack<kWidth>(o.gamma + row.column(p));
      const P dy = row.dy(stage, p), x = row.x(stage, p);
      for (int j = 0; j < kWidth; ++j) {
        const float d = load(dy.v[j]), hat = (load(x.v[j]) - mean) * rstd;
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
    const float mean_gd_hat = sums[0] * per_column, mean_gd = sums[1] * per_column;
    STEPMARK_UNROLL
    for (int p = 0; p < kPacks; ++p) {
      if (!here || row.column(p) >= o.cols) continue;
      const P gamma = load_pack<kWidth>(o.gamma + row.column(p));
      const P dy = row.dy(stage, p), x = row.x(stage, p), before = row.dx(stage, p);
      P dx;
      for (int j = 0; j < kWidth; ++j) {
        const float hat = (load(x.v[j]) - mean) * rstd;
        const float d = rstd * (load(gamma.v[j]) * load(dy.v[j]) - mean_gd - hat * mean_gd_hat);
        store(dx.v[j], load(before.v[j]) + d);
      }
      store_pack<kWidth>(o.dx + r * o.cols + row.column(p), dx);
    }
  }
  copy_async_wait<0>();

  // The block's rows together, in order, then to memory.
  const auto each_sum = [&](auto f) {
    STEPMARK_UNROLL
    for (int p = 0; p < kPacks; ++p) {
      if (row.column(p) >= o.cols) continue;
      for (int j = 0; j < kWidth; ++j) {
        f(row.column(p) + j, dgamma[p][j]);
        if constexpr (kMean) f(o.cols + row.column(p) + j, dbeta[p][j]);
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

struct Grid {
  Launch launch;
  std::int64_t blocks;
};

// Several short rows in a block leave fewer partial rows to add; two blocks on an SM let one
// compute while the other waits for a barrier.
template <bool kMean>
Grid held_grid(std::int64_t rows, std::int64_t columns, std::int64_t cols, int packs,
               int sm_count) {
  const std::int64_t threads = (columns + packs * kWarp - 1) / (packs * kWarp) * kWarp;
  const std::int64_t block_rows = std::max(std::int64_t{1}, kThreads / threads);
  const std::int64_t per_sm = threads > kThreads ? 1 : 2;
  const std::int64_t blocks = std::min((rows + block_rows - 1) / block_rows, per_sm * sm_count);
  const auto rows_of_block = static_cast<std::size_t>(block_rows);
  const std::size_t staged =
      kStages * 3 * rows_of_block * static_cast<std::size_t>(threads * packs) * 16;
  std::size_t bytes = kSumFloats * rows_of_block * sizeof(float) + staged;
  if (block_rows > 1) {
    bytes = std::max(bytes, static_cast<std::size_t>((kMean ? 2 : 1) * cols) * sizeof(float));
  }
  return {.launch = {.blocks = static_cast<unsigned>(blocks),
                     .threads = {static_cast<unsigned>(threads), static_cast<unsigned>(block_rows)},
                     .shared_bytes = bytes},
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
  // Packs of a thread when the row is shared by so many; beyond two, rows are read twice.
  const std::int64_t columns_packs = o.cols / kPack;
  const auto fits = [&](std::int64_t threads, int each) {
    return packs && columns_packs <= threads * each;
  };
  const int each = fits(kWideThreads, 1) ? 1 : 2;
  Grid grid{};
  bool held = fits(kWideThreads, each);
  if (held) {
    grid = held_grid<kMean>(o.rows, columns_packs, o.cols, each, context.sm_count());
    // Two stages of 96 KiB are more than some devices have.
    held = grid.launch.shared_bytes <= context.block_shared_bytes();
  }
  if (!held) grid = long_grid(o.rows, packs ? columns_packs : o.cols, context.sm_count());
  const auto kernel = held && fits(kThreads, 1) ? &norm_bwd_kernel<T, kPack, kMean, 1, kThreads>
                      : held && each == 1       ? &norm_bwd_kernel<T, kPack, kMean, 1, kWideThreads>
                      : held                    ? &norm_bwd_kernel<T, kPack, kMean, 2, kWideThreads>
                      : packs                   ? &norm_bwd_long_kernel<T, kPack, kMean>
                                                : &norm_bwd_long_kernel<T, 1, kMean>;
  const std::int64_t columns = (kMean ? 2 : 1) * o.cols;
  context.scratch()->reserve(static_cast<std::size_t>(grid.blocks * columns) * sizeof(float));
  return [=, scratch = context.scratch()](cudaStream_t stream) {
    auto* partials = static_cast<float*>(scratch->data());
    if (grid.blocks > 0) launch(kernel, grid.launch, stream, o, partials);
    launch(&add_partials_kernel, add_partials_launch(columns), stream, partials, grid.blocks,
           columns, o.cols, o.dgamma, o.dbeta, o.accumulate);
  };
}

// Operands in the order of both ops: dy, x, gamma, with a mean that, rstd, dx, dgamma, with a mean
// dbeta.
template <class S, bool kMean>
Enqueue prepare_op(const OpShape& shape, void* const* operands, KernelContext& context) {
  const auto s = unpack<S>(shape);
  return with_type(shape.dtype, [&]<class T>(T) {
    NormBwd<T> o{
        .rows = s.rows, .cols = s.cols, .add_dx = s.add_dx != 0, .accumulate = s.accumulate != 0};
    int next = 0;
    o.dy = input<T>(operands, next++);
    o.x = input<T>(operands, next++);
    o.gamma = input<T>(operands, next++);
    if constexpr (kMean) o.mean = input<float>(operands, next++);
    o.rstd = input<float>(operands, next++);
    o.dx = output<T>(operands, next++);
    o.dgamma = output<float>(operands, next++);
    if constexpr (kMean) o.dbeta = output<float>(operands, next++);
    return prepare_bwd<kMean>(o, context);
  });
}

}  // namespace

Enqueue prepare_layernorm_bwd(const OpShape& shape, void* const* operands, KernelContext& context) {
  return prepare_op<LayerNormBwdShape, true>(shape, operands, context);
}
Enqueue prepare_rmsnorm_bwd(const OpShape& shape, void* const* operands, KernelContext& context) {
  return prepare_op<RmsNormBwdShape, false>(shape, operands, context);
}

}  // namespace stepmark::cuda
