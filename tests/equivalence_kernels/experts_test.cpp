// SPDX-License-Identifier: Apache-2.0
// A layer of experts put together from the references of its ops, against the sum that it stands
// for, computed token by token; and its gradients against central differences.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "kernels/ops/experts.h"
#include "kernels/ops/router.h"
#include "op_fixture.h"
#include "reference_ops.h"

namespace stepmark::test {
namespace {

constexpr std::int64_t kTokens = 6, kExperts = 4, kTopK = 2, kWidth = 5, kOut = 3, kSeq = 3;
constexpr std::int64_t kRows = kTokens * kTopK;
constexpr double kStep = 1e-5, kTolerance = 1e-7;

// x through the experts of its choices, each a matrix; with the loss that keeps loads alike.
struct Layer {
  explicit Layer(std::int64_t all_renormalise) : renormalise(all_renormalise) {
    reference(RouterTopKShape{.tokens = kTokens, .experts = kExperts, .top_k = kTopK}, logits,
              chosen);
  }
  void forward() {
    reference(RouterWeightsShape{.tokens = kTokens,
                                 .experts = kExperts,
                                 .top_k = kTopK,
                                 .sequences = kTokens / kSeq,
                                 .seq = kSeq,
                                 .renormalise = renormalise},
              logits, chosen, weights, hits);
    reference(
        ExpertsPermuteShape{
            .tokens = kTokens, .top_k = kTopK, .width = kWidth, .experts = kExperts, .ranks = 1},
        x, chosen, rows, places, counts);
    reference(
        ExpertsGemmShape{.experts = kExperts, .rows = kRows, .n = kOut, .k = kWidth, .trans_b = 1},
        rows, w, counts, out_rows);
    reference(
        ExpertsUnpermuteShape{
            .tokens = kTokens, .top_k = kTopK, .width = kOut, .slots = kRows, .weighted = 1},
        out_rows, places, weights, out);
  }
  double loss(const Vector& dout) {
    forward();
    double sum = aux();
    for (std::size_t i = 0; i < out.size(); ++i) sum += out[i] * dout[i];
    return sum;
  }
  // aux_scale sum of hits and probabilities, token by token.
  [[nodiscard]] double aux() const {
    double sum = 0;
    for (std::int64_t t = 0; t < kTokens; ++t) {
      double all = 0;
      for (std::int64_t e = 0; e < kExperts; ++e) all += std::exp(logits[t * kExperts + e]);
      for (std::int64_t e = 0; e < kExperts; ++e) {
        sum += kAux * hits[t / kSeq * kExperts + e] * std::exp(logits[t * kExperts + e]) / all;
      }
    }
    return sum;
  }

