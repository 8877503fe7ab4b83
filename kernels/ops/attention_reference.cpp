// SPDX-License-Identifier: Apache-2.0
// Loops over all pairs with softmax by the row's maximum, as the formula reads; the backward pass
// recomputes probabilities from lse (arXiv 2307.08691, algorithm 2, without tiles).
#include "kernels/ops/attention_reference.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace stepmark {
namespace {

// Where the vectors of a packed (tokens, heads + 2 kv_heads, head_dim) array begin.
struct Packed {
  std::int64_t heads, kv_heads, head_dim;
  [[nodiscard]] std::int64_t at(std::int64_t token, std::int64_t slot) const {
    return (token * (heads + 2 * kv_heads) + slot) * head_dim;
  }
  [[nodiscard]] std::int64_t query(std::int64_t token, std::int64_t head) const {
    return at(token, head);
  }
  [[nodiscard]] std::int64_t key(std::int64_t token, std::int64_t head) const {
    return at(token, heads + head / (heads / kv_heads));
  }
  [[nodiscard]] std::int64_t value(std::int64_t token, std::int64_t head) const {
    return at(token, heads + kv_heads + head / (heads / kv_heads));
  }
};

double dot(const double* a, const double* b, std::int64_t n) {
  double sum = 0;
  for (std::int64_t i = 0; i < n; ++i) sum += a[i] * b[i];
  return sum;
}
void add_scaled(double* y, double factor, const double* x, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) y[i] += factor * x[i];
}

template <class F>
void for_each_query(std::int64_t batch, std::int64_t heads, std::int64_t seq, F f) {
  for (std::int64_t b = 0; b < batch; ++b) {
    for (std::int64_t h = 0; h < heads; ++h) {
      for (std::int64_t q = 0; q < seq; ++q) f(b * seq, h, q, (b * heads + h) * seq + q);
    }
  }
}

}  // namespace

void attention_fwd_reference(const AttentionFwdShape& s, Operands operands) {
  const double* qkv = operands[0].data();
  const Packed packed{s.heads, s.kv_heads, s.head_dim};
  const double scale = 1.0 / std::sqrt(static_cast<double>(s.head_dim));
  std::vector<double> score(s.seq);
  for_each_query(s.batch, s.heads, s.seq, [&](auto first_token, auto h, auto q, auto row) {
    const double* query = qkv + packed.query(first_token + q, h);
    double largest = -std::numeric_limits<double>::infinity();
    for (std::int64_t k = 0; k <= q; ++k) {
      score[k] = scale * dot(query, qkv + packed.key(first_token + k, h), s.head_dim);
      largest = std::max(largest, score[k]);
    }
    double sum = 0;
    for (std::int64_t k = 0; k <= q; ++k) sum += std::exp(score[k] - largest);
    operands[2][row] = largest + std::log(sum);
    double* out = operands[1].data() + ((first_token + q) * s.heads + h) * s.head_dim;
    std::fill_n(out, s.head_dim, 0.0);
    for (std::int64_t k = 0; k <= q; ++k) {
      add_scaled(out, std::exp(score[k] - operands[2][row]), qkv + packed.value(first_token + k, h),
                 s.head_dim);
    }
  });
}

void attention_bwd_reference(const AttentionBwdShape& s, Operands operands) {
  const double *dout = operands[0].data(), *qkv = operands[1].data(), *out = operands[2].data();
  double* dqkv = operands[4].data();
  const Packed packed{s.heads, s.kv_heads, s.head_dim};
  const double scale = 1.0 / std::sqrt(static_cast<double>(s.head_dim));
  std::ranges::fill(operands[4], 0.0);
  for_each_query(s.batch, s.heads, s.seq, [&](auto first_token, auto h, auto q, auto row) {
    const std::int64_t out_at = ((first_token + q) * s.heads + h) * s.head_dim;
    const std::int64_t query_at = packed.query(first_token + q, h);
    const double delta = dot(dout + out_at, out + out_at, s.head_dim);
    for (std::int64_t k = 0; k <= q; ++k) {
      const std::int64_t key_at = packed.key(first_token + k, h);
      const std::int64_t value_at = packed.value(first_token + k, h);
      const double p =
          std::exp(scale * dot(qkv + query_at, qkv + key_at, s.head_dim) - operands[3][row]);
      const double ds = p * scale * (dot(dout + out_at, qkv + value_at, s.head_dim) - delta);
      add_scaled(dqkv + value_at, p, dout + out_at, s.head_dim);
      add_scaled(dqkv + query_at, ds, qkv + key_at, s.head_dim);
      add_scaled(dqkv + key_at, ds, qkv + query_at, s.head_dim);
    }
  });
}

void rope_reference(const RopeShape& s, Operands x,
                    const std::function<std::int64_t(std::int64_t)>& position_of) {
  const std::int64_t width = (s.heads + 2 * s.kv_heads) * s.head_dim, half = s.head_dim / 2;
  for (std::int64_t token = 0; token < s.batch * s.seq; ++token) {
    const auto position = static_cast<double>(position_of(token % s.seq));
    for (std::int64_t head = 0; head < s.heads + s.kv_heads; ++head) {
      double* v = x[0].data() + token * width + head * s.head_dim;
      for (std::int64_t i = 0; i < half; ++i) {
        const double exponent = -2.0 * static_cast<double>(i) / static_cast<double>(s.head_dim);
        const double angle = position * std::pow(s.theta, exponent);
        const double sine = s.inverse != 0 ? -std::sin(angle) : std::sin(angle);
        const double low = v[i], high = v[i + half];
        v[i] = low * std::cos(angle) - high * sine;
        v[i + half] = high * std::cos(angle) + low * sine;
      }
    }
  }
}

}  // namespace stepmark
