// SPDX-License-Identifier: Apache-2.0
// Facts and double references of gradient norm, clipping and AdamW; decay times learning rate and
// the epsilon of clipping are PyTorch's. The second moment is prepared as a square, the step as a
// count.
#include "kernels/ops/optimizer.h"

#include <algorithm>

#include "kernels/ops/bench_sizes.h"
#include "kernels/ops/matrix_operands.h"
#include "kernels/ops/registry.h"

namespace stepmark {
namespace {

constexpr double kClipEpsilon = 1e-6;  // as torch.nn.utils.clip_grad_norm_

void clip_scale_reference(const ClipScaleShape& s, Operands x) {
  const double norm = std::sqrt(x[0][0]);
  x[1][0] = norm;
  x[1][1] = s.max_norm > 0 ? std::min(1.0, s.max_norm / (norm + kClipEpsilon)) : 1.0;
}

void adamw_reference(const AdamWShape& s, Operands x) {
  const auto grad = x[0], m = x[3], v = x[4], master = x[5], param = x[6];
  const double clip = s.unscaled != 0 ? 1.0 : x[1][1], step = x[2][0];
  const double correction1 = 1.0 - std::pow(s.beta1, step);
  const double correction2 = 1.0 - std::pow(s.beta2, step);
  for (std::int64_t i = 0; i < s.elements; ++i) {
    double& weight = master.empty() ? param[i] : master[i];
    const double g = clip * grad[i];
    m[i] = s.beta1 * m[i] + (1.0 - s.beta1) * g;
    v[i] = s.beta2 * v[i] + (1.0 - s.beta2) * g * g;
    weight -= s.lr * s.weight_decay * weight;
    weight -= s.lr * (m[i] / correction1) / (std::sqrt(v[i] / correction2) + s.eps);
    param[i] = weight;
  }
}

std::int64_t norm_and_scale_elements(const OpShape& shape) {
  return unpack<AdamWShape>(shape).unscaled != 0 ? 0 : 2;
}
std::int64_t master_elements(const OpShape& shape) {
  return shape.dtype == DType::f32 ? 0 : unpack<AdamWShape>(shape).elements;
}

template <class S>
std::vector<OpShape> one_shape(DType dtype) {
  return pack_all<S>(dtype, {S{}});
}

void validate_adamw(const AdamWShape& s) {
  for (const auto& [name, beta] : {std::pair{"beta1", s.beta1}, std::pair{"beta2", s.beta2}}) {
    STEPMARK_REQUIRE(beta >= 0 && beta < 1, "op adamw: {}={} must be in [0, 1)", name, beta);
  }
  require_flag("adamw", "unscaled", s.unscaled);
  STEPMARK_REQUIRE(s.eps >= 0, "op adamw: eps={} must not be negative", s.eps);
}

}  // namespace

const OpInfo& op_info_sum_squares() {
  using S = SumSquaresShape;
  static const OpInfo info = described<S>(
      {.formula = "out [+]= weight sum_i grad[i]^2",
       .source = "Pascanu et al., arXiv 1211.5063, algorithm 1 (norm of the gradient)",
       .operands = {reads("grad", flat<S>, DTypeRule::f32),
                    accumulates("out", one, DTypeRule::f32)},
       .flops = [](const OpShape& s) { return 2.0 * static_cast<double>(flat<S>(s)); },
       .tolerance = [](const OpShape&) { return rounding_tolerance(DType::f32, 16); },
       .reference = on_operands<S>([](const S& s, Operands x) {
         double sum = 0;
         for (const double g : x[0]) sum += g * g;
         x[1][0] = (s.accumulate != 0 ? x[1][0] : 0.0) + s.weight * sum;
       }),
       .test_shapes = shapes<S>({{.elements = 1},
                                 {.elements = 67, .accumulate = 1, .weight = 0.25},
                                 {.elements = 200011}}),
       .bench_shapes = shapes<S>({{.elements = 1 << 24}, {.elements = bench::kLayerParams}}),
       .validate =
           on<S>([](const S& s) { require_flag("sum_squares", "accumulate", s.accumulate); }),
       .prepare = on_operands<S>([](const S&, Operands x) { x[1][0] = std::abs(x[1][0]); })});
  return info;
}

const OpInfo& op_info_clip_scale() {
  using S = ClipScaleShape;
  static const OpInfo info = described<S>(
      {.formula = "norm = sqrt(sum), scale = min(1, max_norm / (norm + 1e-6)); 1 if max_norm <= 0",
       .source = "Pascanu et al., arXiv 1211.5063, algorithm 1; epsilon as PyTorch",
       .operands = {reads("sum", one, DTypeRule::f32),
                    writes("norm_and_scale", two, DTypeRule::f32)},
       .flops = [](const OpShape&) { return 4.0; },
       .tolerance = [](const OpShape&) { return rounding_tolerance(DType::f32, 4); },
       .reference = on_operands<S>([](const S& s, Operands x) { clip_scale_reference(s, x); }),
       .test_shapes = shapes<S>({S{.max_norm = 0.01}, S{.max_norm = 1e3}, S{.max_norm = 0.0}}),
       .bench_shapes = one_shape<S>,
       .prepare = on_operands<S>([](const S&, Operands x) { x[0][0] = std::abs(x[0][0]); })});
  return info;
}

const OpInfo& op_info_step_count() {
  using S = StepCountShape;
  static const OpInfo info =
      described<S>({.formula = "step += 1",
                    .source = "number of the update in AdamW's bias correction",
                    .operands = {updates("step", one, DTypeRule::f32)},
                    .flops = [](const OpShape&) { return 1.0; },
                    .tolerance = exact,
                    .reference = on_operands<S>([](const S&, Operands x) { x[0][0] += 1.0; }),
                    .test_shapes = one_shape<S>,
                    .bench_shapes = one_shape<S>,
                    .prepare = on_operands<S>(
                        [](const S&, Operands x) { x[0][0] = index_from_normal(x[0][0], 1000); })});
  return info;
}

const OpInfo& op_info_adamw() {
  using S = AdamWShape;
  static const OpInfo info = described<S>(
      {.formula = "g = scale grad (unscaled: grad), m = b1 m + (1-b1) g, v = b2 v + (1-b2) g^2, w "
                  "-= lr wd "
                  "w, "
                  "w -= lr (m / (1-b1^t)) / (sqrt(v / (1-b2^t)) + eps)",
       .source = "Loshchilov & Hutter, arXiv 1711.05101, algorithm 2 (decay times lr, as PyTorch)",
       .operands = {reads("grad", flat<S>, DTypeRule::f32),
                    reads("norm_and_scale", norm_and_scale_elements, DTypeRule::f32),
                    reads("step", one, DTypeRule::f32), updates("m", flat<S>, DTypeRule::f32),
                    updates("v", flat<S>, DTypeRule::f32),
                    updates("master", master_elements, DTypeRule::f32), updates("param", flat<S>)},
       .flops = [](const OpShape& s) { return 16.0 * static_cast<double>(flat<S>(s)); },
       .tolerance = [](const OpShape& s) { return rounding_tolerance(s.dtype, 16); },
       .reference = on_operands<S>([](const S& s, Operands x) { adamw_reference(s, x); }),
       .test_shapes = shapes<S>({{.elements = 1},
                                 {.elements = 67, .lr = 0.1, .weight_decay = 0.1},
                                 {.elements = 131, .unscaled = 1, .lr = 0.1, .weight_decay = 0.1},
                                 {.elements = 20011}}),
       .bench_shapes = shapes<S>({{.elements = 1 << 24}, {.elements = bench::kLayerParams}}),
       .validate = on<S>([](const S& s) { validate_adamw(s); }),
       .prepare = on_operands<S>([](const S& s, Operands x) {
         if (s.unscaled == 0) {
           x[1][0] = std::abs(x[1][0]);
           x[1][1] = std::exp(-std::abs(x[1][1]));
         }
         x[2][0] = 1.0 + index_from_normal(x[2][0], 1000);
         for (double& v : x[4]) v = v * v;
       }),
       // The parameter of a bf16 update is written only; its master is read.
       .bytes =
           [](const OpShape& shape) {
             const double param_bytes = shape.dtype == DType::f32 ? 8.0 : 8.0 + 2.0;
             return static_cast<double>(flat<S>(shape)) * (4.0 + 8.0 + 8.0 + param_bytes);
           }});
  return info;
}

}  // namespace stepmark
