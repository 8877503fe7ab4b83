// SPDX-License-Identifier: Apache-2.0
// Attention as small GEMMs (OpenBLAS, one thread each) over blocks of kBlock queries;
// keys beyond a block's last query are skipped, so about half of the score matrix is never made.
// Tasks, run side by side: (batch, head, block) forward; (batch, key/value head) backward, where
// the query heads and blocks that add to one dK and dV are taken in a fixed order. When there are
// fewer tasks than threads, the GEMMs use the threads instead. bf16 is widened to fp32 scratch
// first.
#include "kernels/ops/attention.h"

#include <cmath>

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

// Strides and slices of the packed arrays for one problem.
struct Layout {
  std::int64_t batch, seq, heads, kv_heads, head_dim;
  float scale;

  template <class S>
  explicit Layout(const S& s)
      : batch(s.batch),
        seq(s.seq),
        heads(s.heads),
        kv_heads(s.kv_heads),
        head_dim(s.head_dim),
        scale(1.0F / std::sqrt(static_cast<float>(s.head_dim))) {}

  [[nodiscard]] std::int64_t tokens() const { return batch * seq; }
  [[nodiscard]] std::int64_t qkv_stride() const { return (heads + 2 * kv_heads) * head_dim; }
  [[nodiscard]] std::int64_t out_stride() const { return heads * head_dim; }
  [[nodiscard]] std::int64_t group() const { return heads / kv_heads; }
  [[nodiscard]] std::int64_t blocks() const { return (seq + kBlock - 1) / kBlock; }
  [[nodiscard]] std::int64_t query(std::int64_t b, std::int64_t h, std::int64_t q) const {
    return (b * seq + q) * qkv_stride() + h * head_dim;
  }
  [[nodiscard]] std::int64_t key(std::int64_t b, std::int64_t kv) const {
    return b * seq * qkv_stride() + (heads + kv) * head_dim;
  }
  [[nodiscard]] std::int64_t value(std::int64_t b, std::int64_t kv) const {
    return key(b, kv) + kv_heads * head_dim;
  }
  [[nodiscard]] std::int64_t out(std::int64_t b, std::int64_t h, std::int64_t q) const {
    return (b * seq + q) * out_stride() + h * head_dim;
  }
};

void forward_block(const Layout& l, std::int64_t b, std::int64_t h, std::int64_t block,
                   const float* qkv, float* out, float* lse, float* score) {
  const std::int64_t first = block * kBlock, rows = std::min(kBlock, l.seq - first);
  const std::int64_t width = first + rows, kv = h / l.group(), stride = l.qkv_stride();
  sgemm(rows, width, l.head_dim, l.scale, {.data = qkv + l.query(b, h, first), .stride = stride},
        {.data = qkv + l.key(b, kv), .stride = stride, .transposed = true}, 0.0F, score, width);
  float sums[kBlock];
  for (std::int64_t i = 0; i < rows; ++i) {
    lse[(b * l.heads + h) * l.seq + first + i] =
        host::softmax_row(score + i * width, first + i + 1, width, &sums[i]);
  }
  float* o = out + l.out(b, h, first);
  sgemm(rows, l.head_dim, width, 1.0F, {.data = score, .stride = width},
        {.data = qkv + l.value(b, kv), .stride = stride}, 0.0F, o, l.out_stride());
  for (std::int64_t i = 0; i < rows; ++i) {
    float* row = o + i * l.out_stride();
    const float factor = 1.0F / sums[i];
#pragma omp simd
    for (std::int64_t d = 0; d < l.head_dim; ++d) row[d] *= factor;
  }
}

void attention_fwd(const Layout& l, const float* qkv, float* out, float* lse) {
  const std::int64_t blocks = l.blocks(), tasks = l.batch * l.heads * blocks;
  const std::int64_t threads = omp_get_max_threads();
  const std::int64_t score_elements = kBlock * l.seq;
  const auto scratch = host::make_scratch(threads * score_elements);
  float* scores = scratch.get();
#pragma omp parallel for schedule(dynamic) if (tasks >= threads)
  for (std::int64_t task = 0; task < tasks; ++task) {
    // The longest blocks first, so that threads finish together.
    const std::int64_t block = blocks - 1 - task / (l.batch * l.heads);
    const std::int64_t bh = task % (l.batch * l.heads);
    forward_block(l, bh / l.heads, bh % l.heads, block, qkv, out, lse,
                  scores + omp_get_thread_num() * score_elements);
  }
}

struct Backward {
  const float *dout, *qkv, *out, *lse;
  float* dqkv;
};

