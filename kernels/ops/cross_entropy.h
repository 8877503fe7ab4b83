// SPDX-License-Identifier: Apache-2.0
// Vocab-parallel cross-entropy in three local parts with two all-reduces between them
// (arXiv 1909.08053, section 3): maximum, sum of exponentials with the target's logit, gradient.
// logits (rows, cols + padding) hold vocabulary columns [vocab_begin, vocab_begin + cols). The
// padding columns after them only align the rows: they take part in nothing, and their gradient is
// 0.
#pragma once

#include "kernels/op.h"

namespace stepmark {

// Operands: logits, row_max (fp32, rows).
struct CeMaxShape {
  std::int64_t rows = 0, cols = 0, padding = 0;
  STEPMARK_OP_SHAPE(ce_max, rows, cols, padding);
};
// sums (fp32; 2, rows): [0] = sum of exp(logit - row_max), [1] = target logit - row_max or 0 when
// the target is not in this shard. Operands: logits, row_max, targets (int32, rows), sums.
struct CeSumShape {
  std::int64_t rows = 0, cols = 0, padding = 0, vocab_begin = 0;
  STEPMARK_OP_SHAPE(ce_sum, rows, cols, padding, vocab_begin);
};
// loss (fp32, 1) [+]= scale * sum over rows of (log sum - target logit);
// logits become dlogits = scale * (softmax - onehot), 0 in the padding. Operands: logits (inout),
// row_max, targets, sums, loss (accumulate). scale is 1 / (tokens of the global batch seen by this
// data-parallel rank).
struct CeBwdShape {
  std::int64_t rows = 0, cols = 0, padding = 0, vocab_begin = 0, accumulate = 0;
  double scale = 1.0;
  STEPMARK_OP_SHAPE(ce_bwd, rows, cols, padding, vocab_begin, accumulate, scale);
};

}  // namespace stepmark
