// SPDX-License-Identifier: Apache-2.0
// Attention over chunks as small GEMMs, as kernels/host/attention.cpp does it: blocks of kBlock
// queries of one chunk, whose scores with all visible chunks of keys lie side by side, the chunk
// that is masked by the diagonal last. Tasks: (batch, head, block) forward; (batch, key/value head)
// backward.
#include "kernels/ops/context.h"

#include <cmath>
#include <limits>

#include "kernels/host/number.h"
#include "kernels/host/rope.h"
#include "kernels/host/sgemm.h"
#include "kernels/host/softmax.h"
#include "kernels/host/table.h"

namespace stepmark {
namespace {

using host::Matrix;
using host::sgemm;

constexpr std::int64_t kBlock = 64;

struct Chunks {
  std::int64_t batch, chunk, ways, pair, key_pair, key_pairs, heads, kv_heads, head_dim;
  bool accumulate;
  float scale;

  template <class S>
  explicit Chunks(const S& s)
      : batch(s.batch),
        chunk(s.chunk),
        ways(s.ways),
        pair(s.pair),
        key_pair(s.key_pair),
        key_pairs(s.key_pairs),
        heads(s.heads),
        kv_heads(s.kv_heads),
        head_dim(s.head_dim),
        accumulate(s.accumulate != 0),
        scale(1.0F / std::sqrt(static_cast<float>(s.head_dim))) {}

  [[nodiscard]] std::int64_t seq() const { return 2 * chunk; }
  [[nodiscard]] std::int64_t tokens() const { return batch * seq(); }
  [[nodiscard]] std::int64_t qkv_stride() const { return (heads + 2 * kv_heads) * head_dim; }
  [[nodiscard]] std::int64_t kv_stride() const { return 2 * kv_heads * head_dim; }
  [[nodiscard]] std::int64_t out_stride() const { return heads * head_dim; }
  [[nodiscard]] std::int64_t group() const { return heads / kv_heads; }
  // Of queries, those of both chunks.
  [[nodiscard]] std::int64_t blocks_of_chunk() const { return (chunk + kBlock - 1) / kBlock; }
  [[nodiscard]] std::int64_t blocks() const { return 2 * blocks_of_chunk(); }
  [[nodiscard]] std::int64_t kv_elements() const { return key_pairs * tokens() * kv_stride(); }
  [[nodiscard]] std::int64_t most_keys() const { return key_pairs * seq(); }
  // First token of segment `s` of the keys: half s % 2 of pair key_pair + s / 2.
  [[nodiscard]] std::int64_t key(std::int64_t b, std::int64_t kv, std::int64_t s) const {
    return ((s / 2 * batch + b) * seq() + s % 2 * chunk) * kv_stride() + kv * head_dim;
  }
  [[nodiscard]] std::int64_t value(std::int64_t b, std::int64_t kv, std::int64_t s) const {
    return key(b, kv, s) + kv_heads * head_dim;
  }
  [[nodiscard]] std::int64_t lse(std::int64_t b, std::int64_t h, std::int64_t q) const {
    return (b * heads + h) * seq() + q;
  }
};

// Some queries of one chunk, and the keys that they see.
struct Block {
  std::int64_t first, rows;    // token of the pair, and how many
  std::int64_t place;          // of the first one in its chunk
  std::int64_t whole = 0;      // segments of which all is visible
  std::int64_t diagonal = -1;  // segment with the same chunk, or none
  std::int64_t width = 0;      // keys that one of the queries sees

  Block(const Chunks& c, std::int64_t index) {
    const std::int64_t half = index / c.blocks_of_chunk();
    place = index % c.blocks_of_chunk() * kBlock;
    first = half * c.chunk + place;
    rows = std::min(kBlock, c.chunk - place);
    own_ = chunk_of(c.ways, c.pair, half);
    for (std::int64_t s = 0; s < 2 * c.key_pairs; ++s) {
      if (chunk_at(c, s) < own_) ++whole;
      if (chunk_at(c, s) == own_) diagonal = s;
    }
    width = whole * c.chunk + (diagonal < 0 ? 0 : place + rows);
  }

