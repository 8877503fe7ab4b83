// SPDX-License-Identifier: Apache-2.0
// All splits in O(n^2): moving a point from right to left changes three sums of distances. The test
// stops early: most splits of no change lose within a few permutations.
#include "results/history/divisive.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <vector>

#include "core/rng.h"

namespace stepmark {
namespace {

double distances(double from, std::span<const double> to) {
  double sum = 0;
  for (const double one : to) sum += std::abs(one - from);
  return sum;
}

double pairs(std::size_t n) { return static_cast<double>(n) * (static_cast<double>(n) - 1) / 2; }

double q_of(double within_left, double within_right, double between, std::size_t n, std::size_t m) {
  const double across = static_cast<double>(n) * static_cast<double>(m);
  const double energy = 2 * between / across - within_left / pairs(n) - within_right / pairs(m);
  return across / static_cast<double>(n + m) * energy;
}

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

// Blocks of `block` neighbours in a random order; blocks begin at a random offset, on a ring.
void permute(std::span<const double> x, std::size_t block, Draws& draws,
             std::vector<std::size_t>& order, std::vector<double>& out) {
  const std::size_t n = x.size();
  order.resize((n + block - 1) / block);
  std::iota(order.begin(), order.end(), std::size_t{0});
  for (std::size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[draws.below(i)]);
  const std::size_t offset = block > 1 ? draws.below(n) : 0;
  out.clear();
  for (const std::size_t one : order) {
    for (std::size_t i = one * block; i < std::min(n, (one + 1) * block); ++i) {
      out.push_back(x[(i + offset) % n]);
    }
  }
}

}  // namespace

Split best_split(std::span<const double> x, std::size_t left, std::size_t right) {
  Split best;
  const std::size_t n = x.size();
  left = std::max<std::size_t>(left, 2);
  right = std::max<std::size_t>(right, 2);
  if (n < left + right) return best;
  double within_left = 0, within_right = 0, between = 0;
  for (std::size_t i = 1; i < n; ++i) {
    const double before = distances(x[i], x.first(i));
    (i < left ? within_left : within_right) += before;
    if (i >= left) {
      const double across = distances(x[i], x.first(left));
      within_right -= across;
      between += across;
    }
  }
  for (std::size_t at = left; at + right <= n; ++at) {
    const double q = q_of(within_left, within_right, between, at, n - at);
    if (best.at == 0 || q > best.q) best = {.at = at, .q = q};
    const double to_left = distances(x[at], x.first(at));
    const double to_right = distances(x[at], x.subspan(at + 1));
    within_left += to_left;
    within_right -= to_right;
    between += to_right - to_left;
  }
  return best;
}

double permutation_p(std::span<const double> x, double q, const PermutationTest& test) {
  Draws draws(test.seed, test.stream);
  std::vector<std::size_t> order;
  std::vector<double> permuted;
  permuted.reserve(x.size());
  const double of = static_cast<double>(test.permutations) + 1;
  int as_good = 0;
  for (int i = 0; i < test.permutations; ++i) {
    permute(x, test.block, draws, order, permuted);
    // Sums in another order differ in their last bits: what is equal must count as equal.
    if (best_split(permuted, test.left, test.right).q >= q * (1 - 1e-12)) ++as_good;
    if ((as_good + 1) / of > test.level) return (as_good + 1) / of;
  }
  return (as_good + 1) / of;
}

}  // namespace stepmark
