// SPDX-License-Identifier: Apache-2.0
// Forward normalisation, alone and fused with the residual sum before it. One row per block, or,
// where a warp is enough for a row, one row per warp; the row stays in registers.
#include "kernels/ops/norm.h"

#include <algorithm>

#include "kernels/cuda/cuda_kernels.h"
#include "kernels/cuda/norm/norm_row.cuh"
#include "kernels/cuda/vector.cuh"

namespace stepmark::cuda {
namespace {

constexpr unsigned kMaxThreads = 512;
constexpr int kHeldPacks = 4;      // per thread: 16384 bf16 or 8192 fp32 columns in a block
constexpr unsigned kWarpRows = 4;  // rows of a block when a warp is enough for one

// The ops' operands; null: absent (b, bias: no residual sum; beta, mean: RMSNorm).
template <class T>
struct NormFwd {
  const T *a = nullptr, *b = nullptr, *bias = nullptr, *gamma = nullptr, *beta = nullptr;
  T *out = nullptr, *y = nullptr;
  float *mean = nullptr, *rstd = nullptr;
  std::int64_t rows = 0, cols = 0;
  float eps = 0;
};

// row = a + b (+ bias), rounded and stored as out.
template <class T, int kWidth, class Row>
__device__ void add_residual(const NormFwd<T>& o, std::int64_t at, Row& row) {
  Row other(o.b + at, o.cols);
  row.each_with(other, [&](std::int64_t c, Pack<T, kWidth>& sum, const Pack<T, kWidth>& b) {
    if (o.bias != nullptr) {
      const auto bias = load_pack<kWidth>(o.bias + c);
      for (int j = 0; j < kWidth; ++j) {
        store(sum.v[j], load(sum.v[j]) + load(b.v[j]) + load(bias.v[j]));
      }
    } else {
      for (int j = 0; j < kWidth; ++j) store(sum.v[j], load(sum.v[j]) + load(b.v[j]));
    }
    store_pack<kWidth>(o.out + at + c, sum);
  });
  row.move_to(o.out + at);
}

template <class T, int kWidth, int kPacks, bool kMean, bool kResidual>
__global__ void __launch_bounds__(kMaxThreads) norm_fwd_kernel(NormFwd<T> o) {
  auto* scratch = reinterpret_cast<float*>(block_shared());
  const std::int64_t r = std::int64_t{blockIdx.x} * blockDim.y + threadIdx.y;
  if (r >= o.rows) return;  // a whole warp: blocks of more than one row have a warp for each
  const std::int64_t at = r * o.cols;
  HeldRow<T, kWidth, kPacks> row(o.a + at, o.cols);
  if constexpr (kResidual) add_residual<T, kWidth>(o, at, row);

  const auto n = static_cast<float>(o.cols);
  float mean[1] = {0.0F};
  if constexpr (kMean) {
    row.each([&](std::int64_t, const auto& pack) {
      for (int j = 0; j < kWidth; ++j) mean[0] += load(pack.v[j]);
    });
    row_sums(mean, scratch);
    mean[0] /= n;
  }
  float squares[1] = {0.0F};
  row.each([&](std::int64_t, const auto& pack) {
    for (int j = 0; j < kWidth; ++j) {
      const float d = load(pack.v[j]) - mean[0];
      squares[0] += d * d;
    }
  });
  row_sums(squares, scratch + kRowSumFloats<1>);
  const float rstd = 1.0F / sqrtf(squares[0] / n + o.eps);

  row.each([&](std::int64_t c, const auto& pack) {
    const auto gamma = load_pack<kWidth>(o.gamma + c);
    Pack<T, kWidth> y;
    if constexpr (kMean) {
      const auto beta = load_pack<kWidth>(o.beta + c);
      for (int j = 0; j < kWidth; ++j) {
        store(y.v[j], (load(pack.v[j]) - mean[0]) * rstd * load(gamma.v[j]) + load(beta.v[j]));
      }
    } else {
      for (int j = 0; j < kWidth; ++j) store(y.v[j], load(pack.v[j]) * rstd * load(gamma.v[j]));
    }
    store_pack<kWidth>(o.y + at + c, y);
  });
  if (threadIdx.x == 0) {
    o.rstd[r] = rstd;
    if constexpr (kMean) o.mean[r] = mean[0];
  }
}

template <class T, int kWidth, int kPacks, bool kMean, bool kResidual>
Enqueue enqueue(const NormFwd<T>& o) {
  const std::int64_t columns = o.cols / kWidth, each = std::max(1, kPacks);
  const std::int64_t wanted = (columns + each * kWarp - 1) / (each * kWarp) * kWarp;
  const auto threads = static_cast<unsigned>(std::min(wanted, std::int64_t{kMaxThreads}));
  const unsigned rows = threads == kWarp ? kWarpRows : 1;
  const Launch grid{.blocks = static_cast<unsigned>((o.rows + rows - 1) / rows),
                    .threads = {threads, rows},
                    .shared_bytes = 2 * kRowSumFloats<1> * sizeof(float)};
  return [=](cudaStream_t stream) {
    launch(&norm_fwd_kernel<T, kWidth, kPacks, kMean, kResidual>, grid, stream, o);
  };
}

template <bool kMean, bool kResidual, class T>
Enqueue prepare_fwd(const NormFwd<T>& o) {
  if (o.rows == 0) return [](cudaStream_t) {};
  constexpr int kPack = kPackElements<T>;
  const bool packs = aligned(o.a, o.b, o.bias, o.gamma, o.beta, o.out, o.y) && o.cols % kPack == 0;
  if (!packs) return enqueue<T, 1, 0, kMean, kResidual>(o);
  if (o.cols > std::int64_t{kMaxThreads} * kHeldPacks * kPack) {
    return enqueue<T, kPack, 0, kMean, kResidual>(o);
  }
  return enqueue<T, kPack, kHeldPacks, kMean, kResidual>(o);
}

// Operands in the order of all four ops: a, with a residual sum b and bias, gamma, with a mean
// beta; then out, y, mean and rstd, as far as the op has them.
template <class S, bool kMean, bool kResidual>
Enqueue prepare_op(const OpShape& shape, void* const* operands) {
  const auto s = unpack<S>(shape);
  return with_type(shape.dtype, [&]<class T>(T) {
    NormFwd<T> o{.rows = s.rows, .cols = s.cols, .eps = static_cast<float>(s.eps)};
    int next = 0;
    o.a = input<T>(operands, next++);
    if constexpr (kResidual) {
      o.b = input<T>(operands, next++);
      o.bias = s.bias != 0 ? input<T>(operands, next) : nullptr;
      ++next;
    }
    o.gamma = input<T>(operands, next++);
    if constexpr (kMean) o.beta = input<T>(operands, next++);
    if constexpr (kResidual) o.out = output<T>(operands, next++);
    o.y = output<T>(operands, next++);
    if constexpr (kMean) o.mean = output<float>(operands, next++);
    o.rstd = output<float>(operands, next++);
    return prepare_fwd<kMean, kResidual>(o);
  });
}

}  // namespace

Enqueue prepare_layernorm_fwd(const OpShape& shape, void* const* operands, KernelContext&) {
  return prepare_op<LayerNormFwdShape, true, false>(shape, operands);
}
Enqueue prepare_rmsnorm_fwd(const OpShape& shape, void* const* operands, KernelContext&) {
  return prepare_op<RmsNormFwdShape, false, false>(shape, operands);
}
Enqueue prepare_residual_layernorm_fwd(const OpShape& shape, void* const* operands,
                                       KernelContext&) {
  return prepare_op<ResidualLayerNormFwdShape, true, true>(shape, operands);
}
Enqueue prepare_residual_rmsnorm_fwd(const OpShape& shape, void* const* operands, KernelContext&) {
  return prepare_op<ResidualRmsNormFwdShape, false, true>(shape, operands);
}

}  // namespace stepmark::cuda