  // Keys that row i sees.
  [[nodiscard]] std::int64_t visible(const Chunks& c, std::int64_t i) const {
    return diagonal < 0 ? width : whole * c.chunk + place + i + 1;
  }
  // Calls f(segment, first column, keys), the masked one last.
  template <class F>
  void for_segments(const Chunks& c, F f) const {
    std::int64_t column = 0;
    for (std::int64_t s = 0; s < 2 * c.key_pairs; ++s) {
      if (chunk_at(c, s) >= own_) continue;
      f(s, column, c.chunk);
      column += c.chunk;
    }
    if (diagonal >= 0) f(diagonal, column, place + rows);
  }

 private:
  static std::int64_t chunk_at(const Chunks& c, std::int64_t s) {
    return chunk_of(c.ways, c.key_pair + s / 2, s % 2);
  }
  std::int64_t own_ = 0;
};

// What a row's result and its old one weigh in the merged one; lse becomes that of both.
struct Merge {
  float fresh, old;
};
Merge merge(bool accumulate, float sum, float block_lse, float& lse) {
  if (!accumulate) {
    lse = block_lse;
    return {.fresh = 1.0F / sum, .old = 0.0F};
  }
  const float largest = std::max(lse, block_lse);
  const float both = largest + std::log(std::exp(lse - largest) + std::exp(block_lse - largest));
  const Merge weights{.fresh = std::exp(block_lse - both) / sum, .old = std::exp(lse - both)};
  lse = both;
  return weights;
}

struct Forward {
  const float *qkv, *kv;
  float *out, *lse;
};

// scratch: kBlock rows of scores and of results.
void forward_block(const Chunks& c, const Forward& x, std::int64_t b, std::int64_t h,
                   const Block& block, float* scratch) {
  const std::int64_t kv = h / c.group(), width = block.width, token = b * c.seq() + block.first;
  float* out = x.out + token * c.out_stride() + h * c.head_dim;
  float* lse = x.lse + c.lse(b, h, block.first);
  if (width == 0) {
    for (std::int64_t i = 0; i < block.rows && !c.accumulate; ++i) {
      std::fill_n(out + i * c.out_stride(), c.head_dim, 0.0F);
      lse[i] = -std::numeric_limits<float>::infinity();
    }
    return;
  }
  float* score = scratch + kBlock * c.head_dim;
  const Matrix query{.data = x.qkv + token * c.qkv_stride() + h * c.head_dim,
                     .stride = c.qkv_stride()};
  block.for_segments(c, [&](std::int64_t s, std::int64_t column, std::int64_t keys) {
    const Matrix key{.data = x.kv + c.key(b, kv, s), .stride = c.kv_stride(), .transposed = true};
    sgemm(block.rows, keys, c.head_dim, c.scale, query, key, 0.0F, score + column, width);
  });
  float sums[kBlock], block_lse[kBlock];
  for (std::int64_t i = 0; i < block.rows; ++i) {
    block_lse[i] = host::softmax_row(score + i * width, block.visible(c, i), width, &sums[i]);
  }
  block.for_segments(c, [&](std::int64_t s, std::int64_t column, std::int64_t keys) {
    const Matrix value{.data = x.kv + c.value(b, kv, s), .stride = c.kv_stride()};
    sgemm(block.rows, c.head_dim, keys, 1.0F, {.data = score + column, .stride = width}, value,
          column > 0 ? 1.0F : 0.0F, scratch, c.head_dim);
  });
  for (std::int64_t i = 0; i < block.rows; ++i) {
    const Merge weights = merge(c.accumulate, sums[i], block_lse[i], lse[i]);
    const float* fresh = scratch + i * c.head_dim;
    float* row = out + i * c.out_stride();
    if (!c.accumulate) std::fill_n(row, c.head_dim, 0.0F);
#pragma omp simd
    for (std::int64_t d = 0; d < c.head_dim; ++d) {
      row[d] = row[d] * weights.old + fresh[d] * weights.fresh;
    }
  }
}

void forward(const Chunks& c, const Forward& x) {
  const std::int64_t problems = c.batch * c.heads, tasks = problems * c.blocks();
  const std::int64_t threads = omp_get_max_threads();
  const std::int64_t each = kBlock * (c.head_dim + c.most_keys());
  const auto scratch = host::make_scratch(threads * each);
  float* first = scratch.get();
#pragma omp parallel for schedule(dynamic) if (tasks >= threads)
  for (std::int64_t task = 0; task < tasks; ++task) {
    // Those that see most keys first.
    const Block block(c, c.blocks() - 1 - task / problems);
    const std::int64_t problem = task % problems;
    forward_block(c, x, problem / c.heads, problem % c.heads, block,
                  first + omp_get_thread_num() * each);
  }
}

struct Backward {
  const float *dout, *qkv, *kv, *out, *lse;
  float *dq, *dkv;
};

void backward_block(const Chunks& c, const Backward& x, std::int64_t b, std::int64_t h,
                    const Block& block, float* p, float* ds) {
  const std::int64_t kv = h / c.group(), width = block.width, token = b * c.seq() + block.first;
  const std::int64_t at = token * c.out_stride() + h * c.head_dim;
  const Matrix dout{.data = x.dout + at, .stride = c.out_stride()};
  const Matrix query{.data = x.qkv + token * c.qkv_stride() + h * c.head_dim,
                     .stride = c.qkv_stride()};
  const auto key = [&](std::int64_t s, bool transposed) {
    return Matrix{
        .data = x.kv + c.key(b, kv, s), .stride = c.kv_stride(), .transposed = transposed};
  };
  block.for_segments(c, [&](std::int64_t s, std::int64_t column, std::int64_t keys) {
    const Matrix value{
        .data = x.kv + c.value(b, kv, s), .stride = c.kv_stride(), .transposed = true};
    sgemm(block.rows, keys, c.head_dim, c.scale, query, key(s, true), 0.0F, p + column, width);
    sgemm(block.rows, keys, c.head_dim, 1.0F, dout, value, 0.0F, ds + column, width);
  });
  for (std::int64_t i = 0; i < block.rows && width > 0; ++i) {
    host::softmax_backward_row(p + i * width, ds + i * width, dout.data + i * dout.stride,
                               x.out + at + i * c.out_stride(), c.head_dim, c.scale,
                               x.lse[c.lse(b, h, block.first + i)], block.visible(c, i), width);
  }
  block.for_segments(c, [&](std::int64_t s, std::int64_t column, std::int64_t keys) {
    const auto of = [&](const float* rows, bool transposed) {
      return Matrix{.data = rows + column, .stride = width, .transposed = transposed};
    };
    sgemm(keys, c.head_dim, block.rows, 1.0F, of(p, true), dout, 1.0F, x.dkv + c.value(b, kv, s),
          c.kv_stride());
    sgemm(keys, c.head_dim, block.rows, 1.0F, of(ds, true), query, 1.0F, x.dkv + c.key(b, kv, s),
          c.kv_stride());
    sgemm(block.rows, c.head_dim, keys, 1.0F, of(ds, false), key(s, false), 1.0F, x.dq + at,
          c.out_stride());
  });
}

// Rows of one head that sums go into.
void zero_head(float* first, std::int64_t rows, std::int64_t stride, std::int64_t head_dim) {
  for (std::int64_t i = 0; i < rows; ++i) std::fill_n(first + i * stride, head_dim, 0.0F);
}

void backward(const Chunks& c, const Backward& x) {
  const std::int64_t tasks = c.batch * c.kv_heads, threads = omp_get_max_threads();
  const std::int64_t score_elements = kBlock * c.most_keys();
  const auto scratch = host::make_scratch(2 * threads * score_elements);
  float* scores = scratch.get();
#pragma omp parallel for schedule(dynamic) if (tasks >= threads)
  for (std::int64_t task = 0; task < tasks; ++task) {
    const std::int64_t b = task / c.kv_heads, kv = task % c.kv_heads;
    float* p = scores + std::int64_t{2} * omp_get_thread_num() * score_elements;
    for (std::int64_t s = 0; s < 2 * c.key_pairs; ++s) {
      zero_head(x.dkv + c.key(b, kv, s), c.chunk, c.kv_stride(), c.head_dim);
      zero_head(x.dkv + c.value(b, kv, s), c.chunk, c.kv_stride(), c.head_dim);
    }
    for (std::int64_t h = kv * c.group(); h < (kv + 1) * c.group(); ++h) {
      if (!c.accumulate) {
        zero_head(x.dq + b * c.seq() * c.out_stride() + h * c.head_dim, c.seq(), c.out_stride(),
                  c.head_dim);
      }
      for (std::int64_t i = 0; i < c.blocks(); ++i) {
        backward_block(c, x, b, h, Block(c, i), p, p + score_elements);
      }
    }
  }
}

// Copies `rows` rows of `width` elements, from_row(i) to to_row(i).
template <class FromRow, class ToRow>
void copy_rows(const OpShape& shape, void* const* operands, std::int64_t rows, std::int64_t width,
               FromRow from_row, ToRow to_row) {
  host::with_type(shape.dtype, [&]<class T>(T) {
    const T* from = host::input<T>(operands, 0);
    T* to = host::output<T>(operands, 1);
    host::parallel_each(rows, width, [=](std::int64_t i) {
      std::copy_n(from + from_row(i) * width, width, to + to_row(i) * width);
    });
  });
}

}  // namespace

void host_attention_chunks_fwd(const OpShape& shape, void* const* operands) {
  const auto s = unpack<AttentionChunksFwdShape>(shape);
  const Chunks c(s);
  float* lse = host::output<float>(operands, 3);
  if (shape.dtype == DType::f32) {
    return forward(c, {.qkv = host::input<float>(operands, 0),
                       .kv = host::input<float>(operands, 1),
                       .out = host::output<float>(operands, 2),
                       .lse = lse});
  }
  const auto qkv = host::widened(host::input<bf16>(operands, 0), c.tokens() * c.qkv_stride());
  const auto kv = host::widened(host::input<bf16>(operands, 1), c.kv_elements());
  const std::int64_t results = c.tokens() * c.out_stride();
  const auto scratch = host::make_scratch(s.out_f32 != 0 ? 0 : results);
  float* out = s.out_f32 != 0 ? host::output<float>(operands, 2) : scratch.get();
  forward(c, {.qkv = qkv.get(), .kv = kv.get(), .out = out, .lse = lse});
  if (s.out_f32 == 0) host::convert(out, host::output<bf16>(operands, 2), results);
}

void host_attention_chunks_bwd(const OpShape& shape, void* const* operands) {
  const Chunks c(unpack<AttentionChunksBwdShape>(shape));
  const float* lse = host::input<float>(operands, 4);
  float *dq = host::output<float>(operands, 5), *dkv = host::output<float>(operands, 6);
  if (shape.dtype == DType::f32) {
    return backward(c, {.dout = host::input<float>(operands, 0),
                        .qkv = host::input<float>(operands, 1),
                        .kv = host::input<float>(operands, 2),
                        .out = host::input<float>(operands, 3),
                        .lse = lse,
                        .dq = dq,
                        .dkv = dkv});
  }
  const std::int64_t results = c.tokens() * c.out_stride();
  const auto dout = host::widened(host::input<bf16>(operands, 0), results);
  const auto qkv = host::widened(host::input<bf16>(operands, 1), c.tokens() * c.qkv_stride());
  const auto kv = host::widened(host::input<bf16>(operands, 2), c.kv_elements());
  const auto out = host::widened(host::input<bf16>(operands, 3), results);
  backward(c, {.dout = dout.get(),
               .qkv = qkv.get(),
               .kv = kv.get(),
               .out = out.get(),
               .lse = lse,
               .dq = dq,
               .dkv = dkv});
}

void host_rope_chunks(const OpShape& shape, void* const* operands) {
  const auto s = unpack<RopeChunksShape>(shape);
  const RopeShape pair{.batch = s.batch,
                       .seq = 2 * s.chunk,
                       .heads = s.heads,
                       .kv_heads = s.kv_heads,
                       .head_dim = s.head_dim,
                       .inverse = s.inverse,
                       .theta = s.theta};
  host::rotate_heads(pair, shape.dtype, operands, [=](std::int64_t token) {
    return position_in_sequence(s.chunk, s.ways, s.pair, token);
  });
}

void host_kv_split(const OpShape& shape, void* const* operands) {
  const auto s = unpack<KvSplitShape>(shape);
  const std::int64_t width = 2 * s.kv_heads * s.head_dim, before = s.heads * s.head_dim;
  host::with_type(shape.dtype, [&]<class T>(T) {
    const T* qkv = host::input<T>(operands, 0);
    T* kv = host::output<T>(operands, 1);
    host::parallel_each(s.tokens, width, [=](std::int64_t t) {
      std::copy_n(qkv + t * (before + width) + before, width, kv + t * width);
    });
  });
}

void host_qkv_join(const OpShape& shape, void* const* operands) {
  const auto s = unpack<QkvJoinShape>(shape);
  const std::int64_t width = 2 * s.kv_heads * s.head_dim, before = s.heads * s.head_dim;
  const float *dq = host::input<float>(operands, 0), *dkv = host::input<float>(operands, 1);
  host::with_type(shape.dtype, [&]<class T>(T) {
    T* dqkv = host::output<T>(operands, 2);
    host::parallel_each(s.tokens, before + width, [=](std::int64_t t) {
      T* row = dqkv + t * (before + width);
      const float *queries = dq + t * before, *keys = dkv + t * width;
#pragma omp simd
      for (std::int64_t i = 0; i < before; ++i) host::store(row[i], queries[i]);
#pragma omp simd
      for (std::int64_t i = 0; i < width; ++i) host::store(row[before + i], keys[i]);
    });
  });
}

void host_heads_to_ranks(const OpShape& shape, void* const* operands) {
  const auto s = unpack<HeadsToRanksShape>(shape);
  const std::int64_t q = s.heads / s.ways, kv = s.kv_heads / s.ways, share = q + 2 * kv;
  // Row of head_dim elements in (tokens, heads) of row i in (ways, tokens, share of heads).
  const auto plain = [=](std::int64_t i) {
    const std::int64_t w = i / (share * s.tokens), t = i / share % s.tokens, h = i % share;
    std::int64_t head = w * q + h;
    if (h >= q) head = s.heads + (h < q + kv ? 0 : s.kv_heads - kv) + w * kv + h - q;
    return t * (s.heads + 2 * s.kv_heads) + head;
  };
  const auto same = [](std::int64_t i) { return i; };
  const std::int64_t rows = s.tokens * share * s.ways;
  if (s.inverse != 0) return copy_rows(shape, operands, rows, s.head_dim, same, plain);
  copy_rows(shape, operands, rows, s.head_dim, plain, same);
}

void host_chunks_in_order(const OpShape& shape, void* const* operands) {
  const auto s = unpack<ChunksInOrderShape>(shape);
  const std::int64_t seq = 2 * s.chunk;
  // Token in (batch, whole sequence) of token i in (ways, batch, 2, chunk).
  const auto whole = [=](std::int64_t i) {
    const std::int64_t w = i / (seq * s.batch), b = i / seq % s.batch;
    return b * s.ways * seq + position_in_sequence(s.chunk, s.ways, w, i % seq);
  };
  const auto same = [](std::int64_t i) { return i; };
  const std::int64_t rows = s.batch * s.ways * seq;
  if (s.inverse != 0) return copy_rows(shape, operands, rows, s.width, whole, same);
  copy_rows(shape, operands, rows, s.width, same, whole);
}

}  // namespace stepmark
