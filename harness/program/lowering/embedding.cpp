// SPDX-License-Identifier: Apache-2.0
// Token embedding over this rank's vocabulary rows, summed over the group, and learned positions.
#include "kernels/ops/embedding.h"

#include "harness/program/lowering/lowering.h"

namespace stepmark {

void Lowering::embedding_forward() {
  const BufferSlice x = activation("x0", share_tokens_ * model_.hidden);  // (share, hidden)
  const BufferSlice whole =                                               // (tokens, hidden)
      plan_.sequence_parallel ? workspace("partial", tokens_ * model_.hidden) : x;
  compute("embedding",
          EmbeddingFwdShape{.rows = tokens_,
                            .cols = model_.hidden,
                            .vocab_begin = shards_.vocab.begin,
                            .vocab_rows = shards_.vocab.count},
          {micro_slice(tokens_in_), table_rows(param("embedding.weight")), whole});
  sum_tokens("embedding", whole, x);
  if (model_.family == ModelFamily::gpt2) {
    compute(
        "position",
        PositionFwdShape{.rows = share_tokens_,
                         .cols = model_.hidden,
                         .seq = plan_.seq,
                         .row_begin = plan_.sequence_parallel ? shards_.index * share_tokens_ : 0},
        {ProgramBuilder::part(param("position.weight"), 0, plan_.seq * model_.hidden), x});
  }
}

void Lowering::embedding_backward() {
  const BufferSlice dx = workspace("dx", share_tokens_ * model_.hidden);  // (share, hidden)
  if (model_.family == ModelFamily::gpt2) {
    compute(
        "position.bwd",
        PositionBwdShape{.rows = share_tokens_,
                         .cols = model_.hidden,
                         .seq = plan_.seq,
                         .row_begin = plan_.sequence_parallel ? shards_.index * share_tokens_ : 0,
                         .accumulate = accumulate_ ? 1 : 0},
        {dx, ProgramBuilder::part(grad("position.weight"), 0, plan_.seq * model_.hidden)});
  }
  const BufferSlice dy = gather_tokens("embedding.bwd", dx, "gathered_dy");
  // With tied tables the head's GEMM has written this gradient already.
  const bool accumulate = accumulate_ || model_.tied_embeddings;
  compute("embedding.bwd",
          EmbeddingBwdShape{.rows = tokens_,
                            .cols = model_.hidden,
                            .vocab_begin = shards_.vocab.begin,
                            .vocab_rows = shards_.vocab.count,
                            .accumulate = accumulate ? 1 : 0},
          {micro_slice(tokens_in_), dy, table_rows(grad("embedding.weight"))});
}

}  // namespace stepmark
