// SPDX-License-Identifier: Apache-2.0
// Gradients of tables are shared out so that no two threads add to one element, and rows are added
// in order: by columns where any row may hit any table row, by table row where the hits are known.
#include "kernels/ops/embedding.h"

#include <algorithm>

#include "kernels/host/number.h"
#include "kernels/host/table.h"

namespace stepmark {
namespace {

using host::load;
using host::store;

void zero_table(float* table, std::int64_t elements) {
  host::parallel_elements(elements, [=](std::int64_t begin, std::int64_t end) {
    std::fill(table + begin, table + end, 0.0F);
  });
}

}  // namespace

void host_embedding_fwd(const OpShape& shape, void* const* operands) {
  const auto s = unpack<EmbeddingFwdShape>(shape);
  const auto* tokens = host::input<std::int32_t>(operands, 0);
  host::with_type(shape.dtype, [&]<class T>(T) {
    const T* table = host::input<T>(operands, 1);
    T* out = host::output<T>(operands, 2);
    host::parallel_each(s.rows, s.cols, [=](std::int64_t r) {
      const std::int64_t row = tokens[r] - s.vocab_begin;
      if (row >= 0 && row < s.vocab_rows) {
        std::copy_n(table + row * s.cols, s.cols, out + r * s.cols);
      } else {
        std::fill_n(out + r * s.cols, s.cols, T{});
      }
    });
  });
}

void host_embedding_bwd(const OpShape& shape, void* const* operands) {
  const auto s = unpack<EmbeddingBwdShape>(shape);
  const auto* tokens = host::input<std::int32_t>(operands, 0);
  float* table = host::output<float>(operands, 2);
  if (s.accumulate == 0) zero_table(table, s.vocab_rows * s.cols);
  host::with_type(shape.dtype, [&]<class T>(T) {
    const T* dy = host::input<T>(operands, 1);
    host::parallel_ranges<host::kLineGrain>(s.cols, s.rows * s.cols,
                                            [=](std::int64_t begin, std::int64_t end) {
                                              for (std::int64_t r = 0; r < s.rows; ++r) {
                                                const std::int64_t row = tokens[r] - s.vocab_begin;
                                                if (row < 0 || row >= s.vocab_rows) continue;
                                                const T* from = dy + r * s.cols;
                                                float* to = table + row * s.cols;
#pragma omp simd
                                                for (std::int64_t c = begin; c < end; ++c)
                                                  to[c] += load(from[c]);
                                              }
                                            });
  });
}

void host_position_fwd(const OpShape& shape, void* const* operands) {
  const auto s = unpack<PositionFwdShape>(shape);
  host::with_type(shape.dtype, [&]<class T>(T) {
    const T* table = host::input<T>(operands, 0);
    T* x = host::output<T>(operands, 1);
    host::parallel_each(s.rows, s.cols, [=](std::int64_t r) {
      const T* from = table + (s.row_begin + r) % s.seq * s.cols;
      T* to = x + r * s.cols;
#pragma omp simd
      for (std::int64_t c = 0; c < s.cols; ++c) store(to[c], load(to[c]) + load(from[c]));
    });
  });
}

void host_position_bwd(const OpShape& shape, void* const* operands) {
  const auto s = unpack<PositionBwdShape>(shape);
  float* table = host::output<float>(operands, 1);
  host::with_type(shape.dtype, [&]<class T>(T) {
    const T* dy = host::input<T>(operands, 0);
    const std::int64_t work_each = s.cols * (s.rows / s.seq + 1);
    host::parallel_each(s.seq, work_each, [=](std::int64_t position) {
      float* to = table + position * s.cols;
      if (s.accumulate == 0) std::fill_n(to, s.cols, 0.0F);
      const std::int64_t first = ((position - s.row_begin) % s.seq + s.seq) % s.seq;
      for (std::int64_t r = first; r < s.rows; r += s.seq) {
        const T* from = dy + r * s.cols;
#pragma omp simd
        for (std::int64_t c = 0; c < s.cols; ++c) to[c] += load(from[c]);
      }
    });
  });
}

}  // namespace stepmark