  static constexpr double kAux = 0.3;
  std::int64_t renormalise;
  Vector x = random_vector(kTokens * kWidth, 0), logits = random_vector(kTokens * kExperts, 1);
  Vector w = random_vector(kExperts * kOut * kWidth, 2);
  Vector chosen = zeros(kRows), weights = zeros(kRows), hits = zeros(kTokens / kSeq * kExperts);
  Vector rows = zeros(kRows * kWidth), places = zeros(kRows), counts = zeros(kExperts);
  Vector out_rows = zeros(kRows * kOut), out = zeros(kTokens * kOut);
};

TEST(Experts, ALayerIsTheSumOverChosenExperts) {
  for (const std::int64_t renormalise : {0, 1}) {
    Layer layer(renormalise);
    layer.forward();
    for (std::int64_t t = 0; t < kTokens; ++t) {
      double total = 0;
      for (std::int64_t k = 0; k < kTopK; ++k) total += layer.weights[t * kTopK + k];
      EXPECT_EQ(std::abs(total - 1.0) < 1e-12, renormalise != 0);
      EXPECT_GT(layer.weights[t * kTopK], layer.weights[t * kTopK + 1]) << "the largest first";
      for (std::int64_t j = 0; j < kOut; ++j) {
        double want = 0;
        for (std::int64_t k = 0; k < kTopK; ++k) {
          const auto e = static_cast<std::int64_t>(layer.chosen[t * kTopK + k]);
          for (std::int64_t c = 0; c < kWidth; ++c) {
            want += layer.weights[t * kTopK + k] * layer.x[t * kWidth + c] *
                    layer.w[(e * kOut + j) * kWidth + c];
          }
        }
        EXPECT_NEAR(layer.out[t * kOut + j], want, 1e-12);
      }
    }
  }
}

TEST(Experts, GradientsAreThoseOfTheLayer) {
  for (const std::int64_t renormalise : {0, 1}) {
    Layer layer(renormalise);
    Vector dout = random_vector(kTokens * kOut, 3);
    layer.forward();
    Vector drows = zeros(kRows * kOut), dweights = zeros(kRows),
           dw = zeros(kExperts * kOut * kWidth);
    Vector dlogits = zeros(kTokens * kExperts), aux = zeros(1), din = zeros(kRows * kWidth);
    Vector dx = zeros(kTokens * kWidth), absent;
    reference(
        ExpertsUnpermuteBwdShape{.tokens = kTokens, .top_k = kTopK, .width = kOut, .slots = kRows},
        dout, layer.out_rows, layer.places, layer.weights, drows, dweights);
    reference(ExpertsWgradShape{.experts = kExperts, .rows = kRows, .m = kOut, .n = kWidth}, drows,
              layer.rows, layer.counts, dw);
    reference(ExpertsGemmShape{.experts = kExperts, .rows = kRows, .n = kWidth, .k = kOut}, drows,
              layer.w, layer.counts, din);
    reference(
        ExpertsUnpermuteShape{.tokens = kTokens, .top_k = kTopK, .width = kWidth, .slots = kRows},
        din, layer.places, absent, dx);
    reference(RouterBwdShape{.tokens = kTokens,
                             .experts = kExperts,
                             .top_k = kTopK,
                             .sequences = kTokens / kSeq,
                             .seq = kSeq,
                             .renormalise = renormalise,
                             .aux_scale = Layer::kAux},
              dweights, layer.logits, layer.chosen, layer.hits, dlogits, aux);
    EXPECT_NEAR(aux[0], layer.aux(), 1e-12);
    const auto expect_gradient = [&](const Vector& got, Vector& of) {
      Vector want(of.size());
      for (std::size_t i = 0; i < of.size(); ++i) {
        const double at = of[i];
        of[i] = at + kStep;
        const double above = layer.loss(dout);
        of[i] = at - kStep;
        want[i] = (above - layer.loss(dout)) / (2 * kStep);
        of[i] = at;
      }
      EXPECT_LT(relative_error(got, want), kTolerance);
    };
    expect_gradient(dx, layer.x);
    expect_gradient(dw, layer.w);
    expect_gradient(dlogits, layer.logits);
  }
}

// Rows that come from ranks of equal capacity, and go back.
TEST(Experts, SortedRowsGoBackToWhereTheyCameFrom) {
  constexpr std::int64_t kRanks = 3, kCapacity = 4, kSlots = kRanks * kCapacity;
  Vector counts{1, 2, 0, 3, 2, 0};  // (ranks, two experts)
  Vector from = random_vector(kSlots * kWidth, 0), sorted = zeros(kSlots * kWidth);
  Vector totals = zeros(2), back = zeros(kSlots * kWidth), absent;
  ExpertsSortShape shape{
      .ranks = kRanks, .experts = 2, .width = kWidth, .capacity = kCapacity, .rows = kSlots};
  reference(shape, from, counts, sorted, totals);
  EXPECT_EQ(totals, (Vector{3, 5}));
  const auto row = [](const Vector& rows, std::int64_t r) {
    return Vector(rows.begin() + r * kWidth, rows.begin() + (r + 1) * kWidth);
  };
  const std::int64_t order[] = {0, 8, 9, 1, 2, 4, 5, 6};
  for (std::int64_t i = 0; i < 8; ++i) EXPECT_EQ(row(sorted, i), row(from, order[i])) << i;
  EXPECT_EQ(row(sorted, 8), zeros(kWidth));
  shape.inverse = 1;
  reference(shape, sorted, counts, back, absent);
  for (const std::int64_t r : order) EXPECT_EQ(row(back, r), row(from, r));
  EXPECT_EQ(row(back, 3), zeros(kWidth));
}

// Before a step has choices of its own all may be one expert's: what does not fit is cut.
TEST(Experts, CountsThatDoNotFitWriteNothingBeyondTheOperands) {
  const ExpertsSortShape there{.ranks = 2, .experts = 2, .width = kWidth, .rows = 6};
  ExpertsSortShape back = there;
  back.inverse = 1;
  const OpShape shapes[] = {
      pack(there, DType::f32), pack(back, DType::f32),
      pack(
          ExpertsPermuteShape{
              .tokens = 4, .top_k = 2, .width = kWidth, .experts = 4, .ranks = 4, .capacity = 4},
          DType::f32),
      pack(ExpertsGemmShape{.experts = 2, .rows = 6, .n = kOut, .k = kWidth}, DType::f32)};
  for (const OpShape& shape : shapes) {
    SCOPED_TRACE(to_text(shape));
    Values values = random_operands(shape, 1);
    const bool permute = shape.id == OpId::experts_permute;
    std::vector<double>& integers = values[shape.id == OpId::experts_gemm ? 2 : 1];
    std::fill(integers.begin(), integers.end(), permute ? 3 : 5);  // experts; rows
    EXPECT_TRUE(run_host(shape, values).guards_intact);
  }
}

}  // namespace
}  // namespace stepmark::test
