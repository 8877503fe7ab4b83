// SPDX-License-Identifier: Apache-2.0
// Facts and double references of what takes rows of tokens to experts and back. Inputs of tests are
// what a router makes: each token's experts differ, some expert has no rows, places are all
// different.
#include "kernels/ops/experts.h"

#include <algorithm>
#include <vector>

#include "kernels/ops/bench_sizes.h"
#include "kernels/ops/experts_rows.h"
#include "kernels/ops/matrix_operands.h"
#include "kernels/ops/registry.h"

namespace stepmark {
namespace {

using Row = std::span<double>;

template <class S>
Row row_of(const S& s, std::span<double> matrix, std::int64_t row) {
  return matrix.subspan(row * s.width, s.width);
}

void permute_reference(const ExpertsPermuteShape& s, Operands x) {
  std::ranges::fill(x[2], 0.0);
  std::int64_t packed = 0;
  const std::int64_t of_rank = s.experts / s.ranks;
  for (std::int64_t e = 0; e < s.experts; ++e) {
    if (s.capacity > 0 && e % of_rank == 0) packed = e / of_rank * s.capacity;
    std::int64_t count = 0;
    for (std::int64_t i = 0; i < s.tokens * s.top_k; ++i) {
      if (static_cast<std::int64_t>(x[1][i]) != e) continue;
      std::ranges::copy(row_of(s, x[0], i / s.top_k), row_of(s, x[2], packed).begin());
      x[3][i] = static_cast<double>(packed++);
      ++count;
    }
    x[4][e] = static_cast<double>(count);
  }
}

void unpermute_reference(const ExpertsUnpermuteShape& s, Operands x) {
  std::ranges::fill(x[3], 0.0);
  for (std::int64_t i = 0; i < s.tokens * s.top_k; ++i) {
    const Row from = row_of(s, x[0], static_cast<std::int64_t>(x[1][i]));
    const Row to = row_of(s, x[3], i / s.top_k);
    const double weight = s.weighted != 0 ? x[2][i] : 1.0;
    for (std::int64_t c = 0; c < s.width; ++c) to[c] += weight * from[c];
  }
}

void unpermute_bwd_reference(const ExpertsUnpermuteBwdShape& s, Operands x) {
  std::ranges::fill(x[4], 0.0);
  for (std::int64_t i = 0; i < s.tokens * s.top_k; ++i) {
    const auto place = static_cast<std::int64_t>(x[2][i]);
    const Row dout = row_of(s, x[0], i / s.top_k), row = row_of(s, x[1], place);
    const Row drow = row_of(s, x[4], place);
    double sum = 0;
    for (std::int64_t c = 0; c < s.width; ++c) {
      sum += dout[c] * row[c];
      drow[c] = x[3][i] * dout[c];
    }
    x[5][i] = sum;
  }
}

void sort_reference(const ExpertsSortShape& s, Operands x) {
  std::ranges::fill(x[2], 0.0);
  std::ranges::fill(x[3], 0.0);
  const auto counts = [&](std::int64_t w, std::int64_t e) {
    return static_cast<std::int64_t>(x[1][w * s.experts + e]);
  };
  for_each_run(s.ranks, s.experts, s.capacity, counts,
               [&](std::int64_t, std::int64_t e, std::int64_t arrived, std::int64_t sorted,
                   std::int64_t rows) {
                 if (s.inverse != 0) std::swap(arrived, sorted);
                 const auto from = x[0].subspan(arrived * s.width, rows * s.width);
                 std::ranges::copy(from, x[2].subspan(sorted * s.width).begin());
                 if (s.inverse == 0) x[3][e] += static_cast<double>(rows);
               });
}

void experts_gemm_reference(const ExpertsGemmShape& s, Operands x) {
  std::ranges::fill(x[3], 0.0);
  std::int64_t row = 0;
  for (std::int64_t e = 0; e < s.experts; ++e) {
    const auto b = x[1].subspan(e * s.n * s.k, s.n * s.k);
    for (std::int64_t i = 0; i < static_cast<std::int64_t>(x[2][e]); ++i, ++row) {
      for (std::int64_t j = 0; j < s.n; ++j) {
        for (std::int64_t l = 0; l < s.k; ++l) {
          x[3][row * s.n + j] +=
              x[0][row * s.k + l] * b[s.trans_b != 0 ? j * s.k + l : l * s.n + j];
        }
      }
    }
  }
}

void experts_wgrad_reference(const ExpertsWgradShape& s, Operands x) {
  if (s.accumulate == 0) std::ranges::fill(x[3], 0.0);
  std::int64_t row = 0;
  for (std::int64_t e = 0; e < s.experts; ++e) {
    for (std::int64_t i = 0; i < static_cast<std::int64_t>(x[2][e]); ++i, ++row) {
      for (std::int64_t j = 0; j < s.m; ++j) {
        for (std::int64_t l = 0; l < s.n; ++l) {
          x[3][(e * s.m + j) * s.n + l] += x[0][row * s.m + j] * x[1][row * s.n + l];
        }
      }
    }
  }
}

// Distinct experts of each token, none of them the last one, where there are others.
void prepare_permute(const ExpertsPermuteShape& s, Operands x) {
  const std::int64_t used = s.experts > s.top_k ? s.experts - 1 : s.experts;
  for (std::int64_t t = 0; t < s.tokens; ++t) {
    const double drawn = index_from_normal(x[1][t * s.top_k], used);
    for (std::int64_t k = 0; k < s.top_k; ++k) {
      x[1][t * s.top_k + k] = static_cast<double>((static_cast<std::int64_t>(drawn) + k) % used);
    }
  }
}

// Different places, the first ones among them.
void prepare_places(std::span<double> places, std::int64_t slots) {
  const auto n = static_cast<std::int64_t>(places.size());
  for (std::int64_t i = 0; i < n; ++i) places[i] = static_cast<double>(n - 1 - i);
  if (slots > n) places[0] = static_cast<double>(slots - 1);
}

// Counts that fill three quarters of `rows`, the second of several without any.
void prepare_counts(std::span<double> counts, std::int64_t rows) {
  const auto n = static_cast<std::int64_t>(counts.size());
  std::int64_t left = rows - rows / 4;
  for (std::int64_t i = 0; i < n; ++i) {
    const std::int64_t share = i == 1 && n > 2 ? 0 : i + 1 == n ? left : left / 3;
    counts[i] = static_cast<double>(share);
    left -= share;
  }
}
void prepare_sort(const ExpertsSortShape& s, Operands x) {
  if (s.capacity == 0) {
    prepare_counts(x[1], s.rows);
    double filled = 0;
    for (const double count : x[1]) filled += count;
    x[1].back() += static_cast<double>(s.rows) - filled;  // all of them
    return;
  }
  for (std::int64_t w = 0; w < s.ranks; ++w) {
    prepare_counts(x[1].subspan(w * s.experts, s.experts), s.capacity);
  }
}

template <class S>
std::int64_t slots_of(const S& s) {
  return s.capacity > 0 ? s.ranks * s.capacity : s.tokens * s.top_k;
}
template <class S>
constexpr auto choices_of = of_dims<&S::tokens, &S::top_k>;
template <class S>
constexpr auto tokens_of = of_dims<&S::tokens, &S::width>;
template <class S>
constexpr auto slot_elements = of_dims<&S::slots, &S::width>;

constexpr std::int64_t kMostRows = std::int64_t{1} << 31;

template <class S>
void validate_slots(std::string_view op, const S& s) {
  require_at_least(op, "top_k", s.top_k, 1);
  STEPMARK_REQUIRE(s.tokens < kMostRows / s.top_k && s.tokens * s.top_k <= s.slots,
                   "op {}: slots={} are fewer than tokens={} times top_k={}", op, s.slots, s.tokens,
                   s.top_k);
}
template <class S>
double moved_bytes(const OpShape& shape) {  // a row of each choice, and a row of each token
  const auto s = unpack<S>(shape);
  return static_cast<double>(s.tokens * (s.top_k + 1) * s.width) *
         static_cast<double>(size_of(shape.dtype));
}

}  // namespace

const OpInfo& op_info_experts_permute() {
  using S = ExpertsPermuteShape;
  static const OpInfo info = described<S>(
      {.formula = "rows[places[t,k]] = x[t], places by expert chosen[t,k] and then by t",
       .source = "Gale et al., arXiv 2211.15841, section 5.1",
       .operands = {reads("x", tokens_of<S>), reads("chosen", choices_of<S>, DTypeRule::i32),
                    writes("rows", on<S>([](const S& s) { return slots_of(s) * s.width; })),
                    writes("places", choices_of<S>, DTypeRule::i32),
                    writes("counts", of_dims<&S::experts>, DTypeRule::i32)},
       .flops = no_flops,
       .tolerance = exact,
       .reference = on_operands<S>([](const S& s, Operands x) { permute_reference(s, x); }),
       .test_shapes = shapes<S>(
           {{.tokens = 1, .top_k = 1, .width = 3, .experts = 1, .ranks = 1},
            {.tokens = 37, .top_k = 2, .width = 33, .experts = 8, .ranks = 4},
            {.tokens = 37, .top_k = 3, .width = 64, .experts = 8, .ranks = 2, .capacity = 120}}),
       .bench_shapes = shapes<S>(
           {{.tokens = 8192, .top_k = 2, .width = bench::kHidden, .experts = 8, .ranks = 1},
            {.tokens = 8192, .top_k = 8, .width = 2048, .experts = 128, .ranks = 8}}),
       .validate = on<S>([](const S& s) {
         require_at_least("experts_permute", "ranks", s.ranks, 1);
         require_at_least("experts_permute", "top_k", s.top_k, 1);
         require_at_least("experts_permute", "width", s.width, 1);
         STEPMARK_REQUIRE(s.experts % s.ranks == 0 && s.experts > 0,
                          "op experts_permute: ranks={} does not divide experts={}", s.ranks,
                          s.experts);
         STEPMARK_REQUIRE(s.capacity < kMostRows / s.ranks && s.tokens < kMostRows / s.top_k,
                          "op experts_permute: ranks={} times capacity={}, or tokens={} times "
                          "top_k={}, is too large",
                          s.ranks, s.capacity, s.tokens, s.top_k);
         STEPMARK_REQUIRE(
             s.capacity == 0 || s.capacity >= s.tokens ||
                 s.ranks * s.capacity >= s.tokens * s.top_k,
             "op experts_permute: capacity={} has no room for tokens={} times top_k={}", s.capacity,
             s.tokens, s.top_k);
       }),
       .prepare = on_operands<S>([](const S& s, Operands x) { prepare_permute(s, x); }),
       .bytes = moved_bytes<S>});
  return info;
}

const OpInfo& op_info_experts_unpermute() {
  using S = ExpertsUnpermuteShape;
  static const OpInfo info = described<S>(
      {.formula = "out[t] = sum_k [weights[t,k]] rows[places[t,k]]",
       .source = "Shazeer et al., arXiv 1701.06538, equation 1",
       .operands = {reads("rows", slot_elements<S>), reads("places", choices_of<S>, DTypeRule::i32),
                    reads("weights", on<S>([](const S& s) {
                            return s.weighted != 0 ? s.tokens * s.top_k : std::int64_t{0};
                          }),
                          DTypeRule::f32),
                    writes("out", tokens_of<S>)},
       .flops = on<S>(
           [](const S& s) { return 2.0 * static_cast<double>(s.tokens * s.top_k * s.width); }),
       .tolerance =
           [](const OpShape& s) {
             return sum_tolerance(s.dtype, unpack<ExpertsUnpermuteShape>(s).top_k);
           },
       .reference = on_operands<S>([](const S& s, Operands x) { unpermute_reference(s, x); }),
       .test_shapes =
           shapes<S>({{.tokens = 1, .top_k = 1, .width = 3, .slots = 1},
                      {.tokens = 37, .top_k = 2, .width = 33, .slots = 74},
                      {.tokens = 37, .top_k = 3, .width = 64, .slots = 200, .weighted = 1}}),
       .bench_shapes = shapes<S>(
           {{.tokens = 8192, .top_k = 2, .width = bench::kHidden, .slots = 16384, .weighted = 1},
            {.tokens = 8192, .top_k = 8, .width = 2048, .slots = 65536, .weighted = 1}}),
       .validate = on<S>([](const S& s) {
         validate_slots("experts_unpermute", s);
         require_flag("experts_unpermute", "weighted", s.weighted);
       }),
       .prepare = on_operands<S>([](const S& s, Operands x) { prepare_places(x[1], s.slots); }),
       .bytes = moved_bytes<S>});
  return info;
}

const OpInfo& op_info_experts_unpermute_bwd() {
  using S = ExpertsUnpermuteBwdShape;
  static const OpInfo info = described<S>(
      {.formula = "drows[places[t,k]] = weights[t,k] dout[t], dweights[t,k] = dout[t] . "
                  "rows[places[t,k]]",
       .source = "derivative of experts_unpermute",
       .operands = {reads("dout", tokens_of<S>), reads("rows", slot_elements<S>),
                    reads("places", choices_of<S>, DTypeRule::i32),
                    reads("weights", choices_of<S>, DTypeRule::f32),
                    writes("drows", slot_elements<S>),
                    writes("dweights", choices_of<S>, DTypeRule::f32)},
       .flops = on<S>(
           [](const S& s) { return 3.0 * static_cast<double>(s.tokens * s.top_k * s.width); }),
       .tolerance =
           [](const OpShape& s) {
             return sum_tolerance(s.dtype, unpack<ExpertsUnpermuteBwdShape>(s).width);
           },
       .reference = on_operands<S>([](const S& s, Operands x) { unpermute_bwd_reference(s, x); }),
       .test_shapes = shapes<S>({{.tokens = 1, .top_k = 1, .width = 3, .slots = 1},
                                 {.tokens = 37, .top_k = 2, .width = 33, .slots = 74},
                                 {.tokens = 37, .top_k = 3, .width = 64, .slots = 200}}),
       .bench_shapes =
           shapes<S>({{.tokens = 8192, .top_k = 2, .width = bench::kHidden, .slots = 16384},
                      {.tokens = 8192, .top_k = 8, .width = 2048, .slots = 65536}}),
       .validate = on<S>([](const S& s) { validate_slots("experts_unpermute_bwd", s); }),
       .prepare = on_operands<S>([](const S& s, Operands x) { prepare_places(x[2], s.slots); }),
       .bytes =
           [](const OpShape& shape) {
             const auto s =
                 unpack<S>(shape);  // rows of choices read and written, rows of tokens read
             return static_cast<double>((2 * s.top_k + 1) * s.tokens * s.width) *
                    static_cast<double>(size_of(shape.dtype));
           }});
  return info;
}

const OpInfo& op_info_experts_sort() {
  using S = ExpertsSortShape;
  static constexpr auto elements = of_dims<&S::rows, &S::width>;
  static const OpInfo info = described<S>(
      {.formula = "to = rows of `from` by expert and then by rank, as counts[rank,expert] say",
       .source = "Gale et al., arXiv 2211.15841, section 5.1, of several ranks' rows",
       .operands = {reads("from", elements),
                    reads("counts", of_dims<&S::ranks, &S::experts>, DTypeRule::i32),
                    writes("to", elements),
                    writes("totals", on<S>([](const S& s) {
                             return s.inverse != 0 ? std::int64_t{0} : s.experts;
                           }),
                           DTypeRule::i32)},
       .flops = no_flops,
       .tolerance = exact,
       .reference = on_operands<S>([](const S& s, Operands x) { sort_reference(s, x); }),
       .test_shapes = shapes<S>(
           {{.ranks = 1, .experts = 1, .width = 3, .rows = 2},
            {.ranks = 4, .experts = 3, .width = 33, .capacity = 20, .rows = 80},
            {.ranks = 4, .experts = 3, .width = 33, .capacity = 20, .rows = 80, .inverse = 1},
            {.ranks = 3, .experts = 5, .width = 64, .rows = 70}}),
       .bench_shapes =
           shapes<S>({{.ranks = 8, .experts = 1, .width = bench::kHidden, .rows = 16384},
                      {.ranks = 8, .experts = 16, .width = 2048, .rows = 65536}}),
       .validate = on<S>([](const S& s) {
         require_at_least("experts_sort", "ranks", s.ranks, 1);
         require_at_least("experts_sort", "experts", s.experts, 1);
         require_flag("experts_sort", "inverse", s.inverse);
         STEPMARK_REQUIRE(s.capacity < kMostRows / s.ranks &&
                              (s.capacity == 0 || s.ranks * s.capacity == s.rows),
                          "op experts_sort: rows={} are not ranks={} times capacity={}", s.rows,
                          s.ranks, s.capacity);
       }),
       .prepare = on_operands<S>([](const S& s, Operands x) { prepare_sort(s, x); })});
  return info;
}

const OpInfo& op_info_experts_gemm() {
  using S = ExpertsGemmShape;
  static const OpInfo info = described<S>(
      {.formula = "c[r] = a[r] op(b[expert of r]), 0 beyond the rows that counts say",
       .source = "Gale et al., arXiv 2211.15841, section 4; grouped GEMM",
       .operands = {reads("a", of_dims<&S::rows, &S::k>),
                    reads("b", of_dims<&S::experts, &S::n, &S::k>),
                    reads("counts", of_dims<&S::experts>, DTypeRule::i32),
                    writes("c", of_dims<&S::rows, &S::n>)},
       .flops = on<S>([](const S& s) {
         return 2.0 * static_cast<double>(s.expected) * static_cast<double>(s.n) *
                static_cast<double>(s.k);
       }),
       .tolerance =
           [](const OpShape& s) { return sum_tolerance(s.dtype, unpack<ExpertsGemmShape>(s).k); },
       .reference = on_operands<S>([](const S& s, Operands x) { experts_gemm_reference(s, x); }),
       .test_shapes = shapes<S>(
           {{.experts = 1, .rows = 1, .n = 1, .k = 1, .expected = 1},
            {.experts = 4, .rows = 90, .n = 33, .k = 29, .expected = 68},
            {.experts = 5, .rows = 150, .n = 70, .k = 40, .trans_b = 1, .expected = 113},
            // Of whole chunks, as tensor cores want them; several tiles each way.
            {.experts = 3, .rows = 330, .n = 136, .k = 168, .expected = 248},
            {.experts = 9, .rows = 330, .n = 136, .k = 168, .trans_b = 1, .expected = 248}}),
       .bench_shapes = shapes<S>({{.experts = 8,
                                   .rows = 16384,
                                   .n = std::int64_t{2} * 14336,
                                   .k = bench::kHidden,
                                   .trans_b = 1,
                                   .expected = 16384},
                                  {.experts = 128,
                                   .rows = 65536,
                                   .n = std::int64_t{2} * 768,
                                   .k = 2048,
                                   .trans_b = 1,
                                   .expected = 65536}}),
       .validate = on<S>([](const S& s) {
         require_at_least("experts_gemm", "experts", s.experts, 1);
         require_flag("experts_gemm", "trans_b", s.trans_b);
       }),
       .prepare = on_operands<S>([](const S& s, Operands x) { prepare_counts(x[2], s.rows); }),
       .unit = MathUnit::matrix});
  return info;
}

const OpInfo& op_info_experts_wgrad() {
  using S = ExpertsWgradShape;
  static const OpInfo info = described<S>(
      {.formula = "c[e] [+]= a^T b over the rows of expert e",
       .source = "Gale et al., arXiv 2211.15841, section 4; gradient of experts_gemm",
       .operands = {reads("a", of_dims<&S::rows, &S::m>), reads("b", of_dims<&S::rows, &S::n>),
                    reads("counts", of_dims<&S::experts>, DTypeRule::i32),
                    accumulates("c", of_dims<&S::experts, &S::m, &S::n>, DTypeRule::f32)},
       .flops = on<S>([](const S& s) {
         return 2.0 * static_cast<double>(s.expected) * static_cast<double>(s.m) *
                static_cast<double>(s.n);
       }),
       .tolerance =
           [](const OpShape& s) {
             return sum_tolerance(s.dtype, unpack<ExpertsWgradShape>(s).rows);
           },
       .reference = on_operands<S>([](const S& s, Operands x) { experts_wgrad_reference(s, x); }),
       .test_shapes = shapes<S>(
           {{.experts = 1, .rows = 1, .m = 1, .n = 1, .expected = 1},
            {.experts = 4, .rows = 90, .m = 33, .n = 29, .accumulate = 1, .expected = 68},
            {.experts = 5, .rows = 150, .m = 70, .n = 40, .expected = 113},
            {.experts = 3, .rows = 330, .m = 136, .n = 144, .expected = 248},
            {.experts = 3, .rows = 330, .m = 136, .n = 144, .accumulate = 1, .expected = 248}}),
       .bench_shapes = shapes<S>({{.experts = 8,
                                   .rows = 16384,
                                   .m = std::int64_t{2} * 14336,
                                   .n = bench::kHidden,
                                   .accumulate = 1,
                                   .expected = 16384},
                                  {.experts = 128,
                                   .rows = 65536,
                                   .m = std::int64_t{2} * 768,
                                   .n = 2048,
                                   .accumulate = 1,
                                   .expected = 65536}}),
       .validate = on<S>([](const S& s) {
         require_at_least("experts_wgrad", "experts", s.experts, 1);
         require_flag("experts_wgrad", "accumulate", s.accumulate);
       }),
       .prepare = on_operands<S>([](const S& s, Operands x) { prepare_counts(x[2], s.rows); }),
       .unit = MathUnit::matrix});
  return info;
}

}  // namespace stepmark
