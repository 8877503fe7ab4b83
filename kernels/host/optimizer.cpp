// SPDX-License-Identifier: Apache-2.0
// AdamW is one pass over its seven streams (grad, and m, v, weight read and written): it runs at
// the memory's rate.
#include "kernels/ops/optimizer.h"

#include <cmath>
#include <numeric>
#include <vector>

#include "kernels/host/number.h"
#include "kernels/host/reduce.h"
#include "kernels/host/table.h"

namespace stepmark {
namespace {

using host::store;

constexpr std::int64_t kSumElements = 1 << 12;  // per fp32 partial sum of sum_squares
constexpr std::int64_t kSumsPerPart = 16;       // per task, in double
constexpr float kClipEpsilon = 1e-6F;

struct AdamWFactors {
  float clip, beta1, one_minus_beta1, beta2, one_minus_beta2, keep, rate, root_correction, eps;
};

// Differences and powers in double: 1 - beta2 of 0.999 loses four digits in fp32.
AdamWFactors factors_of(const AdamWShape& s, float clip, float step) {
  const double correction1 = 1.0 - std::pow(s.beta1, static_cast<double>(step));
  const double correction2 = 1.0 - std::pow(s.beta2, static_cast<double>(step));
  return {.clip = clip,
          .beta1 = static_cast<float>(s.beta1),
          .one_minus_beta1 = static_cast<float>(1.0 - s.beta1),
          .beta2 = static_cast<float>(s.beta2),
          .one_minus_beta2 = static_cast<float>(1.0 - s.beta2),
          .keep = static_cast<float>(1.0 - s.lr * s.weight_decay),
          .rate = static_cast<float>(s.lr / correction1),
          .root_correction = static_cast<float>(1.0 / std::sqrt(correction2)),
          .eps = static_cast<float>(s.eps)};
}

// weight and param are the same array in an fp32 update.
template <class T>
void adamw(const AdamWFactors& f, const float* grad, float* m, float* v, float* weight, T* param,
           std::int64_t begin, std::int64_t end) {
#pragma omp simd
  for (std::int64_t i = begin; i < end; ++i) {
    const float g = f.clip * grad[i];
    const float mi = f.beta1 * m[i] + f.one_minus_beta1 * g;
    const float vi = f.beta2 * v[i] + f.one_minus_beta2 * g * g;
    const float w = f.keep * weight[i] - f.rate * mi / (std::sqrt(vi) * f.root_correction + f.eps);
    m[i] = mi;
    v[i] = vi;
    weight[i] = w;
    store(param[i], w);
  }
}

}  // namespace

void host_sum_squares(const OpShape& shape, void* const* operands) {
  const auto s = unpack<SumSquaresShape>(shape);
  const float* grad = host::input<float>(operands, 0);
  float* out = host::output<float>(operands, 1);
  constexpr std::int64_t kPart = kSumElements * kSumsPerPart;
  const std::int64_t parts = (s.elements + kPart - 1) / kPart;
  std::vector<double> sums(static_cast<std::size_t>(parts));
  host::parallel_each(parts, kPart, [&s, &sums, grad](std::int64_t part) {
    const std::int64_t end = std::min(s.elements, (part + 1) * kPart);
    for (std::int64_t begin = part * kPart; begin < end; begin += kSumElements) {
      sums[part] += host::sum_in_lanes(begin, std::min(end, begin + kSumElements),
                                       [grad](std::int64_t i) { return grad[i] * grad[i]; });
    }
  });
  const double total = s.weight * std::accumulate(sums.begin(), sums.end(), 0.0);
  *out = static_cast<float>(s.accumulate != 0 ? *out + total : total);
}

void host_clip_scale(const OpShape& shape, void* const* operands) {
  const auto max_norm = static_cast<float>(unpack<ClipScaleShape>(shape).max_norm);
  const float norm = std::sqrt(*host::input<float>(operands, 0));
  float* out = host::output<float>(operands, 1);
  out[0] = norm;
  const float scale = max_norm / (norm + kClipEpsilon);
  out[1] = max_norm > 0 && !(scale >= 1.0F) ? scale : 1.0F;  // a NaN norm gives a NaN scale
}

void host_step_count(const OpShape&, void* const* operands) {
  *host::output<float>(operands, 0) += 1.0F;
}

void host_adamw(const OpShape& shape, void* const* operands) {
  const auto s = unpack<AdamWShape>(shape);
  const float* grad = host::input<float>(operands, 0);
  const float clip = s.unscaled != 0 ? 1.0F : host::input<float>(operands, 1)[1];
  const AdamWFactors factors = factors_of(s, clip, *host::input<float>(operands, 2));
  float *m = host::output<float>(operands, 3), *v = host::output<float>(operands, 4);
  host::with_type(shape.dtype, [&]<class T>(T) {
    T* param = host::output<T>(operands, 6);
    float* weight = host::output<float>(operands, shape.dtype == DType::f32 ? 6 : 5);
    host::parallel_elements(s.elements, [&](std::int64_t begin, std::int64_t end) {
      adamw(factors, grad, m, v, weight, param, begin, end);
    });
  });
}

}  // namespace stepmark
