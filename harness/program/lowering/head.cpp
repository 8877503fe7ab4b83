// SPDX-License-Identifier: Apache-2.0
// Final norm, output head over this rank's vocabulary columns, cross-entropy, and the beginning of
// backward down to the residual stream. Head and loss go through the tokens piece by piece: the
// logits of a piece become their gradient in place and are used up before the next piece's are
// computed, so that only one piece is ever in memory (as in Hsu et al., "Liger Kernel", arXiv
// 2410.10989, section 3.2). The GEMMs run over whole padded rows; the loss looks at vocabulary
// columns only and leaves a gradient of 0 in the padding, so that neither the other GEMMs nor
// the padding rows of the table get anything from it. Where weight gradients are computed later,
// those of the head are not: all logits would have to be kept for them.
#include "harness/program/lowering/lowering.h"

#include <fmt/format.h>

#include <algorithm>

#include "kernels/ops/cross_entropy.h"
#include "kernels/ops/loss.h"

namespace stepmark {

void Lowering::head_forward_backward() {
  const BufferSlice x = residual(model_.layers);
  const BufferSlice normed =
      activation("final_norm.out", share_tokens_ * model_.hidden);  // (share, hidden)
  norm_forward("final_norm", x, normed);
  const BufferSlice whole = gather_tokens("head", normed, "gathered");
  const BufferSlice dwhole = workspace("dpartial", tokens_ * model_.hidden);  // (tokens, hidden)
  const std::int64_t piece = plan_.loss_tokens();
  for (std::int64_t begin = 0; begin < tokens_; begin += piece) {
    head_piece(begin, std::min(tokens_, begin + piece), whole, dwhole);
  }
  const BufferSlice dnormed = reduce_tokens("head.dgrad", dwhole);
  norm_backward("final_norm", dnormed, x, gradient_before(model_.layers), false);
}

void Lowering::head_piece(std::int64_t begin, std::int64_t end, BufferSlice whole,
                          BufferSlice dwhole) {
  const std::string table = model_.tied_embeddings ? "embedding" : "head";
  const std::int64_t tokens = end - begin;
  const auto rows = [&](BufferSlice all, std::int64_t width) {
    return ProgramBuilder::part(all, begin * width, tokens * width);
  };
  // (loss tokens, vocabulary). The next piece writes over the logits of this one, which by then are
  // used up.
  const BufferSlice logits =
      ProgramBuilder::part(buffer("logits", BufferKind::activation, plan_.precision,
                                  plan_.loss_tokens() * logits_width_),
                           0, tokens * logits_width_);
  builder_.set_phase(Phase::forward);
  linear_forward(table, rows(whole, model_.hidden), logits, tokens, logits_width_, model_.hidden,
                 false);
  builder_.set_phase(Phase::loss);
  const BufferSlice targets = rows(micro_slice(targets_in_), 1);
  const bool first = begin == 0 && !pass_.adds_to_norms;
  const bool first_loss = begin == 0 && !pass_.adds_to_loss;
  shards_.ways > 1 ? sharded_loss(logits, targets, first_loss)
                   : whole_loss(logits, targets, first_loss);
  builder_.set_phase(Phase::backward);
  beside_sums(
      [&] {
        linear_input_gradient(table, logits, rows(dwhole, model_.hidden), tokens, logits_width_,
                              model_.hidden);
      },
      [&] {
        linear_weight_gradient(table, logits, rows(whole, model_.hidden), tokens, logits_width_,
                               model_.hidden, !first);
      },
      /*both=*/true);
}

void Lowering::whole_loss(BufferSlice logits, BufferSlice targets, bool first) {
  compute("loss",
          CeFwdBwdShape{.rows = targets.elements,
                        .cols = shards_.vocab.count,
                        .padding = shards_.vocab.padding,
                        .accumulate = first ? 0 : 1,
                        .scale = 1.0 / static_cast<double>(plan_.tokens_per_step())},
          {logits, targets, loss_buffer()});
}

void Lowering::sharded_loss(BufferSlice logits, BufferSlice targets, bool first) {
  const std::int64_t tokens = targets.elements;
  // (loss tokens) and (2, loss tokens)
  const BufferSlice row_max =
      ProgramBuilder::part(statistic("row_max", plan_.loss_tokens()), 0, tokens);
  const BufferSlice sums =
      ProgramBuilder::part(statistic("sums", 2 * plan_.loss_tokens()), 0, 2 * tokens);
  compute("loss.max",
          CeMaxShape{.rows = tokens, .cols = shards_.vocab.count, .padding = shards_.vocab.padding},
          {logits, row_max});
  sum_shards("loss.max.reduce", row_max, DType::f32, ReduceOp::max);
  compute("loss.sum",
          CeSumShape{.rows = tokens,
                     .cols = shards_.vocab.count,
                     .padding = shards_.vocab.padding,
                     .vocab_begin = shards_.vocab.begin},
          {logits, row_max, targets, sums});
  sum_shards("loss.sum.reduce", sums, DType::f32);
  compute("loss.bwd",
          CeBwdShape{.rows = tokens,
                     .cols = shards_.vocab.count,
                     .padding = shards_.vocab.padding,
                     .vocab_begin = shards_.vocab.begin,
                     .accumulate = first ? 0 : 1,
                     .scale = 1.0 / static_cast<double>(plan_.tokens_per_step())},
          {logits, row_max, targets, sums, loss_buffer()});
}

}  // namespace stepmark
