// SPDX-License-Identifier: Apache-2.0
// AdamW is one pass over its streams (grad, and m, v, weight read and written). The norm of the
// gradient is a sum of blocks' sums, added in order: fp32 within a thread, double beyond it.
#include "kernels/ops/optimizer.h"

#include <cmath>

#include "kernels/cuda/cuda_kernels.h"
#include "kernels/cuda/reduce.cuh"
#include "kernels/cuda/span.cuh"
#include "kernels/cuda/vector.cuh"

namespace stepmark::cuda {
namespace {

constexpr unsigned kSumThreads = 512;
constexpr int kSumBlocksPerSm = 4;
constexpr unsigned kAdamWThreads = 256;
constexpr int kAdamWBlocksPerSm = 32;
constexpr float kClipEpsilon = 1e-6F;

__global__ void __launch_bounds__(kSumThreads)
    sum_squares_kernel(const float* grad, std::int64_t n, double* block_sums) {
  float part[4] = {};
  for_span<4>(grad, n, share_of_grid(),
              [&]<int kWidth>(std::int64_t, const Pack<float, kWidth>& pack) {
                for (int j = 0; j < kWidth; ++j) part[j] += pack.v[j] * pack.v[j];
              });
  const double own =
      (static_cast<double>(part[0]) + part[1]) + (static_cast<double>(part[2]) + part[3]);
  const double sum = block_reduce<Sum>(own, reinterpret_cast<double*>(block_shared()));
  if (threadIdx.x == 0) block_sums[blockIdx.x] = sum;
}

__global__ void __launch_bounds__(kSumThreads)
    add_block_sums_kernel(const double* block_sums, unsigned blocks, double weight, bool accumulate,
                          float* out) {
  double own = 0;
  for (unsigned i = threadIdx.x; i < blocks; i += blockDim.x) own += block_sums[i];
  const double sum = block_reduce<Sum>(own, reinterpret_cast<double*>(block_shared()));
  if (threadIdx.x == 0) {
    *out = static_cast<float>(accumulate ? *out + weight * sum : weight * sum);
  }
}

__global__ void clip_scale_kernel(const float* sum, float max_norm, float* norm_and_scale) {
  const float norm = sqrtf(*sum);
  const float scale = max_norm / (norm + kClipEpsilon);
  norm_and_scale[0] = norm;
  // In this form a NaN norm gives a NaN scale.
  norm_and_scale[1] = max_norm > 0 && !(scale >= 1.0F) ? scale : 1.0F;
}

__global__ void step_count_kernel(float* step) { *step += 1.0F; }

// What the host knows of the update. Differences and logarithms come from double: 1 - beta2 of
// 0.999 loses four digits in fp32.
struct AdamW {
  float beta1, one_minus_beta1, log_beta1, beta2, one_minus_beta2, log_beta2, keep, lr, eps;
};

AdamW constants_of(const AdamWShape& s) {
  return {.beta1 = static_cast<float>(s.beta1),
          .one_minus_beta1 = static_cast<float>(1.0 - s.beta1),
          .log_beta1 = static_cast<float>(std::log(s.beta1)),
          .beta2 = static_cast<float>(s.beta2),
          .one_minus_beta2 = static_cast<float>(1.0 - s.beta2),
          .log_beta2 = static_cast<float>(std::log(s.beta2)),
          .keep = static_cast<float>(1.0 - s.lr * s.weight_decay),
          .lr = static_cast<float>(s.lr),
          .eps = static_cast<float>(s.eps)};
}

struct State {
  const float *grad, *norm_and_scale, *step;  // norm_and_scale: null where nothing is scaled
  float *m, *v, *weight;
};

// 1 - beta^t = -expm1(t log beta), which keeps its digits in fp32 when beta^t is nearly 1. weight
// and param are the same array in an fp32 update.
template <class T, int kWidth>
__global__ void __launch_bounds__(kAdamWThreads)
    adamw_kernel(AdamW f, State s, T* param, std::int64_t n) {
  const float clip = s.norm_and_scale != nullptr ? s.norm_and_scale[1] : 1.0F, step = *s.step;
  const float rate = f.lr / -expm1f(step * f.log_beta1);
  const float root_correction = 1.0F / sqrtf(-expm1f(step * f.log_beta2));
  const auto update = [&](float grad, float& m, float& v, float& weight) {
    const float g = clip * grad;
    m = f.beta1 * m + f.one_minus_beta1 * g;
    v = f.beta2 * v + f.one_minus_beta2 * g * g;
    weight = f.keep * weight - rate * m / (sqrtf(v) * root_correction + f.eps);
  };
  const Share share = share_of_grid();
  for (std::int64_t p = share.index; p < n / kWidth; p += share.count) {
    const std::int64_t i = p * kWidth;
    const auto grad = load_pack<kWidth>(s.grad + i);
    auto m = load_pack<kWidth>(s.m + i), v = load_pack<kWidth>(s.v + i);
    auto weight = load_pack<kWidth>(s.weight + i);
    Pack<T, kWidth> rounded;
    for (int j = 0; j < kWidth; ++j) {
      update(grad.v[j], m.v[j], v.v[j], weight.v[j]);
      store(rounded.v[j], weight.v[j]);
    }
    store_pack<kWidth>(s.m + i, m);
    store_pack<kWidth>(s.v + i, v);
    if constexpr (!std::is_same_v<T, float>) store_pack<kWidth>(s.weight + i, weight);
    store_pack<kWidth>(param + i, rounded);
  }
  const std::int64_t left = n / kWidth * kWidth + share.index;
  if (left < n) {
    update(s.grad[left], s.m[left], s.v[left], s.weight[left]);
    store(param[left], s.weight[left]);
  }
}

}  // namespace

Enqueue prepare_sum_squares(const OpShape& shape, void* const* operands, KernelContext& context) {
  const auto s = unpack<SumSquaresShape>(shape);
  const float* grad = input<float>(operands, 0);
  float* out = output<float>(operands, 1);
  constexpr std::int64_t kEach = 16;  // elements that a thread should have at least
  const unsigned blocks =
      blocks_for(s.elements / kEach, kSumThreads, context.sm_count(), kSumBlocksPerSm);
  context.scratch()->reserve(blocks * sizeof(double));
  return [=, scratch = context.scratch()](cudaStream_t stream) {
    auto* block_sums = static_cast<double*>(scratch->data());
    const std::size_t shared = kWarp * sizeof(double);
    launch(&sum_squares_kernel, {.blocks = blocks, .threads = kSumThreads, .shared_bytes = shared},
           stream, grad, s.elements, block_sums);
    launch(&add_block_sums_kernel, {.blocks = 1, .threads = kSumThreads, .shared_bytes = shared},
           stream, block_sums, blocks, s.weight, s.accumulate != 0, out);
  };
}

Enqueue prepare_clip_scale(const OpShape& shape, void* const* operands, KernelContext&) {
  const auto max_norm = static_cast<float>(unpack<ClipScaleShape>(shape).max_norm);
  return
      [=, sum = input<float>(operands, 0), out = output<float>(operands, 1)](cudaStream_t stream) {
        launch(&clip_scale_kernel, {.blocks = 1, .threads = 1}, stream, sum, max_norm, out);
      };
}

Enqueue prepare_step_count(const OpShape&, void* const* operands, KernelContext&) {
  return [step = output<float>(operands, 0)](cudaStream_t stream) {
    launch(&step_count_kernel, {.blocks = 1, .threads = 1}, stream, step);
  };
}

Enqueue prepare_adamw(const OpShape& shape, void* const* operands, KernelContext& context) {
  const auto s = unpack<AdamWShape>(shape);
  if (s.elements == 0) return [](cudaStream_t) {};
  const AdamW constants = constants_of(s);
  const State state{.grad = input<float>(operands, 0),
                    .norm_and_scale = s.unscaled != 0 ? nullptr : input<float>(operands, 1),
                    .step = input<float>(operands, 2),
                    .m = output<float>(operands, 3),
                    .v = output<float>(operands, 4),
                    .weight = output<float>(operands, shape.dtype == DType::f32 ? 6 : 5)};
  return with_type(shape.dtype, [&]<class T>(T) -> Enqueue {
    T* param = output<T>(operands, 6);
    const bool packs = aligned(state.grad, state.m, state.v, state.weight, param);
    return with_width<float>(packs, [&](auto width) -> Enqueue {
      const unsigned blocks = blocks_for((s.elements + width - 1) / width, kAdamWThreads,
                                         context.sm_count(), kAdamWBlocksPerSm);
      return [=, n = s.elements](cudaStream_t stream) {
        launch(&adamw_kernel<T, width>, {.blocks = blocks, .threads = kAdamWThreads}, stream,
               constants, state, param, n);
      };
    });
  });
}

}  // namespace stepmark::cuda
