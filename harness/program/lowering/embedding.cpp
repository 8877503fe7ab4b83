// SPDX-License-Identifier: Apache-2.0
// Token embedding over this rank's vocabulary rows, summed over the group, and learned positions.
#include "kernels/ops/embedding.h"

#include <algorithm>

#include "harness/program/lowering/lowering.h"
#include "kernels/ops/context.h"
#include "kernels/ops/memory.h"

namespace stepmark {

// A rank has two chunks of each sequence, and with sequence parallelism a part of its rows.
std::vector<Lowering::PositionRun> Lowering::position_runs() const {
  const std::int64_t first = plan_.sequence_parallel ? shards_.index * share_tokens_ : 0;
  const std::int64_t chunk = plan_.rank_seq() / 2;
  std::vector<PositionRun> runs;
  for (std::int64_t row = 0; row < share_tokens_; row += runs.back().rows) {
    const std::int64_t token = (first + row) % plan_.rank_seq();
    runs.push_back(
        {.row = row,
         .rows = std::min(chunk - token % chunk, share_tokens_ - row),
         .position = position_in_sequence(chunk, plan_.cp, mesh_.context_part(rank_), token)});
  }
  return runs;
}

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
  if (model_.family == ModelFamily::gpt2 && plan_.cp > 1) {
    for (const PositionRun& run : position_runs()) {
      compute("position",
              PositionFwdShape{.rows = run.rows, .cols = model_.hidden, .seq = run.rows},
              {ProgramBuilder::part(param("position.weight"), run.position * model_.hidden,
                                    run.rows * model_.hidden),
               ProgramBuilder::part(x, run.row * model_.hidden, run.rows * model_.hidden)});
    }
  } else if (model_.family == ModelFamily::gpt2) {
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
  if (model_.family == ModelFamily::gpt2 && plan_.cp > 1) {
    // The other ranks' positions get nothing here.
    const BufferSlice table =
        ProgramBuilder::part(grad("position.weight"), 0, plan_.seq * model_.hidden);
    if (!pass_.adds_to_weights) {
      builder_.kernel("position.bwd.zero", kCompute,
                      pack(ZeroShape{.elements = table.elements}, DType::f32), {table});
    }
    for (const PositionRun& run : position_runs()) {
      compute(
          "position.bwd",
          PositionBwdShape{
              .rows = run.rows, .cols = model_.hidden, .seq = run.rows, .accumulate = 1},
          {ProgramBuilder::part(dx, run.row * model_.hidden, run.rows * model_.hidden),
           ProgramBuilder::part(table, run.position * model_.hidden, run.rows * model_.hidden)});
    }
  } else if (model_.family == ModelFamily::gpt2) {
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
