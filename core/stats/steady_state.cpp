// SPDX-License-Identifier: Apache-2.0
// Where a start-up transient ends. MSER (White, "An effective truncation heuristic for bias
// reduction in simulation output", Simulation 69, 1997) cuts where the standard error of what
// remains is least. Here it works on ranks, so that a lone outlier in the middle does not look like
// the end of a transient, and the cut stands only if the part before it differs from the rest by a
// rank-sum test (Mann & Whitney 1947) whose sample size is reduced for dependence: stationary noise
// has a least standard error somewhere, too.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/stats.h"
#include "core/stats/distributions.h"
#include "core/stats/ordered.h"

namespace stepmark {
namespace {

// Significance of the rank sum, in standard deviations: about one stationary series in a hundred is
// cut (a few in a hundred when short and strongly dependent), while transients of a few samples are
// found.
constexpr double kSignificant = 2.3;
constexpr double kLikelyDrift = 2;  // standard errors
constexpr double kTail = 0.995;     // of a normal deviate below that

// Ranks from 1; equal values share the mean of theirs.
std::vector<double> ranks_of(std::span<const Placed> order) {
  std::vector<double> ranks(order.size());
  for (std::size_t begin = 0; begin < order.size();) {
    std::size_t end = begin + 1;  // goes on also where a value is not equal to itself
    while (end < order.size() && order[end].value == order[begin].value) ++end;
    const double shared = static_cast<double>(begin + 1 + end) / 2;
    for (std::size_t i = begin; i < end; ++i) ranks[order[i].place] = shared;
    begin = end;
  }
  return ranks;
}

// Start of the tail whose mean has the least standard error; at most half is cut.
std::size_t least_error_start(std::span<const double> x) {
  double sum = 0;
  double squares = 0;
  std::size_t best = 0;
  double least = 0;
  for (std::size_t start = x.size(); start-- > 0;) {
    sum += x[start];
    squares += x[start] * x[start];
    if (start > x.size() / 2) continue;
    const auto left = static_cast<double>(x.size() - start);
    const double error = (squares - sum * sum / left) / (left * left);
    if (start == x.size() / 2 || error <= least) {
      least = error;
      best = start;
    }
  }
  return best;
}

// Rank-sum statistic of the first `cut` values against the others, as a standard normal deviate.
double rank_sum_deviate(std::span<const double> ranks, std::size_t cut) {
  const auto first = static_cast<double>(cut);
  const auto n = static_cast<double>(ranks.size());
  const double sum = std::accumulate(ranks.begin(), ranks.begin() + static_cast<long>(cut), 0.0);
  const double expected = first * (n + 1) / 2;
  return (sum - expected) / std::sqrt(first * (n - first) * (n + 1) / 12);
}

}  // namespace

std::size_t steady_state_start(std::span<const double> x) {
  return steady_state_start(x, in_order(x));
}

std::size_t steady_state_start(std::span<const double> x, std::span<const Placed> order) {
  constexpr std::size_t kFewest = 8;  // below, no test could tell
  if (x.size() < kFewest) return 0;
  const std::vector<double> ranks = ranks_of(order);
  const std::size_t cut = least_error_start(ranks);
  if (cut == 0) return 0;
  const double deviate = std::fabs(rank_sum_deviate(ranks, cut));
  // Dependence only ever makes it count for less.
  const auto chance = [&](const Dependence& dependence) {
    return deviate / std::sqrt(dependence.of_mean) <= kSignificant;
  };
  if (chance({})) return 0;
  // From the half that is never cut, and from what is kept: a transient would pass for dependence.
  Dependence dependence = dependence_of_median(order_from(order, x.size() / 2));
  if (chance(dependence)) return 0;
  const Dependence kept = dependence_of_median(order_from(order, cut));
  if (kept.of_mean > dependence.of_mean) dependence = kept;
  const double weight = std::min(1.0, dependence.of_mean - 1);
  const double student = student_quantile(std::max(2.0, dependence.freedom / 2), kTail);
  const double critical = kSignificant + weight * (std::max(student, kSignificant) - kSignificant);
  if (deviate / std::sqrt(dependence.of_mean) <= critical) return 0;
  // A drift goes on where a transient ends: cutting it would move the level.
  return linear_drift(x, kLikelyDrift) == 0 ? cut : 0;
}

}  // namespace stepmark
