// SPDX-License-Identifier: Apache-2.0
// Facts and a reference in textbook form, maximum and sum apart, against which the one-pass kernels
// are checked.
#include "kernels/ops/loss.h"

#include <algorithm>
#include <limits>

#include "kernels/ops/bench_sizes.h"
#include "kernels/ops/matrix_operands.h"
#include "kernels/ops/registry.h"

namespace stepmark {
namespace {

using S = CeFwdBwdShape;

// Textbook form: the maximum, then the sum, then the gradient.
void reference(const S& s, Operands x) {
  const auto logits = x[0], targets = x[1], loss = x[2];
  const std::int64_t width = s.cols + s.padding;
  if (s.accumulate == 0) loss[0] = 0;
  for (std::int64_t r = 0; r < s.rows; ++r) {
    const auto row =
        logits.subspan(static_cast<std::size_t>(r * width), static_cast<std::size_t>(width));
    double largest = -std::numeric_limits<double>::infinity(), sum = 0;
    for (std::int64_t c = 0; c < s.cols; ++c) largest = std::max(largest, row[c]);
    for (std::int64_t c = 0; c < s.cols; ++c) sum += std::exp(row[c] - largest);
    const auto target = static_cast<std::int64_t>(targets[r]);
    const bool here = target >= 0 && target < s.cols;
    loss[0] += s.scale * (std::log(sum) - (here ? row[target] - largest : 0.0));
    for (std::int64_t c = 0; c < s.cols; ++c) {
      row[c] = s.scale * (std::exp(row[c] - largest) / sum - (c == target ? 1.0 : 0.0));
    }
    for (std::int64_t c = s.cols; c < width; ++c) row[c] = 0;
  }
}

// Logits without padding read, whole rows written.
double bytes(const OpShape& shape) {
  const auto s = unpack<S>(shape);
  const double element = static_cast<double>(size_of(shape.dtype));
  const double logits = static_cast<double>(s.rows * (2 * s.cols + s.padding)) * element;
  return logits + static_cast<double>(s.rows) * 4 + (s.accumulate != 0 ? 8 : 4);
}

}  // namespace

const OpInfo& op_info_ce_fwd_bwd() {
  static const OpInfo info = described<S>(
      {.formula = "loss [+]= scale sum_r (log sum_c exp(logits[r,c]) - logits[r,target]), "
                  "logits = scale (softmax(logits) - onehot(target))",
       .source = "Milakov & Gimelshein, arXiv 1805.02867",
       .operands = {updates("logits",
                            on<S>([](const S& s) { return s.rows * (s.cols + s.padding); })),
                    reads("targets", of_dims<&S::rows>, DTypeRule::i32),
                    accumulates("loss", one, DTypeRule::f32)},
       // Maximum, difference and exponential, sum; difference and exponential again, and two more.
       .flops = on<S>([](const S& s) { return 8.0 * static_cast<double>(s.rows * s.cols); }),
       .tolerance = [](const OpShape& s) { return rounding_tolerance(s.dtype, 32); },
       .reference = on_operands<S>([](const S& s, Operands x) { reference(s, x); }),
       .test_shapes =
           shapes<S>({{.rows = 1, .cols = 2},
                      {.rows = 9, .cols = 37, .padding = 27, .accumulate = 1, .scale = 0.25},
                      {.rows = 3, .cols = 7, .padding = 57, .scale = 0.5},
                      {.rows = 67, .cols = 5003, .scale = 1.0 / 67}}),
       .bench_shapes = shapes<S>({{.rows = 256, .cols = 50257},
                                  {.rows = bench::kTokens, .cols = 50257, .padding = 47},
                                  {.rows = 1024, .cols = 32000},
                                  {.rows = bench::kTokens, .cols = bench::kVocab}}),
       .validate = on<S>([](const S& s) {
         require_at_least("ce_fwd_bwd", "cols", s.cols, 1);
         require_flag("ce_fwd_bwd", "accumulate", s.accumulate);
       }),
       .prepare = on_operands<S>([](const S& s, Operands x) {
         for (double& target : x[1]) target = index_from_normal(target, s.cols);
       }),
       .bytes = bytes});
  return info;
}

}  // namespace stepmark
