// SPDX-License-Identifier: Apache-2.0
// Loops over all pairs of tokens and compares their positions in the sequence.
#include "kernels/ops/context_reference.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

namespace stepmark {
namespace {

double dot(const double* a, const double* b, std::int64_t n) {
  double sum = 0;
  for (std::int64_t i = 0; i < n; ++i) sum += a[i] * b[i];
  return sum;
}
void add_scaled(double* y, double factor, const double* x, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) y[i] += factor * x[i];
}

// A query's places in the operands, and those of the keys that it sees.
struct Query {
  std::int64_t in_qkv, in_out, in_lse;
  std::vector<std::int64_t> keys, values;  // in kv
};

template <class S, class F>
void for_each_query(const S& s, F f) {
  const std::int64_t seq = 2 * s.chunk, kv_width = 2 * s.kv_heads * s.head_dim;
  for (std::int64_t b = 0; b < s.batch; ++b) {
    for (std::int64_t h = 0; h < s.heads; ++h) {
      for (std::int64_t q = 0; q < seq; ++q) {
        const std::int64_t token = b * seq + q;
        Query query{.in_qkv = (token * (s.heads + 2 * s.kv_heads) + h) * s.head_dim,
                    .in_out = (token * s.heads + h) * s.head_dim,
                    .in_lse = (b * s.heads + h) * seq + q,
                    .keys = {},
                    .values = {}};
        const std::int64_t at = position_in_sequence(s.chunk, s.ways, s.pair, q);
        for (std::int64_t p = 0; p < s.key_pairs; ++p) {
          for (std::int64_t k = 0; k < seq; ++k) {
            if (position_in_sequence(s.chunk, s.ways, s.key_pair + p, k) > at) continue;
            const std::int64_t key =
                ((p * s.batch + b) * seq + k) * kv_width + h / (s.heads / s.kv_heads) * s.head_dim;
            query.keys.push_back(key);
            query.values.push_back(key + s.kv_heads * s.head_dim);
          }
        }
        f(query);
      }
    }
  }
}

}  // namespace

void attention_chunks_fwd_reference(const AttentionChunksFwdShape& s, Operands operands) {
  constexpr double kNone = -std::numeric_limits<double>::infinity();
  const double *qkv = operands[0].data(), *kv = operands[1].data();
  const double scale = 1.0 / std::sqrt(static_cast<double>(s.head_dim));
  for_each_query(s, [&](const Query& query) {
    double* out = operands[2].data() + query.in_out;
    double& lse = operands[3][static_cast<std::size_t>(query.in_lse)];
    if (s.accumulate == 0) {
      std::fill_n(out, s.head_dim, 0.0);
      lse = kNone;
    }
    // One key at a time: what is there keeps its share of the sum, the key gets its own.
    for (std::size_t k = 0; k < query.keys.size(); ++k) {
      const double score = scale * dot(qkv + query.in_qkv, kv + query.keys[k], s.head_dim);
      const double largest = std::max(score, lse);
      const double next = largest + std::log(std::exp(lse - largest) + std::exp(score - largest));
      const double keep = std::exp(lse - next);
      for (std::int64_t d = 0; d < s.head_dim; ++d) out[d] *= keep;
      add_scaled(out, std::exp(score - next), kv + query.values[k], s.head_dim);
      lse = next;
    }
  });
}

void attention_chunks_bwd_reference(const AttentionChunksBwdShape& s, Operands operands) {
  const double *dout = operands[0].data(), *qkv = operands[1].data(), *kv = operands[2].data();
  const double* out = operands[3].data();
  double *dq = operands[5].data(), *dkv = operands[6].data();
  const double scale = 1.0 / std::sqrt(static_cast<double>(s.head_dim));
  if (s.accumulate == 0) std::ranges::fill(operands[5], 0.0);
  std::ranges::fill(operands[6], 0.0);
  for_each_query(s, [&](const Query& query) {
    const double lse = operands[4][static_cast<std::size_t>(query.in_lse)];
    const double delta = dot(dout + query.in_out, out + query.in_out, s.head_dim);
    for (std::size_t k = 0; k < query.keys.size(); ++k) {
      const std::int64_t key = query.keys[k], value = query.values[k];
      const double p = std::exp(scale * dot(qkv + query.in_qkv, kv + key, s.head_dim) - lse);
      const double ds = p * scale * (dot(dout + query.in_out, kv + value, s.head_dim) - delta);
      add_scaled(dkv + value, p, dout + query.in_out, s.head_dim);
      add_scaled(dq + query.in_out, ds, kv + key, s.head_dim);
      add_scaled(dkv + key, ds, qkv + query.in_qkv, s.head_dim);
    }
  });
}

}  // namespace stepmark
