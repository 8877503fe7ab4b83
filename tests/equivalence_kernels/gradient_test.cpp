// SPDX-License-Identifier: Apache-2.0
// Backward references against central differences of the forward references, in double: what the
// kernels are compared with is right itself.
#include <gtest/gtest.h>

#include <array>
#include <functional>

#include "core/rng.h"
#include "kernels/ops/activation.h"
#include "kernels/ops/attention.h"
#include "kernels/ops/cross_entropy.h"
#include "kernels/ops/embedding.h"
#include "kernels/ops/gemm.h"
#include "kernels/ops/loss.h"
#include "kernels/ops/norm.h"
#include "op_fixture.h"

namespace stepmark::test {
namespace {

constexpr double kStep = 1e-5;
constexpr double kTolerance = 1e-7;  // of central differences in double with that step

using Vector = std::vector<double>;

Vector random_vector(std::int64_t elements, std::uint64_t stream) {
  const Philox random(11, stream);
  Vector v(static_cast<std::size_t>(elements));
  for (std::size_t i = 0; i < v.size(); ++i) v[i] = random.normal(i);
  return v;
}
Vector zeros(std::int64_t elements) { return Vector(static_cast<std::size_t>(elements)); }

// Runs the reference of a typed shape on vectors of operands, in order.
template <class S, class... V>
void reference(S s, V&... operands) {
  const std::array<std::span<double>, sizeof...(V)> spans{std::span<double>(operands)...};
  const OpShape shape = pack(s, DType::f32);
  validate_shape(shape);
  info_of(S::id).reference(shape, spans);
}

double dot(const Vector& a, const Vector& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

Vector numeric_gradient(Vector& x, const std::function<double()>& loss) {
  Vector gradient(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double at = x[i];
    x[i] = at + kStep;
    const double above = loss();
    x[i] = at - kStep;
    gradient[i] = (above - loss()) / (2 * kStep);
    x[i] = at;
  }
  return gradient;
}

void expect_gradient(const Vector& got, Vector& x, const std::function<double()>& loss) {
  EXPECT_LT(relative_error(got, numeric_gradient(x, loss)), kTolerance);
}

TEST(Gradient, Gelu) {
  Vector x = random_vector(40, 0), dy = random_vector(40, 1), y = zeros(40), dx = zeros(40);
  reference(GeluBwdShape{.elements = 40}, dy, x, dx);
  expect_gradient(dx, x, [&] {
    reference(GeluFwdShape{.elements = 40}, x, y);
    return dot(y, dy);
  });
}

TEST(Gradient, Swiglu) {
  Vector x = random_vector(42, 0), dy = random_vector(21, 1), y = zeros(21), dx = zeros(42);
  reference(SwigluBwdShape{.rows = 3, .cols = 7}, dy, x, dx);
  expect_gradient(dx, x, [&] {
    reference(SwigluFwdShape{.rows = 3, .cols = 7}, x, y);
    return dot(y, dy);
  });
}

TEST(Gradient, LayerNorm) {
  Vector x = random_vector(36, 0), gamma = random_vector(9, 1), beta = random_vector(9, 2);
  Vector dy = random_vector(36, 3), y = zeros(36), mean = zeros(4), rstd = zeros(4);
  const auto loss = [&] {
    reference(LayerNormFwdShape{.rows = 4, .cols = 9}, x, gamma, beta, y, mean, rstd);
    return dot(y, dy);
  };
  loss();
  Vector dx = zeros(36), dgamma = zeros(9), dbeta = zeros(9);
  reference(LayerNormBwdShape{.rows = 4, .cols = 9, .add_dx = 0}, dy, x, gamma, mean, rstd, dx,
            dgamma, dbeta);
  expect_gradient(dx, x, loss);
  expect_gradient(dgamma, gamma, loss);
  expect_gradient(dbeta, beta, loss);
}

TEST(Gradient, RmsNorm) {
  Vector x = random_vector(36, 0), gamma = random_vector(9, 1), dy = random_vector(36, 2);
  Vector y = zeros(36), rstd = zeros(4);
  const auto loss = [&] {
    reference(RmsNormFwdShape{.rows = 4, .cols = 9}, x, gamma, y, rstd);
    return dot(y, dy);
  };
  loss();
  Vector dx = zeros(36), dgamma = zeros(9);
  reference(RmsNormBwdShape{.rows = 4, .cols = 9, .add_dx = 0}, dy, x, gamma, rstd, dx, dgamma);
  expect_gradient(dx, x, loss);
  expect_gradient(dgamma, gamma, loss);
}

TEST(Gradient, HeadNorm) {
  constexpr std::int64_t kTokens = 3, kHeads = 4, kKvHeads = 2, kDim = 5;
  Vector x = random_vector(kTokens * (kHeads + 2 * kKvHeads) * kDim, 0);
  Vector q_gamma = random_vector(kDim, 1), k_gamma = random_vector(kDim, 2);
  const Vector dy = random_vector(std::ssize(x), 3);
  Vector raw = zeros(kTokens * (kHeads + kKvHeads) * kDim), rstd = zeros(kTokens * 6);
  const auto loss = [&] {
    Vector y = x;
    reference(
        HeadNormFwdShape{
            .tokens = kTokens, .heads = kHeads, .kv_heads = kKvHeads, .head_dim = kDim},
        y, q_gamma, k_gamma, raw, rstd);
    return dot(y, dy);
  };
  loss();
  Vector dx = dy, dq = zeros(kDim), dk = zeros(kDim);
  reference(
      HeadNormBwdShape{.tokens = kTokens, .heads = kHeads, .kv_heads = kKvHeads, .head_dim = kDim},
      dx, raw, q_gamma, k_gamma, rstd, dq, dk);
  expect_gradient(dx, x, loss);
  expect_gradient(dq, q_gamma, loss);
  expect_gradient(dk, k_gamma, loss);
}

TEST(Gradient, AttentionWithGroupedHeads) {
  constexpr std::int64_t kBatch = 2, kSeq = 6, kHeads = 4, kKvHeads = 2, kDim = 3;
  constexpr std::int64_t kTokens = kBatch * kSeq;
  Vector qkv = random_vector(kTokens * (kHeads + 2 * kKvHeads) * kDim, 0);
  Vector dout = random_vector(kTokens * kHeads * kDim, 1);
  Vector out = zeros(kTokens * kHeads * kDim), lse = zeros(kBatch * kHeads * kSeq);
  const auto loss = [&] {
    reference(
        AttentionFwdShape{
            .batch = kBatch, .seq = kSeq, .heads = kHeads, .kv_heads = kKvHeads, .head_dim = kDim},
        qkv, out, lse);
    return dot(out, dout);
  };
  loss();
  Vector dqkv(qkv.size());
  reference(
      AttentionBwdShape{
          .batch = kBatch, .seq = kSeq, .heads = kHeads, .kv_heads = kKvHeads, .head_dim = kDim},
      dout, qkv, out, lse, dqkv);
  expect_gradient(dqkv, qkv, loss);
}

TEST(Gradient, RopeBackwardIsTheInverseRotation) {
  RopeShape forward{.batch = 2, .seq = 5, .heads = 2, .kv_heads = 1, .head_dim = 6};
  RopeShape backward = forward;
  backward.inverse = 1;
  Vector x = random_vector(240, 0);
  const Vector dy = random_vector(240, 1);
  Vector dx = dy;
  reference(backward, dx);
  expect_gradient(dx, x, [&] {
    Vector y = x;
    reference(forward, y);
    return dot(y, dy);
  });
  Vector round_trip = x;
  reference(forward, round_trip);
  EXPECT_GT(relative_error(round_trip, x), 0.1);
  reference(backward, round_trip);
  EXPECT_LT(relative_error(round_trip, x), 1e-14);
}

TEST(Gradient, CrossEntropyOverTwoVocabularyShards) {
  constexpr std::int64_t kRows = 5, kCols = 7;
  constexpr double kScale = 0.2;
  Vector shard[2] = {random_vector(kRows * kCols, 0), random_vector(kRows * kCols, 1)};
  Vector targets{0, 6, 7, 13, 9};
  Vector row_max = zeros(kRows), sums = zeros(2 * kRows);
  // The sums over both shards, as the two all-reduces leave them; returns the loss.
  const auto loss = [&] {
    Vector maximum[2] = {zeros(kRows), zeros(kRows)},
           part[2] = {zeros(2 * kRows), zeros(2 * kRows)};
    for (int i : {0, 1}) reference(CeMaxShape{.rows = kRows, .cols = kCols}, shard[i], maximum[i]);
    for (std::size_t r = 0; r < kRows; ++r) row_max[r] = std::max(maximum[0][r], maximum[1][r]);
    for (int i : {0, 1}) {
      reference(CeSumShape{.rows = kRows, .cols = kCols, .vocab_begin = i * kCols}, shard[i],
                row_max, targets, part[i]);
    }
    for (std::size_t r = 0; r < 2 * kRows; ++r) sums[r] = part[0][r] + part[1][r];
    Vector scratch = shard[0], result = zeros(1);
    reference(CeBwdShape{.rows = kRows, .cols = kCols, .scale = kScale}, scratch, row_max, targets,
              sums, result);
    return result[0];
  };
  loss();
  Vector gradient[2] = {shard[0], shard[1]};
  for (int i : {0, 1}) {
    Vector ignored = zeros(1);
    reference(CeBwdShape{.rows = kRows, .cols = kCols, .vocab_begin = i * kCols, .scale = kScale},
              gradient[i], row_max, targets, sums, ignored);
  }
  for (int i : {0, 1}) expect_gradient(gradient[i], shard[i], loss);
}

TEST(Gradient, FusedCrossEntropyWithPadding) {
  constexpr std::int64_t kRows = 3, kCols = 5, kPadding = 2;
  const CeFwdBwdShape s{.rows = kRows, .cols = kCols, .padding = kPadding, .scale = 0.4};
  Vector logits = random_vector(kRows * (kCols + kPadding), 0), targets{1, 4, 0};
  Vector gradient = logits, ignored = zeros(1);
  reference(s, gradient, targets, ignored);
  expect_gradient(gradient, logits, [&] {
    Vector scratch = logits, loss = zeros(1);
    reference(s, scratch, targets, loss);
    return loss[0];
  });
}

TEST(Gradient, TokenEmbeddingOverAShard) {
  Vector tokens{3, 9, 4, 3, 0, 7}, table = random_vector(20, 0), dy = random_vector(24, 1);
  Vector out = zeros(24), dtable = zeros(20);
  reference(EmbeddingBwdShape{.rows = 6, .cols = 4, .vocab_begin = 3, .vocab_rows = 5}, tokens, dy,
            dtable);
  expect_gradient(dtable, table, [&] {
    reference(EmbeddingFwdShape{.rows = 6, .cols = 4, .vocab_begin = 3, .vocab_rows = 5}, tokens,
              table, out);
    return dot(out, dy);
  });
}

TEST(Gradient, PositionEmbedding) {
  Vector table = random_vector(12, 0), dy = random_vector(27, 1), dtable = zeros(12);
  reference(PositionBwdShape{.rows = 9, .cols = 3, .seq = 4, .row_begin = 6}, dy, dtable);
  expect_gradient(dtable, table, [&] {
    Vector x = zeros(27);
    reference(PositionFwdShape{.rows = 9, .cols = 3, .seq = 4, .row_begin = 6}, table, x);
    return dot(x, dy);
  });
}

TEST(Gradient, LinearLayerFromThreeGemms) {
  constexpr std::int64_t kTokens = 4, kIn = 5, kOut = 3;
  Vector x = random_vector(kTokens * kIn, 0), w = random_vector(kOut * kIn, 1);
  Vector bias = random_vector(kOut, 2), dy = random_vector(kTokens * kOut, 3);
  Vector y = zeros(kTokens * kOut), absent;
  const auto loss = [&] {
    reference(GemmShape{.m = kTokens, .n = kOut, .k = kIn, .trans_b = 1, .bias = 1}, x, w, bias, y);
    return dot(y, dy);
  };
  Vector dx = zeros(kTokens * kIn), dw = zeros(kOut * kIn), dbias = zeros(kOut);
  reference(GemmShape{.m = kTokens, .n = kIn, .k = kOut}, dy, w, absent, dx);
  reference(GemmShape{.m = kOut, .n = kIn, .k = kTokens, .trans_a = 1}, dy, x, absent, dw);
  reference(BiasGradShape{.m = kTokens, .n = kOut}, dy, dbias);
  expect_gradient(dx, x, loss);
  expect_gradient(dw, w, loss);
  expect_gradient(dbias, bias, loss);
}

// Up projection with GELU, and its three gradients, by the fused forms.
TEST(Gradient, GeluLayerFromFusedGemms) {
  constexpr std::int64_t kTokens = 4, kIn = 5, kOut = 3, kNext = 6;
  Vector x = random_vector(kTokens * kIn, 0), w = random_vector(kOut * kIn, 1);
  Vector bias = random_vector(kOut, 2), next = random_vector(kNext * kOut, 3);
  const Vector upstream = random_vector(kTokens * kNext, 4);
  Vector pre = zeros(kTokens * kOut), active = zeros(kTokens * kOut), y = zeros(kTokens * kNext);
  Vector absent;
  const auto loss = [&] {
    reference(GemmGeluShape{.m = kTokens, .n = kOut, .k = kIn, .trans_b = 1, .bias = 1}, x, w, bias,
              pre, active);
    reference(GemmShape{.m = kTokens, .n = kNext, .k = kOut, .trans_b = 1}, active, next, absent,
              y);
    return dot(y, upstream);
  };
  loss();
  Vector dy = upstream, dpre = zeros(kTokens * kOut);
  reference(GemmDgeluShape{.m = kTokens, .n = kOut, .k = kNext}, dy, next, pre, dpre);
  Vector dw = zeros(kOut * kIn), dbias = zeros(kOut);
  reference(GemmBiasGradShape{.m = kOut, .n = kIn, .k = kTokens}, dpre, x, dw, dbias);
  expect_gradient(dw, w, loss);
  expect_gradient(dbias, bias, loss);
}

}  // namespace
}  // namespace stepmark::test
