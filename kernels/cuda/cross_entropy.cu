// SPDX-License-Identifier: Apache-2.0
// A block per row, which lies `width` elements after the one before. Every op reads its logits
// once, as they are stored, and the gradient is written over them; there is never an fp32 copy.
#include "kernels/ops/cross_entropy.h"

#include "kernels/cuda/cuda_kernels.h"
#include "kernels/cuda/reduce.cuh"
#include "kernels/cuda/span.cuh"
#include "kernels/cuda/vector.cuh"

namespace stepmark::cuda {
namespace {

constexpr unsigned kThreads = 512;
constexpr int kPacks = 4;  // of 16 bytes under way in each thread

template <class T>
__global__ void __launch_bounds__(kThreads)
    ce_max_kernel(const T* logits, float* row_max, std::int64_t cols, std::int64_t width) {
  const std::int64_t r = blockIdx.x;
  float largest = Max::kIdentity;
  for_span<kPacks>(logits + r * width, cols, share_of_block(),
                   [&]<int kWidth>(std::int64_t, const Pack<T, kWidth>& pack) {
                     for (int j = 0; j < kWidth; ++j) largest = Max{}(largest, load(pack.v[j]));
                   });
  largest = block_reduce<Max>(largest, reinterpret_cast<float*>(block_shared()));
  if (threadIdx.x == 0) row_max[r] = largest;
}

// A thread adds up to some hundred terms in four fp32 sums; those are added in double.
template <class T>
__global__ void __launch_bounds__(kThreads)
    ce_sum_kernel(const T* logits, const float* row_max, const std::int32_t* targets, float* sums,
                  std::int64_t rows, std::int64_t cols, std::int64_t width,
                  std::int64_t vocab_begin) {
  const std::int64_t r = blockIdx.x;
  const T* row = logits + r * width;
  const float shift = row_max[r];
  float part[4] = {};
  for_span<kPacks>(row, cols, share_of_block(),
                   [&]<int kWidth>(std::int64_t, const Pack<T, kWidth>& pack) {
                     for (int j = 0; j < kWidth; ++j)
                       part[j % 4] += __expf(load(pack.v[j]) - shift);
                   });
  const double own =
      (static_cast<double>(part[0]) + part[1]) + (static_cast<double>(part[2]) + part[3]);
  const double sum = block_reduce<Sum>(own, reinterpret_cast<double*>(block_shared()));
  if (threadIdx.x != 0) return;
  const std::int64_t target = targets[r] - vocab_begin;
  sums[r] = static_cast<float>(sum);
  sums[rows + r] = target >= 0 && target < cols ? load(row[target]) - shift : 0.0F;
}

struct Loss {
  float* loss;
  double scale;
  bool accumulate;
};

// By one block. Few values: a logarithm in fp32 each, the sum in double.
__device__ inline void add_loss(const Loss& to, const float* sums, std::int64_t rows) {
  double own = 0;
  for (std::int64_t r = threadIdx.x; r < rows; r += blockDim.x) {
    own += static_cast<double>(logf(sums[r])) - sums[rows + r];
  }
  const double total = to.scale * block_reduce<Sum>(own, reinterpret_cast<double*>(block_shared()));
  if (threadIdx.x == 0) *to.loss = static_cast<float>(to.accumulate ? *to.loss + total : total);
}

// Block 0 computes the loss, and each of the others a row.
template <class T>
__global__ void __launch_bounds__(kThreads)
    ce_bwd_kernel(T* logits, const float* row_max, const std::int32_t* targets, const float* sums,
                  Loss loss, std::int64_t rows, std::int64_t cols, std::int64_t width,
                  std::int64_t vocab_begin) {
  if (blockIdx.x == 0) {
    add_loss(loss, sums, rows);
    return;
  }
  const std::int64_t r = blockIdx.x - std::int64_t{1};
  T* row = logits + r * width;
  const auto scale = static_cast<float>(loss.scale);
  const float shift = row_max[r], factor = scale / sums[r];
  const std::int64_t target = targets[r] - vocab_begin;
  for_span<kPacks>(row, cols, share_of_block(),
                   [&]<int kWidth>(std::int64_t first, const Pack<T, kWidth>& pack) {
                     float d[kWidth];
                     for (int j = 0; j < kWidth; ++j)
                       d[j] = factor * __expf(load(pack.v[j]) - shift);
                     if (target >= first && target < first + kWidth) {  // before rounding
                       for (int j = 0; j < kWidth; ++j) d[j] -= first + j == target ? scale : 0.0F;
                     }
                     Pack<T, kWidth> out;
                     for (int j = 0; j < kWidth; ++j) store(out.v[j], d[j]);
                     store_pack<kWidth>(row + first, out);
                   });
  // GEMMs sum over whole rows.
  for (std::int64_t c = cols + threadIdx.x; c < width; c += blockDim.x) store(row[c], 0.0F);
}

Launch grid_of(std::int64_t blocks) {
  return {.blocks = static_cast<unsigned>(blocks),
          .threads = kThreads,
          .shared_bytes = kWarp * sizeof(double)};
}

}  // namespace

Enqueue prepare_ce_max(const OpShape& shape, void* const* operands, KernelContext&) {
  const auto s = unpack<CeMaxShape>(shape);
  if (s.rows == 0) return [](cudaStream_t) {};
  return with_type(shape.dtype, [&]<class T>(T) -> Enqueue {
    return [=, logits = input<T>(operands, 0),
            row_max = output<float>(operands, 1)](cudaStream_t stream) {
      launch(&ce_max_kernel<T>, grid_of(s.rows), stream, logits, row_max, s.cols,
             s.cols + s.padding);
    };
  });
}

Enqueue prepare_ce_sum(const OpShape& shape, void* const* operands, KernelContext&) {
  const auto s = unpack<CeSumShape>(shape);
  if (s.rows == 0) return [](cudaStream_t) {};
  const float* row_max = input<float>(operands, 1);
  const auto* targets = input<std::int32_t>(operands, 2);
  float* sums = output<float>(operands, 3);
  return with_type(shape.dtype, [&]<class T>(T) -> Enqueue {
    return [=, logits = input<T>(operands, 0)](cudaStream_t stream) {
      launch(&ce_sum_kernel<T>, grid_of(s.rows), stream, logits, row_max, targets, sums, s.rows,
             s.cols, s.cols + s.padding, s.vocab_begin);
    };
  });
}

Enqueue prepare_ce_bwd(const OpShape& shape, void* const* operands, KernelContext&) {
  const auto s = unpack<CeBwdShape>(shape);
  const float* row_max = input<float>(operands, 1);
  const auto* targets = input<std::int32_t>(operands, 2);
  const float* sums = input<float>(operands, 3);
  const Loss loss{
      .loss = output<float>(operands, 4), .scale = s.scale, .accumulate = s.accumulate != 0};
  return with_type(shape.dtype, [&]<class T>(T) -> Enqueue {
    return [=, logits = output<T>(operands, 0)](cudaStream_t stream) {
      launch(&ce_bwd_kernel<T>, grid_of(1 + s.rows), stream, logits, row_max, targets, sums, loss,
             s.rows, s.cols, s.cols + s.padding, s.vocab_begin);
    };
  });
}

}  // namespace stepmark::cuda
