// SPDX-License-Identifier: Apache-2.0
// Facts of attention over chunks and of what goes with it. FLOPs are those of visible pairs, as in
// kernels/ops/attention.cpp.
#include "kernels/ops/context.h"

#include "kernels/ops/attention_reference.h"
#include "kernels/ops/bench_sizes.h"
#include "kernels/ops/context_reference.h"
#include "kernels/ops/matrix_operands.h"
#include "kernels/ops/registry.h"

namespace stepmark {
namespace {

constexpr std::int64_t kLimit = std::int64_t{1} << 31;

void validate_heads(std::string_view op, std::int64_t heads, std::int64_t kv_heads,
                    std::int64_t head_dim) {
  require_at_least(op, "kv_heads", kv_heads, 1);
  require_at_least(op, "heads", heads, 1);
  STEPMARK_REQUIRE(heads % kv_heads == 0, "op {}: heads={} is not a multiple of kv_heads={}", op,
                   heads, kv_heads);
  require_at_least(op, "head_dim", head_dim, 1);
  STEPMARK_REQUIRE(heads < kLimit / 4 / head_dim, "op {}: heads={} times head_dim={} is too large",
                   op, heads, head_dim);
}

template <class S>
void validate_pair(std::string_view op, const S& s) {
  require_at_least(op, "ways", s.ways, 1);
  STEPMARK_REQUIRE(s.pair < s.ways, "op {}: pair={} must be below ways={}", op, s.pair, s.ways);
  STEPMARK_REQUIRE(s.chunk < kLimit / 2 / s.ways && s.batch * 2 * s.chunk < kLimit / s.ways,
                   "op {}: batch={} times chunk={} times ways={} is too large", op, s.batch,
                   s.chunk, s.ways);
}

template <class S>
void validate_chunks(std::string_view op, const S& s) {
  validate_heads(op, s.heads, s.kv_heads, s.head_dim);
  validate_pair(op, s);
  require_at_least(op, "key_pairs", s.key_pairs, 1);
  STEPMARK_REQUIRE(s.key_pair + s.key_pairs <= s.ways,
                   "op {}: pairs {} to {} of keys, of which there are ways={}", op, s.key_pair,
                   s.key_pair + s.key_pairs - 1, s.ways);
  require_flag(op, "accumulate", s.accumulate);
}

template <class S>
std::int64_t qkv_elements(const OpShape& shape) {
  const auto s = unpack<S>(shape);
  return s.batch * 2 * s.chunk * (s.heads + 2 * s.kv_heads) * s.head_dim;
}
template <class S>
std::int64_t kv_elements(const OpShape& shape) {
  const auto s = unpack<S>(shape);
  return s.key_pairs * s.batch * 2 * s.chunk * 2 * s.kv_heads * s.head_dim;
}
template <class S>
std::int64_t out_elements(const OpShape& shape) {
  const auto s = unpack<S>(shape);
  return s.batch * 2 * s.chunk * s.heads * s.head_dim;
}
template <class S>
std::int64_t lse_elements(const OpShape& shape) {
  const auto s = unpack<S>(shape);
  return s.batch * s.heads * 2 * s.chunk;
}

// One multiply-add per visible (query, key) pair and head element.
template <class S>
double visible_product_flops(const OpShape& shape) {
  const auto s = unpack<S>(shape);
  std::int64_t pairs = 0;
  for (const std::int64_t half : {0, 1}) {
    const std::int64_t queries = chunk_of(s.ways, s.pair, half);
    for (std::int64_t k = 0; k < 2 * s.key_pairs; ++k) {
      const std::int64_t keys = chunk_of(s.ways, s.key_pair + k / 2, k % 2);
      if (keys < queries) pairs += s.chunk * s.chunk;
      if (keys == queries) pairs += s.chunk * (s.chunk + 1) / 2;
    }
  }
  return 2.0 * static_cast<double>(s.batch * s.heads * s.head_dim) * static_cast<double>(pairs);
}

template <class S>
double chunks_tolerance(const OpShape& shape) {
  const auto s = unpack<S>(shape);
  return rounding_tolerance(shape.dtype, 0) +
         sum_tolerance(DType::f32, 2 * s.chunk * (s.key_pairs + 1) + s.head_dim);
}

// All keys, one pair of them below, at and above the queries' own, odd sizes, several blocks of
// queries and keys; then heads that tensor cores take, with chunks that end within a tile.
template <class S>
std::vector<S> chunk_shapes() {
  const auto shape = [](std::int64_t batch, std::int64_t chunk, std::int64_t ways,
                        std::int64_t pair, std::int64_t key_pair, std::int64_t key_pairs) {
    return S{.batch = batch,
             .chunk = chunk,
             .ways = ways,
             .pair = pair,
             .key_pair = key_pair,
             .key_pairs = key_pairs};
  };
  std::vector<S> all{shape(1, 1, 1, 0, 0, 1),  shape(2, 7, 2, 1, 0, 2), shape(1, 33, 4, 2, 2, 1),
                     shape(2, 5, 4, 2, 0, 1),  shape(1, 9, 4, 1, 3, 1), shape(1, 70, 2, 0, 0, 2),
                     shape(1, 65, 3, 1, 2, 1), shape(2, 19, 3, 2, 0, 3)};
  const std::array<std::array<std::int64_t, 3>, 4> heads{
      {{1, 1, 1}, {6, 2, 5}, {3, 3, 8}, {2, 1, 64}}};
  for (std::size_t i = 0; i < all.size(); ++i) {
    const auto& [q, kv, dim] = heads[i % heads.size()];
    all[i].heads = q;
    all[i].kv_heads = kv;
    all[i].head_dim = dim;
    // Where some queries see no key there is something before.
    all[i].accumulate = i == 3 || i == 4 || i == 6 ? 1 : 0;
  }
  const auto add = [&](S s, const std::array<std::int64_t, 3>& of_heads, std::int64_t accumulate) {
    s.heads = of_heads[0];
    s.kv_heads = of_heads[1];
    s.head_dim = of_heads[2];
    s.accumulate = accumulate;
    all.push_back(s);
  };
  add(shape(1, 70, 2, 1, 0, 2), {2, 1, 64}, 0);
  add(shape(1, 130, 2, 1, 1, 1), {1, 1, 64}, 0);
  add(shape(1, 66, 3, 1, 2, 1), {1, 1, 128}, 1);
  add(shape(2, 35, 2, 1, 0, 2), {2, 2, 128}, 1);
  return all;
}

template <class S>
S llama(std::int64_t ways, std::int64_t key_pairs) {
  return {.batch = 1,
          .chunk = bench::kTokens / (2 * ways),
          .ways = ways,
          .key_pairs = key_pairs,
          .heads = bench::kHeads,
          .kv_heads = bench::kKvHeads,
          .head_dim = bench::kHeadDim};
}
template <class S>
S small_bench(std::int64_t key_pairs) {
  return {.batch = 1,
          .chunk = 128,
          .ways = 2,
          .key_pairs = key_pairs,
          .heads = 8,
          .kv_heads = 2,
          .head_dim = 64};
}
template <class S>
std::vector<OpShape> chunks_bench_shapes(DType dtype) {
  return pack_all<S>(dtype, {small_bench<S>(2), small_bench<S>(1), llama<S>(2, 2), llama<S>(4, 1)});
}

// A copy moves each element of the result once.
template <class S>
std::int64_t heads_elements(const OpShape& shape) {
  const auto s = unpack<S>(shape);
  return s.tokens * (s.heads + 2 * s.kv_heads) * s.head_dim;
}
template <class S>
constexpr auto kv_of_tokens = on<S>([](const S& s) {
  return s.tokens * 2 * s.kv_heads * s.head_dim;
});

void kv_split_reference(const KvSplitShape& s, Operands x) {
  const std::int64_t width = 2 * s.kv_heads * s.head_dim, before = s.heads * s.head_dim;
  for (std::int64_t t = 0; t < s.tokens; ++t) {
    for (std::int64_t i = 0; i < width; ++i) {
      x[1][t * width + i] = x[0][t * (before + width) + before + i];
    }
  }
}

void qkv_join_reference(const QkvJoinShape& s, Operands x) {
  const std::int64_t width = 2 * s.kv_heads * s.head_dim, before = s.heads * s.head_dim;
  for (std::int64_t t = 0; t < s.tokens; ++t) {
    for (std::int64_t i = 0; i < before + width; ++i) {
      x[2][t * (before + width) + i] =
          i < before ? x[0][t * before + i] : x[1][t * width + i - before];
    }
  }
}

void heads_to_ranks_reference(const HeadsToRanksShape& s, Operands x) {
  const std::int64_t q = s.heads / s.ways, kv = s.kv_heads / s.ways;
  std::size_t packed = 0;
  for (std::int64_t w = 0; w < s.ways; ++w) {
    for (std::int64_t t = 0; t < s.tokens; ++t) {
      const auto share = [&](std::int64_t first, std::int64_t heads) {
        for (std::int64_t h = first + w * heads; h < first + (w + 1) * heads; ++h) {
          for (std::int64_t d = 0; d < s.head_dim; ++d, ++packed) {
            const auto plain =
                static_cast<std::size_t>((t * (s.heads + 2 * s.kv_heads) + h) * s.head_dim + d);
            if (s.inverse != 0) {
              x[1][plain] = x[0][packed];
            } else {
              x[1][packed] = x[0][plain];
            }
          }
        }
      };
      share(0, q);
      share(s.heads, kv);
      share(s.heads + s.kv_heads, kv);
    }
  }
}

void chunks_in_order_reference(const ChunksInOrderShape& s, Operands x) {
  const std::int64_t seq = 2 * s.chunk;
  for (std::int64_t w = 0; w < s.ways; ++w) {
    for (std::int64_t b = 0; b < s.batch; ++b) {
      for (std::int64_t i = 0; i < seq; ++i) {
        const std::int64_t split = (w * s.batch + b) * seq + i;
        const std::int64_t whole = b * s.ways * seq + position_in_sequence(s.chunk, s.ways, w, i);
        for (std::int64_t c = 0; c < s.width; ++c) {
          const std::int64_t from = s.inverse != 0 ? whole : split;
          const std::int64_t to = s.inverse != 0 ? split : whole;
          x[1][to * s.width + c] = x[0][from * s.width + c];
        }
      }
    }
  }
}

}  // namespace

const OpInfo& op_info_attention_chunks_fwd() {
  using S = AttentionChunksFwdShape;
  static const OpInfo info = described<S>(
      {.formula = "out = softmax(mask(Q K^T / sqrt(head_dim))) V per head, mask: position of key "
                  "<= position of query; merged with other keys by their log-sum-exp",
       .source = "Liu et al., arXiv 2310.01889, section 3; merging: Dao, arXiv 2307.08691, "
                 "section 3.1",
       .operands = {reads("qkv", qkv_elements<S>), reads("kv", kv_elements<S>),
                    with_rounded_weights(
                        accumulates("out", out_elements<S>, DTypeRule::out_f32_flag)),
                    accumulates("lse", lse_elements<S>, DTypeRule::f32)},
       .flops = [](const OpShape& s) { return 2.0 * visible_product_flops<S>(s); },
       .tolerance = chunks_tolerance<S>,
       .reference =
           on_operands<S>([](const S& s, Operands x) { attention_chunks_fwd_reference(s, x); }),
       .test_shapes =
           [](DType dtype) {
             std::vector<OpShape> packed;
             for (S s : chunk_shapes<S>()) {
               s.out_f32 = s.accumulate;
               packed.push_back(pack(s, dtype));
             }
             return packed;
           },
       .bench_shapes = chunks_bench_shapes<S>,
       .validate =
           [](const OpShape& shape) {
             const auto s = unpack<S>(shape);
             validate_chunks("attention_chunks_fwd", s);
             require_flag("attention_chunks_fwd", "out_f32", s.out_f32);
             STEPMARK_REQUIRE(
                 s.accumulate == 0 || s.out_f32 == 1 || shape.dtype == DType::f32,
                 "op attention_chunks_fwd: accumulate=1 needs out_f32=1: sums in {} lose "
                 "digits",
                 name_of(shape.dtype));
           },
       .unit = MathUnit::matrix});
  return info;
}

const OpInfo& op_info_attention_chunks_bwd() {
  using S = AttentionChunksBwdShape;
  static const OpInfo info = described<S>(
      {.formula = "dV = P^T dO, dS = P (dO V^T - rowsum(dO O)) / sqrt(head_dim), dQ += dS K, "
                  "dK = dS^T Q, P = exp(S - lse), over the keys at hand",
       .source = "Liu et al., arXiv 2310.01889, section 3; Dao, arXiv 2307.08691, algorithm 2",
       .operands = {reads("dout", out_elements<S>), reads("qkv", qkv_elements<S>),
                    reads("kv", kv_elements<S>), reads("out", out_elements<S>),
                    reads("lse", lse_elements<S>, DTypeRule::f32),
                    with_rounded_weights(accumulates("dq", out_elements<S>, DTypeRule::f32)),
                    with_rounded_weights(writes("dkv", kv_elements<S>, DTypeRule::f32))},
       .flops = [](const OpShape& s) { return 5.0 * visible_product_flops<S>(s); },
       .tolerance = chunks_tolerance<S>,
       .reference =
           on_operands<S>([](const S& s, Operands x) { attention_chunks_bwd_reference(s, x); }),
       .test_shapes =
           [](DType dtype) {
             std::vector<OpShape> packed;
             for (const S& s : chunk_shapes<S>()) packed.push_back(pack(s, dtype));
             return packed;
           },
       .bench_shapes = chunks_bench_shapes<S>,
       .validate = on<S>([](const S& s) { validate_chunks("attention_chunks_bwd", s); }),
       // lse as after further keys: a little above what the keys at hand come to, from scores of a
       // standard normal distribution.
       .prepare = on_operands<S>([](const S& s, Operands x) {
         const auto keys = static_cast<double>(2 * s.chunk * s.key_pairs);
         for (double& lse : x[4]) lse = std::log(keys) + 0.5 + 0.1 * lse;
       }),
       .unit = MathUnit::matrix});
  return info;
}

const OpInfo& op_info_rope_chunks() {
  using S = RopeChunksShape;
  static const OpInfo info = described<S>(
      {.formula = "(x[i], x[i+h/2]) rotated by position * theta^(-2i/h), h = head_dim, position in "
                  "the whole sequence",
       .source = "Su et al., arXiv 2104.09864, section 3.2.2",
       .operands = {updates("qkv", qkv_elements<S>)},
       .flops = on<S>([](const S& s) {  // 6 per rotated pair
         return 6.0 * static_cast<double>(s.batch * s.chunk * (s.heads + s.kv_heads) * s.head_dim);
       }),
       .tolerance = [](const OpShape& s) { return rounding_tolerance(s.dtype, 16); },
       .reference = on_operands<S>([](const S& s, Operands x) {
         rope_reference(
             {.batch = s.batch,
              .seq = 2 * s.chunk,
              .heads = s.heads,
              .kv_heads = s.kv_heads,
              .head_dim = s.head_dim,
              .inverse = s.inverse,
              .theta = s.theta},
             x, [&](std::int64_t i) { return position_in_sequence(s.chunk, s.ways, s.pair, i); });
       }),
       .test_shapes =
           shapes<S>({{.batch = 1, .chunk = 1, .ways = 1, .heads = 1, .kv_heads = 1, .head_dim = 2},
                      {.batch = 2,
                       .chunk = 9,
                       .ways = 2,
                       .pair = 1,
                       .heads = 6,
                       .kv_heads = 2,
                       .head_dim = 10},
                      {.batch = 1,
                       .chunk = 35,
                       .ways = 4,
                       .pair = 2,
                       .heads = 2,
                       .kv_heads = 2,
                       .head_dim = 32,
                       .inverse = 1},
                      {.batch = 1,
                       .chunk = 700,
                       .ways = 8,
                       .pair = 1,
                       .heads = 1,
                       .kv_heads = 1,
                       .head_dim = 8,
                       .theta = 5e5}}),
       .bench_shapes = shapes<S>({{.batch = 1,
                                   .chunk = 512,
                                   .ways = 2,
                                   .pair = 1,
                                   .heads = 32,
                                   .kv_heads = 8,
                                   .head_dim = 128},
                                  {.batch = 1,
                                   .chunk = 4096,
                                   .ways = 4,
                                   .pair = 1,
                                   .heads = 32,
                                   .kv_heads = 8,
                                   .head_dim = 128}}),
       .validate = on<S>([](const S& s) {
         validate_heads("rope_chunks", s.heads, s.kv_heads, s.head_dim);
         validate_pair("rope_chunks", s);
         require_flag("rope_chunks", "inverse", s.inverse);
         STEPMARK_REQUIRE(s.head_dim % 2 == 0, "op rope_chunks: head_dim={} must be even",
                          s.head_dim);
         STEPMARK_REQUIRE(s.theta > 0, "op rope_chunks: theta={} must be positive", s.theta);
       }),
       // Value heads pass through untouched.
       .bytes =
           [](const OpShape& shape) {
             const auto s = unpack<S>(shape);
             return 4.0 *
                    static_cast<double>(s.batch * s.chunk * (s.heads + s.kv_heads) * s.head_dim) *
                    static_cast<double>(size_of(shape.dtype));
           }});
  return info;
}

const OpInfo& op_info_kv_split() {
  using S = KvSplitShape;
  static const OpInfo info = described<S>(
      {.formula = "kv[t] = the last 2 kv_heads heads of qkv[t]",
       .source = "what ranks exchange: arXiv 2310.01889, section 3",
       .operands = {reads("qkv", heads_elements<S>), writes("kv", kv_of_tokens<S>)},
       .flops = no_flops,
       .tolerance = exact,
       .reference = on_operands<S>([](const S& s, Operands x) { kv_split_reference(s, x); }),
       .test_shapes = shapes<S>({{.tokens = 1, .heads = 1, .kv_heads = 1, .head_dim = 1},
                                 {.tokens = 37, .heads = 6, .kv_heads = 2, .head_dim = 5},
                                 {.tokens = 64, .heads = 4, .kv_heads = 4, .head_dim = 16}}),
       .bench_shapes = shapes<S>({{.tokens = 1024, .heads = 12, .kv_heads = 12, .head_dim = 64},
                                  {.tokens = bench::kTokens,
                                   .heads = bench::kHeads,
                                   .kv_heads = bench::kKvHeads,
                                   .head_dim = bench::kHeadDim}}),
       .validate =
           on<S>([](const S& s) { validate_heads("kv_split", s.heads, s.kv_heads, s.head_dim); }),
       // Queries are left where they are.
       .bytes = [](const OpShape& shape) {
         return 2.0 * static_cast<double>(kv_of_tokens<S>(shape)) *
                static_cast<double>(size_of(shape.dtype));
       }});
  return info;
}

const OpInfo& op_info_qkv_join() {
  using S = QkvJoinShape;
  static const OpInfo info = described<S>(
      {.formula = "dqkv[t] = dq[t], dkv[t]",
       .source = "gradient of kv_split",
       .operands = {reads("dq", on<S>([](const S& s) { return s.tokens * s.heads * s.head_dim; }),
                          DTypeRule::f32),
                    reads("dkv", kv_of_tokens<S>, DTypeRule::f32),
                    writes("dqkv", heads_elements<S>)},
       .flops = no_flops,
       .tolerance = [](const OpShape& s) { return s.dtype == DType::f32 ? 0.0 : 0x1p-8; },
       .reference = on_operands<S>([](const S& s, Operands x) { qkv_join_reference(s, x); }),
       .test_shapes = shapes<S>({{.tokens = 1, .heads = 1, .kv_heads = 1, .head_dim = 1},
                                 {.tokens = 37, .heads = 6, .kv_heads = 2, .head_dim = 5},
                                 {.tokens = 64, .heads = 4, .kv_heads = 4, .head_dim = 16}}),
       .bench_shapes = shapes<S>({{.tokens = 1024, .heads = 12, .kv_heads = 12, .head_dim = 64},
                                  {.tokens = bench::kTokens,
                                   .heads = bench::kHeads,
                                   .kv_heads = bench::kKvHeads,
                                   .head_dim = bench::kHeadDim}}),
       .validate =
           on<S>([](const S& s) { validate_heads("qkv_join", s.heads, s.kv_heads, s.head_dim); })});
  return info;
}

const OpInfo& op_info_heads_to_ranks() {
  using S = HeadsToRanksShape;
  static const OpInfo info = described<S>(
      {.formula = "y[w] = the w-th share of query, key and value heads of x, for all tokens",
       .source = "Jacobs et al., arXiv 2309.14509, section 3.1",
       .operands = {reads("from", heads_elements<S>), writes("to", heads_elements<S>)},
       .flops = no_flops,
       .tolerance = exact,
       .reference = on_operands<S>([](const S& s, Operands x) { heads_to_ranks_reference(s, x); }),
       .test_shapes = shapes<S>(
           {{.tokens = 1, .heads = 1, .head_dim = 1, .ways = 1},
            {.tokens = 19, .heads = 12, .kv_heads = 4, .head_dim = 5, .ways = 2},
            {.tokens = 8, .heads = 8, .head_dim = 16, .ways = 4, .inverse = 1},
            {.tokens = 33, .heads = 8, .kv_heads = 8, .head_dim = 8, .ways = 4, .inverse = 1}}),
       .bench_shapes =
           shapes<S>({{.tokens = 1024, .heads = 12, .kv_heads = 12, .head_dim = 64, .ways = 2},
                      {.tokens = bench::kTokens / 4,
                       .heads = bench::kHeads,
                       .kv_heads = bench::kKvHeads,
                       .head_dim = bench::kHeadDim,
                       .ways = 4}}),
       .validate = on<S>([](const S& s) {
         require_at_least("heads_to_ranks", "ways", s.ways, 1);
         require_flag("heads_to_ranks", "inverse", s.inverse);
         STEPMARK_REQUIRE(s.heads % s.ways == 0 && s.kv_heads % s.ways == 0,
                          "op heads_to_ranks: ways={} does not divide heads={} and kv_heads={}",
                          s.ways, s.heads, s.kv_heads);
       })});
  return info;
}

const OpInfo& op_info_chunks_in_order() {
  using S = ChunksInOrderShape;
  static constexpr auto elements =
      on<S>([](const S& s) { return s.batch * 2 * s.chunk * s.ways * s.width; });
  static const OpInfo info = described<S>(
      {.formula = "y[b, position of token i of pair w] = x[w, b, i]",
       .source = "two chunks per rank for causal balance: arXiv 2407.21783, section 3.3.2",
       .operands = {reads("from", elements), writes("to", elements)},
       .flops = no_flops,
       .tolerance = exact,
       .reference = on_operands<S>([](const S& s, Operands x) { chunks_in_order_reference(s, x); }),
       .test_shapes = shapes<S>({{.batch = 1, .chunk = 1, .ways = 1, .width = 1},
                                 {.batch = 2, .chunk = 3, .ways = 4, .width = 7},
                                 {.batch = 3, .chunk = 8, .ways = 2, .width = 64, .inverse = 1}}),
       .bench_shapes = shapes<S>(
           {{.batch = 1, .chunk = 256, .ways = 2, .width = 1152},
            {.batch = 1, .chunk = bench::kTokens / 8, .ways = 4, .width = bench::kQkv / 4}}),
       .validate = on<S>([](const S& s) {
         require_at_least("chunks_in_order", "ways", s.ways, 1);
         require_flag("chunks_in_order", "inverse", s.inverse);
         STEPMARK_REQUIRE(s.chunk < kLimit / 2 / s.ways && s.batch * 2 * s.chunk < kLimit / s.ways,
                          "op chunks_in_order: batch={} times chunk={} times ways={} is too large",
                          s.batch, s.chunk, s.ways);
       })});
  return info;
}

}  // namespace stepmark