// `add`: dK and dV of the keys seen hold sums already.
void backward_block(const Layout& l, const Backward& x, std::int64_t b, std::int64_t h,
                    std::int64_t block, bool add, float* p, float* ds) {
  const std::int64_t first = block * kBlock, rows = std::min(kBlock, l.seq - first);
  const std::int64_t width = first + rows, kv = h / l.group(), stride = l.qkv_stride();
  const Matrix query{.data = x.qkv + l.query(b, h, first), .stride = stride};
  const Matrix key{.data = x.qkv + l.key(b, kv), .stride = stride};
  const Matrix value{.data = x.qkv + l.value(b, kv), .stride = stride};
  const Matrix dout{.data = x.dout + l.out(b, h, first), .stride = l.out_stride()};
  const auto transposed = [](Matrix m) {
    m.transposed = true;
    return m;
  };
  sgemm(rows, width, l.head_dim, l.scale, query, transposed(key), 0.0F, p, width);
  sgemm(rows, width, l.head_dim, 1.0F, dout, transposed(value), 0.0F, ds, width);
  for (std::int64_t i = 0; i < rows; ++i) {
    host::softmax_backward_row(p + i * width, ds + i * width, dout.data + i * dout.stride,
                               x.out + l.out(b, h, first + i), l.head_dim, l.scale,
                               x.lse[(b * l.heads + h) * l.seq + first + i], first + i + 1, width);
  }
  const float beta = add ? 1.0F : 0.0F;
  sgemm(width, l.head_dim, rows, 1.0F, {.data = p, .stride = width, .transposed = true}, dout, beta,
        x.dqkv + l.value(b, kv), stride);
  sgemm(width, l.head_dim, rows, 1.0F, {.data = ds, .stride = width, .transposed = true}, query,
        beta, x.dqkv + l.key(b, kv), stride);
  sgemm(rows, l.head_dim, width, 1.0F, {.data = ds, .stride = width}, key, 0.0F,
        x.dqkv + l.query(b, h, first), stride);
}

void attention_bwd(const Layout& l, const Backward& x) {
  const std::int64_t tasks = l.batch * l.kv_heads;
  const std::int64_t threads = omp_get_max_threads();
  const std::int64_t score_elements = kBlock * l.seq;
  const auto scratch = host::make_scratch(2 * threads * score_elements);
  float* scores = scratch.get();
#pragma omp parallel for schedule(dynamic) if (tasks >= threads)
  for (std::int64_t task = 0; task < tasks; ++task) {
    const std::int64_t b = task / l.kv_heads, kv = task % l.kv_heads;
    float* p = scores + std::int64_t{2} * omp_get_thread_num() * score_elements;
    for (std::int64_t i = 0; i < l.group(); ++i) {
      // The last block sees every key: taken first, it writes all of dK and dV.
      for (std::int64_t block = l.blocks() - 1; block >= 0; --block) {
        const bool add = i > 0 || block < l.blocks() - 1;
        backward_block(l, x, b, kv * l.group() + i, block, add, p, p + score_elements);
      }
    }
  }
}

}  // namespace

void host_attention_fwd(const OpShape& shape, void* const* operands) {
  const Layout l{unpack<AttentionFwdShape>(shape)};
  float* lse = host::output<float>(operands, 2);
  if (shape.dtype == DType::f32) {
    attention_fwd(l, host::input<float>(operands, 0), host::output<float>(operands, 1), lse);
    return;
  }
  const auto qkv = host::widened(host::input<bf16>(operands, 0), l.tokens() * l.qkv_stride());
  const auto out = host::make_scratch(l.tokens() * l.out_stride());
  attention_fwd(l, qkv.get(), out.get(), lse);
  host::convert(out.get(), host::output<bf16>(operands, 1), l.tokens() * l.out_stride());
}

void host_attention_bwd(const OpShape& shape, void* const* operands) {
  const Layout l{unpack<AttentionBwdShape>(shape)};
  const float* lse = host::input<float>(operands, 3);
  if (shape.dtype == DType::f32) {
    attention_bwd(l, {.dout = host::input<float>(operands, 0),
                      .qkv = host::input<float>(operands, 1),
                      .out = host::input<float>(operands, 2),
                      .lse = lse,
                      .dqkv = host::output<float>(operands, 4)});
    return;
  }
  const std::int64_t qkv_elements = l.tokens() * l.qkv_stride();
  const auto dout = host::widened(host::input<bf16>(operands, 0), l.tokens() * l.out_stride());
  const auto qkv = host::widened(host::input<bf16>(operands, 1), qkv_elements);
  const auto out = host::widened(host::input<bf16>(operands, 2), l.tokens() * l.out_stride());
  const auto dqkv = host::make_scratch(qkv_elements);
  attention_bwd(
      l, {.dout = dout.get(), .qkv = qkv.get(), .out = out.get(), .lse = lse, .dqkv = dqkv.get()});
  host::convert(dqkv.get(), host::output<bf16>(operands, 4), qkv_elements);
}

void host_rope(const OpShape& shape, void* const* operands) {
  host::rotate_heads(unpack<RopeShape>(shape), shape.dtype, operands,
                     [](std::int64_t token) { return token; });
}

}  // namespace stepmark
