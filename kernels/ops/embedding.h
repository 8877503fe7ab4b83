// SPDX-License-Identifier: Apache-2.0
// Token and position embeddings. The token table may hold only the rows
// [vocab_begin, vocab_begin + vocab_rows) of the vocabulary (vocab-parallel): tokens outside give
// zero rows, and the sum over the tensor-parallel group completes them (arXiv 1909.08053).
#pragma once

#include "kernels/op.h"

namespace stepmark {

// Operands: tokens (int32, rows), table (vocab_rows, cols), out (rows, cols).
struct EmbeddingFwdShape {
  std::int64_t rows = 0, cols = 0, vocab_begin = 0, vocab_rows = 0;
  STEPMARK_OP_SHAPE(embedding_fwd, rows, cols, vocab_begin, vocab_rows);
};
// dtable (fp32) [zeroed unless accumulate, then] += rows of dy. Deterministic: rows are added in
// order. Operands: tokens, dy, dtable.
struct EmbeddingBwdShape {
  std::int64_t rows = 0, cols = 0, vocab_begin = 0, vocab_rows = 0, accumulate = 0;
  STEPMARK_OP_SHAPE(embedding_bwd, rows, cols, vocab_begin, vocab_rows, accumulate);
};
// x (rows, cols) += table[(row_begin + row) % seq]. Operands: table (seq, cols), x (inout).
struct PositionFwdShape {
  std::int64_t rows = 0, cols = 0, seq = 0, row_begin = 0;
  STEPMARK_OP_SHAPE(position_fwd, rows, cols, seq, row_begin);
};
// dtable (fp32; seq, cols) [zeroed unless accumulate, then] += rows of dy. Operands: dy, dtable.
struct PositionBwdShape {
  std::int64_t rows = 0, cols = 0, seq = 0, row_begin = 0, accumulate = 0;
  STEPMARK_OP_SHAPE(position_bwd, rows, cols, seq, row_begin, accumulate);
};

}  // namespace stepmark
