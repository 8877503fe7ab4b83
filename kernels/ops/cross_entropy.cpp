// SPDX-License-Identifier: Apache-2.0
// Facts and double references of the three parts. Prepared inputs are consistent, maximum and sums
// being those of the logits: with others the gradient would be of nothing that occurs.
#include "kernels/ops/cross_entropy.h"

#include <algorithm>
#include <limits>

#include "kernels/ops/bench_sizes.h"
#include "kernels/ops/matrix_operands.h"
#include "kernels/ops/registry.h"

namespace stepmark {
namespace {

template <class S>
std::int64_t width(const S& s) {  // of a row
  return s.cols + s.padding;
}

void ce_max_reference(const CeMaxShape& s, Operands x) {
  for (std::int64_t r = 0; r < s.rows; ++r) {
    double largest = -std::numeric_limits<double>::infinity();
    for (std::int64_t c = 0; c < s.cols; ++c) largest = std::max(largest, x[0][r * width(s) + c]);
    x[1][r] = largest;
  }
}

void ce_sum_reference(const CeSumShape& s, Operands x) {
  const auto logits = x[0], row_max = x[1], targets = x[2], sums = x[3];
  for (std::int64_t r = 0; r < s.rows; ++r) {
    double sum = 0;
    for (std::int64_t c = 0; c < s.cols; ++c)
      sum += std::exp(logits[r * width(s) + c] - row_max[r]);
    const std::int64_t target = static_cast<std::int64_t>(targets[r]) - s.vocab_begin;
    const bool here = target >= 0 && target < s.cols;
    sums[r] = sum;
    sums[s.rows + r] = here ? logits[r * width(s) + target] - row_max[r] : 0.0;
  }
}

void ce_bwd_reference(const CeBwdShape& s, Operands x) {
  const auto logits = x[0], row_max = x[1], targets = x[2], sums = x[3], loss = x[4];
  if (s.accumulate == 0) loss[0] = 0;
  for (std::int64_t r = 0; r < s.rows; ++r) {
    loss[0] += s.scale * (std::log(sums[r]) - sums[s.rows + r]);
    const std::int64_t target = static_cast<std::int64_t>(targets[r]) - s.vocab_begin;
    for (std::int64_t c = 0; c < s.cols; ++c) {
      double& v = logits[r * width(s) + c];
      v = s.scale * (std::exp(v - row_max[r]) / sums[r] - (c == target ? 1.0 : 0.0));
    }
    for (std::int64_t c = s.cols; c < width(s); ++c) logits[r * width(s) + c] = 0;
  }
}

template <class S>
void prepare_targets(const S& s, Operands x) {  // a vocabulary wider than this shard, both sides
  for (double& target : x[2]) {
    target = index_from_normal(target, s.vocab_begin + s.cols + s.vocab_begin / 2);
  }
}

template <class S>
std::int64_t all_logits(const OpShape& shape) {
  const auto s = unpack<S>(shape);
  return s.rows * width(s);
}
// The least that is moved: rows of cols each time they are read, whole rows where they are written.
template <class S>
double bytes(const OpShape& shape) {
  const auto s = unpack<S>(shape);
  double bytes = 0;
  for (std::size_t i = 0; i < info_of(S::id).operands.size(); ++i) {
    const Access access = access_of(shape, i);
    const double reads = access == Access::out ? 0 : 1, writes = access == Access::in ? 0 : 1;
    double elements = (reads + writes) * static_cast<double>(elements_of(shape, i));
    if (i == 0) elements -= reads * static_cast<double>(s.rows * s.padding);
    bytes += elements * static_cast<double>(size_of(dtype_of(shape, i)));
  }
  return bytes;
}
template <class S, int kTimes>
std::int64_t row_values(const OpShape& shape) {
  return kTimes * unpack<S>(shape).rows;
}
template <class S>
std::vector<OpShape> ce_bench_shapes(DType dtype) {
  return pack_all<S>(dtype, {{.rows = 256, .cols = 50257, .padding = 47},
                             {.rows = 1024, .cols = 32000},
                             {.rows = bench::kTokens, .cols = bench::kVocab}});
}
template <class S>
double tolerance(const OpShape& shape) {
  return rounding_tolerance(shape.dtype, 32);
}
template <class S, int kPerElement>
double flops(const OpShape& shape) {
  const auto s = unpack<S>(shape);
  return kPerElement * static_cast<double>(s.rows * s.cols);
}
template <class S>
void validate_columns(const OpShape& shape) {
  require_at_least(info_of(S::id).name, "cols", unpack<S>(shape).cols, 1);
}

}  // namespace

const OpInfo& op_info_ce_max() {
  using S = CeMaxShape;
  static const OpInfo info = described<S>(
      {.formula = "row_max[r] = max_c logits[r,c]",
       .source = "Shoeybi et al., arXiv 1909.08053, section 3",
       .operands = {reads("logits", all_logits<S>),
                    writes("row_max", row_values<S, 1>, DTypeRule::f32)},
       .flops = flops<S, 1>,
       .tolerance = exact,
       .reference = on_operands<S>([](const S& s, Operands x) { ce_max_reference(s, x); }),
       .test_shapes = shapes<S>({{.rows = 1, .cols = 1},
                                 {.rows = 5, .cols = 37, .padding = 27},
                                 {.rows = 67, .cols = 5003}}),
       .bench_shapes = ce_bench_shapes<S>,
       .validate = validate_columns<S>,
       .bytes = bytes<S>});
  return info;
}

const OpInfo& op_info_ce_sum() {
  using S = CeSumShape;
  static const OpInfo info = described<S>(
      {.formula = "sums[0,r] = sum_c exp(logits[r,c] - row_max[r]), "
                  "sums[1,r] = logits[r,target] - row_max[r] if the target is here, else 0",
       .source = "Shoeybi et al., arXiv 1909.08053, section 3",
       .operands = {reads("logits", all_logits<S>),
                    reads("row_max", row_values<S, 1>, DTypeRule::f32),
                    reads("targets", row_values<S, 1>, DTypeRule::i32),
                    writes("sums", row_values<S, 2>, DTypeRule::f32)},
       .flops = flops<S, 3>,
       .tolerance = tolerance<S>,
       .reference = on_operands<S>([](const S& s, Operands x) { ce_sum_reference(s, x); }),
       .test_shapes = shapes<S>({{.rows = 1, .cols = 1},
                                 {.rows = 9, .cols = 37, .padding = 3, .vocab_begin = 21},
                                 {.rows = 67, .cols = 5003}}),
       .bench_shapes = ce_bench_shapes<S>,
       .validate = validate_columns<S>,
       .prepare = on_operands<S>([](const S& s, Operands x) {
         prepare_targets(s, x);
         const std::span<double> maximum[] = {x[0], x[1]};
         ce_max_reference({.rows = s.rows, .cols = s.cols, .padding = s.padding}, maximum);
       }),
       .bytes = bytes<S>});
  return info;
}

const OpInfo& op_info_ce_bwd() {
  using S = CeBwdShape;
  static const OpInfo info = described<S>(
      {.formula = "loss [+]= scale sum_r (log sums[0,r] - sums[1,r]), "
                  "logits = scale (exp(logits - row_max) / sums[0] - onehot(target))",
       .source = "Shoeybi et al., arXiv 1909.08053, section 3",
       .operands = {updates("logits", all_logits<S>),
                    reads("row_max", row_values<S, 1>, DTypeRule::f32),
                    reads("targets", row_values<S, 1>, DTypeRule::i32),
                    reads("sums", row_values<S, 2>, DTypeRule::f32),
                    accumulates("loss", one, DTypeRule::f32)},
       .flops = flops<S, 4>,
       .tolerance = tolerance<S>,
       .reference = on_operands<S>([](const S& s, Operands x) { ce_bwd_reference(s, x); }),
       .test_shapes = shapes<S>({{.rows = 1, .cols = 2},
                                 {.rows = 9,
                                  .cols = 37,
                                  .padding = 27,
                                  .vocab_begin = 21,
                                  .accumulate = 1,
                                  .scale = 0.25},
                                 {.rows = 3, .cols = 7, .padding = 57, .scale = 0.5},
                                 {.rows = 67, .cols = 5003, .scale = 1.0 / 67}}),
       .bench_shapes = ce_bench_shapes<S>,
       .validate = on<S>([](const S& s) {
         require_at_least("ce_bwd", "cols", s.cols, 1);
         require_flag("ce_bwd", "accumulate", s.accumulate);
       }),
       .prepare = on_operands<S>([](const S& s, Operands x) {
         prepare_targets(s, x);
         const std::span<double> maximum[] = {x[0], x[1]};
         ce_max_reference({.rows = s.rows, .cols = s.cols, .padding = s.padding}, maximum);
         ce_sum_reference(
             {.rows = s.rows, .cols = s.cols, .padding = s.padding, .vocab_begin = s.vocab_begin},
             x.first(4));
       }),
       .bytes = bytes<S>});
  return info;
}

}  // namespace stepmark
