// SPDX-License-Identifier: Apache-2.0
// Facts of attention and rotary embedding. FLOPs are those of the causal half, diagonal included;
// the backward pass has five products, one of them the recomputed scores.
#include "kernels/ops/attention.h"

#include "kernels/ops/attention_reference.h"
#include "kernels/ops/bench_sizes.h"
#include "kernels/ops/registry.h"

namespace stepmark {
namespace {

template <class S>
void validate_heads(std::string_view op, const S& s) {
  require_at_least(op, "kv_heads", s.kv_heads, 1);
  require_at_least(op, "heads", s.heads, 1);
  STEPMARK_REQUIRE(s.heads % s.kv_heads == 0, "op {}: heads={} is not a multiple of kv_heads={}",
                   op, s.heads, s.kv_heads);
  require_at_least(op, "head_dim", s.head_dim, 1);
  constexpr std::int64_t kLimit = std::int64_t{1} << 31;
  STEPMARK_REQUIRE(s.batch * s.seq < kLimit, "op {}: batch={} times seq={} is too large", op,
                   s.batch, s.seq);
  STEPMARK_REQUIRE(s.heads < kLimit / 4 / s.head_dim,
                   "op {}: heads={} times head_dim={} is too large", op, s.heads, s.head_dim);
}

template <class S>
std::int64_t qkv_elements(const OpShape& shape) {
  const auto s = unpack<S>(shape);
  return s.batch * s.seq * (s.heads + 2 * s.kv_heads) * s.head_dim;
}
template <class S>
std::int64_t out_elements(const OpShape& shape) {
  const auto s = unpack<S>(shape);
  return s.batch * s.seq * s.heads * s.head_dim;
}
template <class S>
std::int64_t lse_elements(const OpShape& shape) {
  const auto s = unpack<S>(shape);
  return s.batch * s.heads * s.seq;
}

// One multiply-add per visible (query, key) pair and head element: the causal half, diagonal in.
template <class S>
double causal_product_flops(const OpShape& shape) {
  const auto s = unpack<S>(shape);
  const double seq = static_cast<double>(s.seq);
  return 2.0 * static_cast<double>(s.batch * s.heads * s.head_dim) * seq * (seq + 1.0) / 2.0;
}

constexpr double kPrepareFlops = 1e10;

template <class S>
double attention_tolerance(const OpShape& shape) {
  const auto s = unpack<S>(shape);
  return rounding_tolerance(shape.dtype, 0) + sum_tolerance(DType::f32, s.seq + s.head_dim);
}

template <class S>
std::vector<OpShape> attention_test_shapes(DType dtype) {
  return pack_all<S>(
      dtype, {{.batch = 1, .seq = 1, .heads = 1, .kv_heads = 1, .head_dim = 1},
              {.batch = 2, .seq = 19, .heads = 3, .kv_heads = 3, .head_dim = 8},
              {.batch = 1, .seq = 33, .heads = 6, .kv_heads = 2, .head_dim = 5},
              // More than one block of queries; the head sizes that accelerators have kernels for.
              {.batch = 1, .seq = 150, .heads = 2, .kv_heads = 1, .head_dim = 16},
              {.batch = 2, .seq = 65, .heads = 2, .kv_heads = 2, .head_dim = 64},
              {.batch = 1, .seq = 131, .heads = 4, .kv_heads = 2, .head_dim = 128},
              {.batch = 1, .seq = 256, .heads = 2, .kv_heads = 1, .head_dim = 128}});
}
template <class S>
S llama(std::int64_t batch, std::int64_t seq) {
  return {.batch = batch,
          .seq = seq,
          .heads = bench::kHeads,
          .kv_heads = bench::kKvHeads,
          .head_dim = bench::kHeadDim};
}
template <class S>
std::vector<OpShape> attention_bench_shapes(DType dtype) {
  return pack_all<S>(dtype, {{.batch = 4, .seq = 64, .heads = 12, .kv_heads = 12, .head_dim = 64},
                             {.batch = 1, .seq = 1024, .heads = 12, .kv_heads = 12, .head_dim = 64},
                             {.batch = 1, .seq = 2048, .heads = 8, .kv_heads = 2, .head_dim = 128},
                             llama<S>(2, 4096),
                             llama<S>(1, 8192),
                             llama<S>(2, 8192)});
}

}  // namespace

const OpInfo& op_info_attention_fwd() {
  using S = AttentionFwdShape;
  static const OpInfo info = described<S>(
      {.formula = "out = softmax(mask(Q K^T / sqrt(head_dim))) V per head, mask: key <= query",
       .source = "Vaswani et al., arXiv 1706.03762, section 3.2; grouped heads: arXiv 2305.13245",
       .operands = {reads("qkv", qkv_elements<S>), writes("out", out_elements<S>),
                    writes("lse", lse_elements<S>, DTypeRule::f32)},
       .flops = [](const OpShape& s) { return 2.0 * causal_product_flops<S>(s); },
       .tolerance = attention_tolerance<S>,
       .reference = on_operands<S>([](const S& s, Operands x) { attention_fwd_reference(s, x); }),
       .test_shapes = attention_test_shapes<S>,
       .bench_shapes = attention_bench_shapes<S>,
       .validate = on<S>([](const S& s) { validate_heads("attention_fwd", s); }),
       .unit = MathUnit::matrix});
  return info;
}

const OpInfo& op_info_attention_bwd() {
  using S = AttentionBwdShape;
  static const OpInfo info = described<S>(
      {.formula = "dV = P^T dO, dS = P (dO V^T - rowsum(dO O)) / sqrt(head_dim), dQ = dS K, "
                  "dK = dS^T Q, P = exp(S - lse)",
       .source = "Dao, arXiv 2307.08691, algorithm 2",
       .operands = {reads("dout", out_elements<S>), reads("qkv", qkv_elements<S>),
                    reads("out", out_elements<S>), reads("lse", lse_elements<S>, DTypeRule::f32),
                    writes("dqkv", qkv_elements<S>)},
       // Five products, one of them the recomputed scores.
       .flops = [](const OpShape& s) { return 5.0 * causal_product_flops<S>(s); },
       .tolerance = attention_tolerance<S>,
       .reference = on_operands<S>([](const S& s, Operands x) { attention_bwd_reference(s, x); }),
       .test_shapes = attention_test_shapes<S>,
       .bench_shapes = attention_bench_shapes<S>,
       .validate = on<S>([](const S& s) { validate_heads("attention_bwd", s); }),
       // out and lse are what the forward pass leaves behind. Past what a naive loop does in
       // seconds (shapes only timed) lse is what it is for scores from a standard normal
       // distribution, the logarithm of the visible keys plus half the variance, and out stays
       // normal.
       .prepare = on_operands<S>([](const S& s, Operands x) {
         if (causal_product_flops<S>(pack(s, DType::f32)) > kPrepareFlops) {
           for (std::size_t i = 0; i < x[3].size(); ++i) {
             const auto visible = static_cast<std::int64_t>(i) % s.seq + 1;
             x[3][i] = std::log(static_cast<double>(visible)) + 0.5;
           }
           return;
         }
         const std::span<double> forward[] = {x[1], x[2], x[3]};
         attention_fwd_reference({.batch = s.batch,
                                  .seq = s.seq,
                                  .heads = s.heads,
                                  .kv_heads = s.kv_heads,
                                  .head_dim = s.head_dim},
                                 forward);
       }),
       .unit = MathUnit::matrix});
  return info;
}

const OpInfo& op_info_rope() {
  using S = RopeShape;
  static const OpInfo info = described<S>(
      {.formula = "(x[i], x[i+h/2]) rotated by position * theta^(-2i/h), h = head_dim",
       .source = "Su et al., arXiv 2104.09864, section 3.2.2",
       .operands = {updates("qkv", qkv_elements<S>)},
       .flops = on<S>([](const S& s) {  // 6 per rotated pair
         return 3.0 * static_cast<double>(s.batch * s.seq * (s.heads + s.kv_heads) * s.head_dim);
       }),
       .tolerance = [](const OpShape& s) { return rounding_tolerance(s.dtype, 16); },
       .reference = on_operands<S>([](const S& s, Operands x) {
         rope_reference(s, x, [](std::int64_t token) { return token; });
       }),
       .test_shapes = shapes<S>(
           {{.batch = 1, .seq = 1, .heads = 1, .kv_heads = 1, .head_dim = 2},
            {.batch = 2, .seq = 19, .heads = 6, .kv_heads = 2, .head_dim = 10},
            {.batch = 1, .seq = 70, .heads = 2, .kv_heads = 2, .head_dim = 32, .inverse = 1},
            {.batch = 1, .seq = 9000, .heads = 1, .kv_heads = 1, .head_dim = 8, .theta = 5e5}}),
       .bench_shapes =
           shapes<S>({{.batch = 1, .seq = 2048, .heads = 32, .kv_heads = 8, .head_dim = 128},
                      llama<S>(1, bench::kTokens),
                      llama<S>(2, bench::kTokens)}),
       .validate = on<S>([](const S& s) {
         validate_heads("rope", s);
         require_flag("rope", "inverse", s.inverse);
         STEPMARK_REQUIRE(s.head_dim % 2 == 0, "op rope: head_dim={} must be even", s.head_dim);
         STEPMARK_REQUIRE(s.theta > 0, "op rope: theta={} must be positive", s.theta);
       }),
       // Value heads pass through untouched.
       .bytes =
           [](const OpShape& shape) {
             const auto s = unpack<S>(shape);
             return 2.0 *
                    static_cast<double>(s.batch * s.seq * (s.heads + s.kv_heads) * s.head_dim) *
                    static_cast<double>(size_of(shape.dtype));
           }});
  return info;
}

}  // namespace stepmark
