// SPDX-License-Identifier: Apache-2.0
// Log medians of runs, or of nodes, and how well the samples alone tell them.
#include "results/compare/case_side.h"

#include <algorithm>
#include <cmath>

#include "core/stats/ordered.h"

namespace stepmark {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

double square(double x) { return x * x; }

}  // namespace

Side side_of(const Groups& runs, double confidence, Groups& sorted) {
  Side out;
  double freedom = 0;
  for (const auto& run : runs) {
    if (run.empty()) {
      out.log_medians.push_back(kNaN);
      continue;
    }
    const auto order = in_order(run);
    sorted.push_back(values_of(order));
    const auto estimate = estimate_median(run, order, sorted.back(), confidence);
    out.log_medians.push_back(std::log(estimate.median));
    out.within += estimate.log_variance;
    out.sampled += std::max(0.0, estimate.log_variance - square(estimate.drift) / 12);
    freedom += estimate.freedom;
    ++out.runs;
    out.log_median += out.log_medians.back();
    if (std::abs(estimate.drift) > std::abs(out.drift)) {
      out.drift = estimate.drift;
    }
  }
  if (out.runs > 0) {
    out.log_median /= out.runs;
    out.within /= out.runs;
    out.sampled /= out.runs;
    out.within_freedom = freedom;
  }
  return out;
}

void fold(Side& side, std::span<const std::size_t> node_of_run, std::size_t nodes) {
  std::vector<double> sum(nodes);
  std::vector<double> count(nodes);
  for (std::size_t r = 0; r < side.log_medians.size(); ++r) {
    if (std::isnan(side.log_medians[r])) continue;
    sum[node_of_run[r]] += side.log_medians[r];
    ++count[node_of_run[r]];
  }
  side.log_medians.clear();
  side.runs = side.log_median = 0;
  double runs_share = 0;
  for (std::size_t n = 0; n < nodes; ++n) {
    side.log_medians.push_back(count[n] > 0 ? sum[n] / count[n] : kNaN);
    if (!(count[n] > 0)) continue;
    ++side.runs;
    side.log_median += side.log_medians.back();
    runs_share += 1 / count[n];
  }
  if (!(side.runs > 0)) return;
  side.log_median /= side.runs;
  side.within *= runs_share / side.runs;
  side.sampled *= runs_share / side.runs;
}

void keep_pairs(Side& a, Side& b) {
  double runs = 0;
  double sum_a = 0;
  double sum_b = 0;
  for (std::size_t n = 0; n < a.log_medians.size(); ++n) {
    if (std::isnan(a.log_medians[n] - b.log_medians[n])) continue;
    ++runs;
    sum_a += a.log_medians[n];
    sum_b += b.log_medians[n];
  }
  if (!(runs > 0)) return;
  a.runs = b.runs = runs;
  a.log_median = sum_a / runs;
  b.log_median = sum_b / runs;
}

}  // namespace stepmark
