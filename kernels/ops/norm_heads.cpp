// SPDX-License-Identifier: Apache-2.0
// The norm of query and key heads: each head is a row of RMSNorm, whose references are asked, with
// one weight for all query heads and one for all key heads.
#include <algorithm>

#include "kernels/ops/bench_sizes.h"
#include "kernels/ops/matrix_operands.h"
#include "kernels/ops/norm.h"
#include "kernels/ops/registry.h"

namespace stepmark {
namespace {

template <class S>
std::int64_t packed(const OpShape& shape) {
  const auto s = unpack<S>(shape);
  return s.tokens * (s.heads + 2 * s.kv_heads) * s.head_dim;
}
template <class S>
std::int64_t normed(const OpShape& shape) {
  const auto s = unpack<S>(shape);
  return s.tokens * (s.heads + s.kv_heads) * s.head_dim;
}
template <class S>
std::int64_t norms(const OpShape& shape) {
  const auto s = unpack<S>(shape);
  return s.tokens * (s.heads + s.kv_heads);
}
template <class S>
constexpr auto weight = of_dims<&S::head_dim>;

// Calls f(row of the packed projections, row of the heads alone, whether it is a key head).
template <class S, class F>
void for_each_head(const S& s, F f) {
  const std::int64_t all_heads = s.heads + 2 * s.kv_heads, some = s.heads + s.kv_heads;
  for (std::int64_t t = 0; t < s.tokens; ++t) {
    for (std::int64_t h = 0; h < some; ++h) f(t * all_heads + h, t * some + h, h >= s.heads);
  }
}

void head_norm_fwd_reference(const HeadNormFwdShape& s, Operands x) {
  const RmsNormFwdShape row{.rows = 1, .cols = s.head_dim, .eps = s.eps};
  for_each_head(s, [&](std::int64_t at, std::int64_t i, bool key) {
    const auto head = x[0].subspan(at * s.head_dim, s.head_dim);
    const auto raw = x[3].subspan(i * s.head_dim, s.head_dim);
    std::copy(head.begin(), head.end(), raw.begin());
    const std::span<double> operands[] = {raw, x[key ? 2 : 1], head, x[4].subspan(i, 1)};
    info_of(OpId::rmsnorm_fwd).reference(pack(row, DType::f32), Operands(operands));
  });
}

void head_norm_bwd_reference(const HeadNormBwdShape& s, Operands x) {
  const RmsNormBwdShape row{.rows = 1, .cols = s.head_dim, .add_dx = 0, .accumulate = 1};
  if (s.accumulate == 0) {
    std::ranges::fill(x[5], 0.0);
    std::ranges::fill(x[6], 0.0);
  }
  for_each_head(s, [&](std::int64_t at, std::int64_t i, bool key) {
    const auto gradient = x[0].subspan(at * s.head_dim, s.head_dim);
    std::vector<double> dy(gradient.begin(), gradient.end());
    const std::span<double> operands[] = {dy,
                                          x[1].subspan(i * s.head_dim, s.head_dim),
                                          x[key ? 3 : 2],
                                          x[4].subspan(i, 1),
                                          gradient,
                                          x[key ? 6 : 5]};
    info_of(OpId::rmsnorm_bwd).reference(pack(row, DType::f32), Operands(operands));
  });
}

template <class S>
void validate_heads_of(std::string_view op, const S& s) {
  require_at_least(op, "head_dim", s.head_dim, 1);
}
template <class S>
double tolerance(const OpShape& shape) {
  const auto s = unpack<S>(shape);
  return sum_tolerance(shape.dtype, std::max(s.tokens * s.heads, s.head_dim));
}
template <class S>
auto bench_shapes() {
  return shapes<S>({{.tokens = 1024, .heads = 12, .kv_heads = 12, .head_dim = 64},
                    {.tokens = bench::kTokens,
                     .heads = bench::kHeads,
                     .kv_heads = bench::kKvHeads,
                     .head_dim = bench::kHeadDim}});
}

}  // namespace

const OpInfo& op_info_head_norm_fwd() {
  using S = HeadNormFwdShape;
  static const OpInfo info = described<S>(
      {.formula = "each query and key head: raw = x, x = x rstd gamma, rstd = 1/sqrt(mean(x^2) + "
                  "eps)",
       .source = "Henry et al., arXiv 2010.04245, with RMSNorm as Qwen3, arXiv 2505.09388",
       .operands = {updates("qkv", packed<S>), reads("q_gamma", weight<S>),
                    reads("k_gamma", weight<S>), writes("raw", normed<S>),
                    writes("rstd", norms<S>, DTypeRule::f32)},
       .flops = [](const OpShape& s) { return 4.0 * static_cast<double>(normed<S>(s)); },
       .tolerance = tolerance<S>,
       .reference = on_operands<S>([](const S& s, Operands x) { head_norm_fwd_reference(s, x); }),
       .test_shapes = shapes<S>({{.tokens = 1, .heads = 1, .kv_heads = 1, .head_dim = 1},
                                 {.tokens = 7, .heads = 6, .kv_heads = 2, .head_dim = 10},
                                 {.tokens = 67, .heads = 4, .kv_heads = 4, .head_dim = 128}}),
       .bench_shapes = bench_shapes<S>(),
       .validate = on<S>([](const S& s) {
         validate_heads_of("head_norm_fwd", s);
         STEPMARK_REQUIRE(s.eps >= 0, "op head_norm_fwd: eps={} must not be negative", s.eps);
       }),
       // Value heads stay where they are.
       .bytes =
           [](const OpShape& shape) {
             return 3.0 * static_cast<double>(normed<S>(shape)) *
                        static_cast<double>(size_of(shape.dtype)) +
                    4.0 * static_cast<double>(norms<S>(shape));
           }});
  return info;
}

const OpInfo& op_info_head_norm_bwd() {
  using S = HeadNormBwdShape;
  static const OpInfo info = described<S>(
      {.formula = "each query and key head: dx = rstd (g dy - xhat mean(g dy xhat)), dgamma [+]= "
                  "sum_heads dy xhat",
       .source = "derivative of head_norm_fwd",
       .operands = {updates("dqkv", packed<S>), reads("raw", normed<S>),
                    reads("q_gamma", weight<S>), reads("k_gamma", weight<S>),
                    reads("rstd", norms<S>, DTypeRule::f32),
                    accumulates("dq_gamma", weight<S>, DTypeRule::f32),
                    accumulates("dk_gamma", weight<S>, DTypeRule::f32)},
       .flops = [](const OpShape& s) { return 12.0 * static_cast<double>(normed<S>(s)); },
       .tolerance = tolerance<S>,
       .reference = on_operands<S>([](const S& s, Operands x) { head_norm_bwd_reference(s, x); }),
       .test_shapes =
           shapes<S>({{.tokens = 1, .heads = 1, .kv_heads = 1, .head_dim = 3},
                      {.tokens = 9, .heads = 6, .kv_heads = 2, .head_dim = 10, .accumulate = 1},
                      {.tokens = 67, .heads = 4, .kv_heads = 4, .head_dim = 128}}),
       .bench_shapes = bench_shapes<S>(),
       .validate = on<S>([](const S& s) {
         validate_heads_of("head_norm_bwd", s);
         require_flag("head_norm_bwd", "accumulate", s.accumulate);
       }),
       .prepare = on_operands<S>([](const S& s, Operands x) {  // the statistics of raw
         const RmsNormFwdShape forward{.rows = s.tokens * (s.heads + s.kv_heads),
                                       .cols = s.head_dim};
         std::vector<double> gamma(s.head_dim), y(x[1].size());
         const std::span<double> operands[] = {x[1], gamma, y, x[4]};
         info_of(OpId::rmsnorm_fwd).reference(pack(forward, DType::f32), Operands(operands));
       }),
       .bytes =
           [](const OpShape& shape) {
             return 3.0 * static_cast<double>(normed<S>(shape)) *
                        static_cast<double>(size_of(shape.dtype)) +
                    4.0 * static_cast<double>(norms<S>(shape));
           }});
  return info;
}

}  // namespace stepmark
