// SPDX-License-Identifier: Apache-2.0
// Token embedding over this rank's vocabulary rows, summed over the group, and learned positions.
#include "kernels/ops/embedding.h"

#include "harness/program/lowering/lowering.h"

namespace stepmark {

void Lowering::embedding_forward() {
  const BufferSlice x = residual(0);  // (share, hidden)
  const BufferSlice whole =           // (tokens, hidden)
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
  const BufferSlice dx = gradient_before(0);  // (share, hidden)
  if (model_.family == ModelFamily::gpt2) {
    compute(
        "position.bwd",
        PositionBwdShape{.rows = share_tokens_,
                         .cols = model_.hidden,
                         .seq = plan_.seq,
                         .row_begin = plan_.sequence_parallel ? shards_.index * share_tokens_ : 0,
                         .accumulate = pass_.adds_to_weights ? 1 : 0},
        {dx, ProgramBuilder::part(grad("position.weight"), 0, plan_.seq * model_.hidden)});
  }
  const BufferSlice dy = gather_tokens("embedding.bwd", dx, "gathered_dy");
  // With tied tables the head's GEMM has written this gradient already, if the head is here.
  const bool accumulate = pass_.adds_to_weights || (model_.tied_embeddings && pass_.stage.last);
  compute("embedding.bwd",
          EmbeddingBwdShape{.rows = tokens_,
                            .cols = model_.hidden,
                            .vocab_begin = shards_.vocab.begin,
                            .vocab_rows = shards_.vocab.count,
                            .accumulate = accumulate ? 1 : 0},
          {micro_slice(tokens_in_), dy, table_rows(grad("embedding.weight"))});
}

}  // namespace stepmark
