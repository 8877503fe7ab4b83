// SPDX-License-Identifier: Apache-2.0
// Gradient norm, clipping and AdamW (arXiv 1711.05101) over flat arrays.
#pragma once

#include "kernels/op.h"

namespace stepmark {

// out (fp32, 1) [+]= weight * sum of squares of grad (fp32, elements). Operands: grad, out.
struct SumSquaresShape {
  std::int64_t elements = 0, accumulate = 0;
  double weight = 1.0;
  STEPMARK_OP_SHAPE(sum_squares, elements, accumulate, weight);
};
// From sum (fp32, 1): norm_and_scale (fp32, 2) = [ sqrt(sum), min(1, max_norm / (sqrt(sum) + 1e-6))
// ]; max_norm <= 0: scale 1. Operands: sum, norm_and_scale.
struct ClipScaleShape {
  std::int64_t unused = 0;
  double max_norm = 1.0;
  STEPMARK_OP_SHAPE(clip_scale, unused, max_norm);
};
// One AdamW update. Operands: grad (fp32), norm_and_scale (fp32, 2; absent when unscaled), step
// (fp32, 1: number of this update, from 1, for the bias correction), m (fp32, inout), v (fp32,
// inout), master (fp32, inout; absent when dtype is fp32), param (op dtype, inout).
// fp32: param is its own master. bf16: master is updated and param is its rounding.
// unscaled: the gradient is taken as it is, bit for bit what a scale of 1 gives.
struct AdamWShape {
  std::int64_t elements = 0, unscaled = 0;
  double lr = 1e-3, beta1 = 0.9, beta2 = 0.95, eps = 1e-8, weight_decay = 0.0;
  STEPMARK_OP_SHAPE(adamw, elements, unscaled, lr, beta1, beta2, eps, weight_decay);
};
// step (fp32, 1) += 1. Operand: step (inout). Runs once before the adamw ops of a step.
struct StepCountShape {
  std::int64_t unused = 0;
  STEPMARK_OP_SHAPE(step_count, unused);
};

}  // namespace stepmark
