// SPDX-License-Identifier: Apache-2.0
// All splits from the distances of each point to those before it, in n^2/2 steps: a point's
// distances to all others do not depend on the order, so those to the points behind follow. The
// test stops early: most splits of no change lose within a few permutations. One that holds takes
// all of them; a permutation is looked at in single precision first, which is enough to see that it
// stays far below, and in double precision only where it does not.
#include "results/history/divisive.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "core/rng.h"

namespace stepmark {
namespace {

// Four sums, so that additions need not wait for each other.
template <class Real>
Real distances(Real from, const Real* to, std::size_t count) {
  std::array<Real, 4> sums{};
  std::size_t i = 0;
  for (; i + 4 <= count; i += 4) {
    for (std::size_t k = 0; k < 4; ++k) sums[k] += std::abs(to[i + k] - from);
  }
  for (; i < count; ++i) sums[0] += std::abs(to[i] - from);
  return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

double pairs(std::size_t n) { return static_cast<double>(n) * (static_cast<double>(n) - 1) / 2; }

// q of the split behind the first `at` of n points as a sum: distances of those points to all,
// times of_rows, those within them, times of_left, and of_all times the distances of all pairs.
struct SplitWeights {
  double of_rows = 0, of_left = 0, of_all = 0;
};

SplitWeights weights(std::size_t at, std::size_t n) {
  const double across = static_cast<double>(at) * static_cast<double>(n - at);
  const double scale = across / static_cast<double>(n);
  return {.of_rows = scale * (2 / across + 1 / pairs(n - at)),
          .of_left = -scale * (4 / across + 1 / pairs(at) + 1 / pairs(n - at)),
          .of_all = -scale / pairs(n - at)};
}

// Of each point to all.
std::vector<double> rows_of(std::span<const double> x) {
  std::vector<double> out;
  out.reserve(x.size());
  for (const double one : x) out.push_back(distances(one, x.data(), x.size()));
  return out;
}

double sum_of(std::span<const double> x) { return std::accumulate(x.begin(), x.end(), 0.0); }

// A whole number below `bound` from the generator's stream; the bias of 2^-32 * bound is nothing.
class Draws {
 public:
  Draws(std::uint64_t seed, std::uint64_t stream) : philox_(seed, stream) {}
  std::size_t below(std::size_t bound) {
    if (used_ == 4) {
      words_ = philox_.block(block_++);
      used_ = 0;
    }
    return static_cast<std::size_t>((std::uint64_t{words_.at(used_++)} * bound) >> 32U);
  }

 private:
  Philox philox_;
  std::array<std::uint32_t, 4> words_{};
  std::uint64_t block_ = 0;
  std::size_t used_ = 4;
};

// Blocks of `block` neighbours in a random order, as places in a sample of n; blocks begin at a
// random offset, on a ring.
void permute(std::size_t n, std::size_t block, Draws& draws, std::vector<std::uint32_t>& order,
             std::vector<std::uint32_t>& out) {
  order.resize((n + block - 1) / block);
  std::iota(order.begin(), order.end(), 0U);
  for (std::size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[draws.below(i)]);
  if (block == 1) {
    out = order;
    return;
  }
  const std::size_t offset = draws.below(n);
  out.clear();
  for (const std::size_t one : order) {
    for (std::size_t i = one * block; i < std::min(n, (one + 1) * block); ++i) {
      const std::size_t place = i + offset;
      out.push_back(static_cast<std::uint32_t>(place < n ? place : place - n));
    }
  }
}

// Whether orders of the points have a split that may be as good as `q`.
class QuickLook {
 public:
  QuickLook(std::span<const double> x, double q, std::size_t left, std::size_t right)
      : rows_(rows_of(x)), right_(right), points_((x.size() + 3) / 4 * 4), before_(points_.size()) {
    const double centre = x[x.size() / 2];
    double most = 0;
    for (const double one : x) {
      centred_.push_back(static_cast<float>(one - centre));
      most = std::max(most, std::abs(one - centre));
    }
    constexpr SplitWeights kNoSplit{.of_all = -std::numeric_limits<double>::infinity()};
    // Far above what the roundings of so few distances come to.
    constexpr double kRounding = 1e-2;
    least_ = q - kRounding * most;
    const double all = sum_of(rows_) / 2 + std::numeric_limits<double>::min();
    for (std::size_t at = 0; at < x.size(); ++at) {
      const bool splits = at >= left && at + right <= x.size();
      weights_.push_back(splits ? weights(at, x.size()) : kNoSplit);
      weights_.back().of_all *= all;
    }
  }

  bool may_reach(std::span<const std::uint32_t> order) {
    for (std::size_t i = 0; i < order.size(); ++i) points_[i] = centred_[order[i]];
    sum_distances_before();
    double within = 0;
    double rows = 0;
    double most = -std::numeric_limits<double>::infinity();
    for (std::size_t i = 0; i + right_ <= order.size(); ++i) {
      const SplitWeights& w = weights_[i];
      most = std::max(most, w.of_rows * rows + w.of_left * within + w.of_all);
      within += static_cast<double>(before_[i]);
      rows += rows_[order[i]];
    }
    return most >= least_;
  }

 private:
  // Of each point to those before it, for four neighbours at a time: one instruction for all of
  // them.
  void sum_distances_before() {
    constexpr std::size_t kTogether = 4;
    for (std::size_t begin = 0; begin < points_.size(); begin += kTogether) {
      std::array<float, kTogether> own{}, even{}, odd{};
      std::copy_n(points_.data() + begin, kTogether, own.data());
      for (std::size_t j = 0; j < begin; j += 2) {
        for (std::size_t k = 0; k < kTogether; ++k) even[k] += std::abs(own[k] - points_[j]);
        for (std::size_t k = 0; k < kTogether; ++k) odd[k] += std::abs(own[k] - points_[j + 1]);
      }
      // Among themselves, likewise: those of which a neighbour lies before them.
      constexpr std::array<std::array<float, kTogether>, kTogether - 1> kBehind = {
          {{0, 1, 1, 1}, {0, 0, 1, 1}, {0, 0, 0, 1}}};
      for (std::size_t j = 0; j + 1 < kTogether; ++j) {
        for (std::size_t k = 0; k < kTogether; ++k) {
          even[k] += kBehind[j][k] * std::abs(own[k] - own[j]);
        }
      }
      for (std::size_t k = 0; k < kTogether; ++k) before_[begin + k] = even[k] + odd[k];
    }
  }

  std::vector<float> centred_;
  std::vector<double> rows_;
  std::vector<SplitWeights> weights_;  // by the first point of the right side
  std::size_t right_;
  double least_ = 0;
  std::vector<float> points_, before_;  // in the order that is looked at
};

constexpr std::size_t kFewest = 2;  // on a side that has a mean distance

}  // namespace

Split best_split(std::span<const double> x, std::size_t left, std::size_t right) {
  Split best;
  const std::size_t n = x.size();
  left = std::max(left, kFewest);
  right = std::max(right, kFewest);
  if (n < left + right) return best;
  const std::vector<double> all_rows = rows_of(x);
  const double all = sum_of(all_rows) / 2;
  double within = 0;
  double rows = 0;
  for (std::size_t i = 0; i + right <= n; ++i) {
    if (i >= left) {
      const SplitWeights w = weights(i, n);
      const double q = w.of_rows * rows + w.of_left * within + w.of_all * all;
      if (best.at == 0 || q > best.q) best = {.at = i, .q = q};
    }
    within += distances(x[i], x.data(), i);
    rows += all_rows[i];
  }
  return best;
}

double permutation_p(std::span<const double> x, double q, const PermutationTest& test) {
  Draws draws(test.seed, test.stream);
  std::vector<std::uint32_t> blocks;
  std::vector<std::uint32_t> order;
  std::vector<double> permuted;
  order.reserve(x.size());
  // Sums in another order differ in their last bits: what is equal must count as equal.
  const double as_good_q = q * (1 - 1e-12);
  QuickLook quick(x, as_good_q, std::max(test.left, kFewest), std::max(test.right, kFewest));
  const double of = static_cast<double>(test.permutations) + 1;
  int as_good = 0;
  for (int i = 0; i < test.permutations; ++i) {
    permute(x.size(), test.block, draws, blocks, order);
    if (quick.may_reach(order)) {
      permuted.clear();
      for (const std::uint32_t place : order) permuted.push_back(x[place]);
      if (best_split(permuted, test.left, test.right).q >= as_good_q) ++as_good;
    }
    if ((as_good + 1) / of > test.level) return (as_good + 1) / of;
  }
  return (as_good + 1) / of;
}

}  // namespace stepmark
