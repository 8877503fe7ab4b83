// SPDX-License-Identifier: Apache-2.0
// Facts and double references of token and position tables. Traffic counts the rows that are looked
// up and not the table; gradients add rows in their order, which fixes the sum.
#include "kernels/ops/embedding.h"

#include <algorithm>

#include "kernels/ops/bench_sizes.h"
#include "kernels/ops/matrix_operands.h"
#include "kernels/ops/registry.h"

namespace stepmark {
namespace {

// Row of the local table for token index `token`, or -1 when another rank holds it.
template <class S>
std::int64_t local_row(const S& s, double token) {
  const std::int64_t row = static_cast<std::int64_t>(token) - s.vocab_begin;
  return row >= 0 && row < s.vocab_rows ? row : -1;
}

void embedding_fwd_reference(const EmbeddingFwdShape& s, Operands x) {
  for (std::int64_t r = 0; r < s.rows; ++r) {
    const std::int64_t from = local_row(s, x[0][r]);
    for (std::int64_t c = 0; c < s.cols; ++c) {
      x[2][r * s.cols + c] = from < 0 ? 0.0 : x[1][from * s.cols + c];
    }
  }
}

void embedding_bwd_reference(const EmbeddingBwdShape& s, Operands x) {
  if (s.accumulate == 0) std::ranges::fill(x[2], 0.0);
  for (std::int64_t r = 0; r < s.rows; ++r) {
    const std::int64_t to = local_row(s, x[0][r]);
    for (std::int64_t c = 0; to >= 0 && c < s.cols; ++c) {
      x[2][to * s.cols + c] += x[1][r * s.cols + c];
    }
  }
}

void position_fwd_reference(const PositionFwdShape& s, Operands x) {
  for (std::int64_t r = 0; r < s.rows; ++r) {
    const std::int64_t position = (s.row_begin + r) % s.seq;
    for (std::int64_t c = 0; c < s.cols; ++c) x[1][r * s.cols + c] += x[0][position * s.cols + c];
  }
}

void position_bwd_reference(const PositionBwdShape& s, Operands x) {
  if (s.accumulate == 0) std::ranges::fill(x[1], 0.0);
  for (std::int64_t r = 0; r < s.rows; ++r) {
    const std::int64_t position = (s.row_begin + r) % s.seq;
    for (std::int64_t c = 0; c < s.cols; ++c) x[1][position * s.cols + c] += x[0][r * s.cols + c];
  }
}

// Tokens of a vocabulary half as large again as the local part, so that some fall outside it on
// either side.
template <class S>
void prepare_tokens(const S& s, Operands x) {
  const std::int64_t span = s.vocab_rows + s.vocab_begin + s.vocab_rows / 2 + 1;
  for (double& token : x[0]) token = index_from_normal(token, span);
}

template <class S>
double row_bytes(const OpShape& shape) {
  return static_cast<double>(all<S>(shape)) * static_cast<double>(size_of(shape.dtype));
}
template <class S>
double sum_of_rows_tolerance(const OpShape& shape) {
  return sum_tolerance(shape.dtype, unpack<S>(shape).rows);
}

}  // namespace

const OpInfo& op_info_embedding_fwd() {
  using S = EmbeddingFwdShape;
  static const OpInfo info = described<S>(
      {.formula = "out[r] = table[tokens[r] - vocab_begin], or 0 outside the local rows",
       .source = "Shoeybi et al., arXiv 1909.08053, section 3",
       .operands = {reads("tokens", rows<S>, DTypeRule::i32),
                    reads("table", of_dims<&S::vocab_rows, &S::cols>), writes("out", all<S>)},
       .flops = no_flops,
       .tolerance = exact,
       .reference = on_operands<S>([](const S& s, Operands x) { embedding_fwd_reference(s, x); }),
       .test_shapes = shapes<S>({{.rows = 1, .cols = 3, .vocab_rows = 1},
                                 {.rows = 37, .cols = 65, .vocab_begin = 11, .vocab_rows = 17},
                                 {.rows = 64, .cols = 128, .vocab_rows = 100}}),
       .bench_shapes = shapes<S>(
           {{.rows = 256, .cols = 768, .vocab_rows = 50257},
            {.rows = 8192, .cols = 4096, .vocab_rows = 32000},
            {.rows = bench::kTokens, .cols = bench::kHidden, .vocab_rows = bench::kVocab}}),
       .prepare = on_operands<S>([](const S& s, Operands x) { prepare_tokens(s, x); }),
       .bytes = [](const OpShape& shape) {  // only the rows looked up
         return 4.0 * static_cast<double>(rows<S>(shape)) + 2.0 * row_bytes<S>(shape);
       }});
  return info;
}

const OpInfo& op_info_embedding_bwd() {
  using S = EmbeddingBwdShape;
  static const OpInfo info = described<S>(
      {.formula = "dtable[tokens[r] - vocab_begin] += dy[r], rows in order",
       .source = "gradient of embedding_fwd",
       .operands = {reads("tokens", rows<S>, DTypeRule::i32), reads("dy", all<S>),
                    accumulates("dtable", of_dims<&S::vocab_rows, &S::cols>, DTypeRule::f32)},
       .flops = [](const OpShape& s) { return static_cast<double>(all<S>(s)); },
       .tolerance = sum_of_rows_tolerance<S>,
       .reference = on_operands<S>([](const S& s, Operands x) { embedding_bwd_reference(s, x); }),
       .test_shapes = shapes<S>({{.rows = 1, .cols = 3, .vocab_rows = 1},
                                 {.rows = 37, .cols = 65, .vocab_begin = 11, .vocab_rows = 17},
                                 {.rows = 300, .cols = 129, .vocab_rows = 20, .accumulate = 1}}),
       .bench_shapes = shapes<S>({{.rows = 256, .cols = 768, .vocab_rows = 50257, .accumulate = 1},
                                  {.rows = 256, .cols = 768, .vocab_rows = 50257},
                                  {.rows = bench::kTokens,
                                   .cols = bench::kHidden,
                                   .vocab_rows = bench::kVocab,
                                   .accumulate = 1}}),
       .validate =
           on<S>([](const S& s) { require_flag("embedding_bwd", "accumulate", s.accumulate); }),
       .prepare = on_operands<S>([](const S& s, Operands x) { prepare_tokens(s, x); }),
       .bytes =
           [](const OpShape& shape) {
             const auto s = unpack<S>(shape);
             const double added =
                 8.0 * static_cast<double>(all<S>(shape));  // rows read and written
             const double zeroed =
                 4.0 * static_cast<double>(of_dims<&S::vocab_rows, &S::cols>(shape));
             return 4.0 * static_cast<double>(s.rows) + row_bytes<S>(shape) + added +
                    (s.accumulate != 0 ? 0.0 : zeroed);
           }});
  return info;
}

const OpInfo& op_info_position_fwd() {
  using S = PositionFwdShape;
  static const OpInfo info = described<S>(
      {.formula = "x[r] += table[(row_begin + r) % seq]",
       .source = "learned positions of GPT-2; Gehring et al., arXiv 1705.03122, section 3.1",
       .operands = {reads("table", of_dims<&S::seq, &S::cols>), updates("x", all<S>)},
       .flops = [](const OpShape& s) { return static_cast<double>(all<S>(s)); },
       .tolerance = [](const OpShape& s) { return rounding_tolerance(s.dtype, 4); },
       .reference = on_operands<S>([](const S& s, Operands x) { position_fwd_reference(s, x); }),
       .test_shapes = shapes<S>({{.rows = 1, .cols = 3, .seq = 1},
                                 {.rows = 26, .cols = 65, .seq = 13},
                                 {.rows = 10, .cols = 7, .seq = 20, .row_begin = 30}}),
       .bench_shapes = shapes<S>(
           {{.rows = 256, .cols = 768, .seq = 64}, {.rows = 8192, .cols = 4096, .seq = 2048}}),
       .validate = on<S>([](const S& s) { require_at_least("position_fwd", "seq", s.seq, 1); })});
  return info;
}

const OpInfo& op_info_position_bwd() {
  using S = PositionBwdShape;
  static const OpInfo info = described<S>(
      {.formula = "dtable[(row_begin + r) % seq] += dy[r], rows in order",
       .source = "gradient of position_fwd",
       .operands = {reads("dy", all<S>),
                    accumulates("dtable", of_dims<&S::seq, &S::cols>, DTypeRule::f32)},
       .flops = [](const OpShape& s) { return static_cast<double>(all<S>(s)); },
       .tolerance = sum_of_rows_tolerance<S>,
       .reference = on_operands<S>([](const S& s, Operands x) { position_bwd_reference(s, x); }),
       .test_shapes =
           shapes<S>({{.rows = 1, .cols = 3, .seq = 1},
                      {.rows = 39, .cols = 65, .seq = 13},
                      {.rows = 10, .cols = 7, .seq = 20, .row_begin = 35},
                      {.rows = 45, .cols = 7, .seq = 20, .row_begin = 35, .accumulate = 1}}),
       .bench_shapes = shapes<S>(
           {{.rows = 256, .cols = 768, .seq = 64}, {.rows = 8192, .cols = 4096, .seq = 2048}}),
       .validate = on<S>([](const S& s) {
         require_at_least("position_bwd", "seq", s.seq, 1);
         require_flag("position_bwd", "accumulate", s.accumulate);
       })});
  return info;
}

}  // namespace stepmark
