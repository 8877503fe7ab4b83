// SPDX-License-Identifier: Apache-2.0
// Cross-entropy and its gradient at once, where one rank has the whole vocabulary: what ce_max,
// ce_sum and ce_bwd (cross_entropy.h) are with the all-reduces of a tensor-parallel group between
// them. The maximum and the sum of a row are taken in one reading of the logits, the running sum
// being rescaled whenever the running maximum grows (Milakov & Gimelshein, arXiv 1805.02867), and
// the gradient is written over the logits while they are near.
#pragma once

#include "kernels/op.h"

namespace stepmark {

// logits (rows, cols + padding): the padding columns only align the rows; they take part in
// nothing, and their gradient is 0. loss (fp32, 1) [+]= scale * sum over rows of (log sum - target
// logit); logits become dlogits = scale * (softmax - onehot). A target outside of [0, cols) has no
// column: its logit counts as the row's maximum. Operands: logits (inout), targets (int32, rows),
// loss (accumulate).
struct CeFwdBwdShape {
  std::int64_t rows = 0, cols = 0, padding = 0, accumulate = 0;
  double scale = 1.0;
  STEPMARK_OP_SHAPE(ce_fwd_bwd, rows, cols, padding, accumulate, scale);
};

}  // namespace stepmark
