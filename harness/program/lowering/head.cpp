// SPDX-License-Identifier: Apache-2.0
// Final norm, output head over this rank's vocabulary columns, vocab-parallel cross-entropy, and
// the beginning of backward down to the residual stream. The products run over whole padded rows;
// the loss looks at vocabulary columns only and leaves a gradient of 0 in the padding, so that
// neither the other products nor the padding rows of the table get anything from it.
#include "harness/program/lowering/lowering.h"

#include <fmt/format.h>

#include "kernels/ops/cross_entropy.h"

namespace stepmark {

void Lowering::head_forward_backward(std::int64_t micro) {
  const std::string table = model_.tied_embeddings ? "embedding" : "head";
  const BufferSlice x =
      activation(fmt::format("x{}", model_.layers), share_tokens_ * model_.hidden);
  const BufferSlice normed = activation("final_norm.out", share_tokens_ * model_.hidden);
  norm_forward("final_norm", x, normed);
  const BufferSlice whole = gather_tokens("head", normed, "gathered");
  const BufferSlice logits = activation("logits", tokens_ * logits_width_);
  linear_forward(table, whole, logits, tokens_, logits_width_, model_.hidden, false);

  builder_.set_phase(Phase::loss);
  const BufferSlice targets = micro_slice(targets_in_, micro);
  const BufferSlice row_max = statistic("row_max", tokens_);
  const BufferSlice sums = statistic("sums", 2 * tokens_);
  const BufferSlice loss = buffer(kLossBuffer, BufferKind::scalar, DType::f32, 1);
  compute("loss.max", CeMaxShape{.rows = tokens_, .cols = vocab_.count, .padding = vocab_.padding},
          {logits, row_max});
  if (plan_.tp > 1) all_reduce("loss.max.reduce", kTensorAxis, row_max, DType::f32, ReduceOp::max);
  compute("loss.sum",
          CeSumShape{.rows = tokens_,
                     .cols = vocab_.count,
                     .padding = vocab_.padding,
                     .vocab_begin = vocab_.begin},
          {logits, row_max, targets, sums});
  if (plan_.tp > 1) all_reduce("loss.sum.reduce", kTensorAxis, sums, DType::f32, ReduceOp::sum);
  compute("loss.bwd",
          CeBwdShape{.rows = tokens_,
                     .cols = vocab_.count,
                     .padding = vocab_.padding,
                     .vocab_begin = vocab_.begin,
                     .accumulate = micro > 0 ? 1 : 0,
                     .scale = 1.0 / static_cast<double>(plan_.tokens_per_step())},
          {logits, row_max, targets, sums, loss});

  builder_.set_phase(Phase::backward);
  const BufferSlice dwhole = workspace("dpartial", tokens_ * model_.hidden);
  linear_input_gradient(table, logits, dwhole, tokens_, logits_width_, model_.hidden);
  const BufferSlice dnormed = reduce_tokens("head.dgrad", dwhole);
  linear_weight_gradient(table, logits, whole, tokens_, logits_width_, model_.hidden, micro);
  const BufferSlice dx = workspace("dx", share_tokens_ * model_.hidden);
  norm_backward("final_norm", dnormed, x, dx, false, micro);
}

}  // namespace stepmark
