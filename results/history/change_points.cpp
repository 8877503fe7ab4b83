// SPDX-License-Identifier: Apache-2.0
// At every point: is the mean of the newest few off the level at all (the gate, which most points
// do not pass)? If so, the best split of the window, which must be large enough in mean and median,
// and pass both tests. Outliers are pulled in first, so that a spike is worth no more than four
// standard deviations; with `fewest` points on a side and the median's word it makes no change.
#include "results/history/change_points.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/stats.h"
#include "core/stats/ordered.h"
#include "results/history/divisive.h"
#include "results/history/welch.h"

namespace stepmark {
namespace {

constexpr double kPulledTo = 4;     // robust standard deviations
constexpr double kGate = 2;         // standard errors of the mean of the newest points
constexpr std::size_t kEvery = 5;   // points after which centre and scale are taken anew
constexpr double kNormal = 1.4826;  // of a MAD, for a standard deviation

struct Level {
  double centre = 0, sd = 0;
};

Level level_of(std::span<const double> logs) {
  std::vector<double> sorted(logs.begin(), logs.end());
  std::sort(sorted.begin(), sorted.end());
  return {.centre = quantile_of_sorted(sorted, 0.5), .sd = kNormal * deviation_of_sorted(sorted)};
}

// Outliers pulled in. A series on a coarse clock has no deviation, and keeps its steps.
double pulled(double log, const Level& level, double least_effect) {
  const double most = std::max(kPulledTo * level.sd, 2 * least_effect);
  return std::clamp(log, level.centre - most, level.centre + most);
}

std::vector<double> pulled_in(std::span<const double> logs, double least_effect) {
  const Level level = level_of(logs);
  std::vector<double> out(logs.begin(), logs.end());
  for (double& one : out) one = pulled(one, level, least_effect);
  return out;
}

// Blocks as long as it takes for correlation to fade.
std::size_t block_of(double correlation) {
  return static_cast<std::size_t>(std::ceil((1 + correlation) / (1 - correlation) - 1e-9));
}

double independent_share(double correlation) { return (1 - correlation) / (1 + correlation); }

class Scan {
 public:
  Scan(std::span<const double> values, const ChangeOptions& options, ScanState& state)
      : options_(options), state_(state), effect_(std::log1p(options.least_effect)) {
    logs_.reserve(values.size());
    for (const double value : values) logs_.push_back(std::log(value));
  }

  std::vector<Change> from(std::size_t begin) {
    for (std::size_t i = begin; i < logs_.size(); ++i) {
      ++state_.level_points;
      if (!enough() || !gate_passed(i)) continue;
      if (const Change change = change_at(i); change.found != 0) {
        out_.push_back(change);
        state_ = {.level_points = i + 1 - change.at, .first_level = false};
        has_level_ = false;
      }
    }
    return out_;
  }

 private:
  [[nodiscard]] std::size_t fewest_left() const {
    return state_.first_level ? options_.fewest_first : options_.fewest;
  }
  [[nodiscard]] bool enough() const {
    return state_.level_points >= fewest_left() + options_.fewest;
  }
  // The newest points of the present level, at most a window of them, up to `end`.
  [[nodiscard]] std::span<const double> window(std::size_t end, std::size_t level_points) const {
    const std::size_t count = std::min(level_points, options_.window);
    return std::span(logs_).subspan(end - count, count);
  }

  // Centre and scale are those of the last point whose place in the level is a multiple of kEvery:
  // so they are the same for a scan that begins here.
  bool gate_passed(std::size_t i) {
    const std::size_t since = state_.level_points % kEvery;
    if (!has_level_ || since == 0) {
      level_ = level_of(window(i + 1 - since, state_.level_points - since));
      has_level_ = true;
    }
    double sum = 0;
    for (std::size_t k = i + 1 - options_.fewest; k <= i; ++k) {
      sum += pulled(logs_[k], level_, effect_);
    }
    const double count = static_cast<double>(options_.fewest);
    const double off = std::abs(sum / count - level_.centre);
    return off > std::max(kGate * level_.sd / std::sqrt(count), effect_ / 2);
  }

  // found = 0: none.
  [[nodiscard]] Change change_at(std::size_t i) const {
    const std::span<const double> raw = window(i + 1, state_.level_points);
    const std::vector<double> logs = pulled_in(raw, effect_);
    const std::span<const double> x = logs;
    const bool from_first = state_.first_level && state_.level_points <= options_.window;
    const std::size_t left = from_first ? options_.fewest_first : options_.fewest;
    const Split split = best_split(x, left, options_.fewest);
    if (split.at == 0) return {};
    const auto before = x.first(split.at), after = x.subspan(split.at);
    const double medians = median(after) - median(before);
    const double correlation = neighbour_correlation(before, after);
    const MeansTest means = welch_test(before, after, independent_share(correlation), 0);
    if (std::abs(means.difference) < effect_ || std::abs(medians) < effect_ ||
        medians * means.difference <= 0 || means.p > options_.means_p) {
      return {};
    }
    const double p = permutation_p(x, split.q,
                                   {.left = left,
                                    .right = options_.fewest,
                                    .block = block_of(correlation),
                                    .permutations = options_.permutations,
                                    .level = options_.split_p,
                                    .seed = options_.seed,
                                    .stream = state_.level_points});
    if (p > options_.split_p) return {};
    return {.at = i + 1 - raw.size() + split.at,
            .found = i,
            .ratio = std::exp(means.difference),
            .split_p = p,
            .means_p = means.p};
  }

  const ChangeOptions& options_;
  ScanState& state_;
  double effect_;
  std::vector<double> logs_;
  std::vector<Change> out_;
  Level level_;
  bool has_level_ = false;
};

}  // namespace

std::string ChangeOptions::text() const {
  return fmt::format("window={} fewest={},{} effect={} p={},{} permutations={} seed={}", window,
                     fewest, fewest_first, least_effect, split_p, means_p, permutations, seed);
}

std::size_t points_before(const ChangeOptions& options, const ScanState& state) {
  return std::min(state.level_points, options.window + kEvery);
}

std::vector<Change> find_changes(std::span<const double> values, std::size_t from,
                                 const ChangeOptions& options, ScanState& state) {
  return Scan(values, options, state).from(from);
}

LevelRatio level_ratio(std::span<const double> before, std::span<const double> after) {
  constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();
  constexpr double kConfidence = 0.95;
  constexpr double kStep = 0.01;  // of a coarse clock: kept where most points are the same
  if (before.empty() || after.empty()) return {kUnknown, kUnknown, kUnknown};
  const auto logs_of = [](std::span<const double> values) {
    std::vector<double> logs;
    for (const double value : values) logs.push_back(std::log(value));
    return pulled_in(logs, kStep);
  };
  const std::vector<double> a = logs_of(before), b = logs_of(after);
  if (a.size() < 2 || b.size() < 2) {
    return {std::exp(mean(b) - mean(a)), kUnknown, kUnknown};
  }
  const double share = independent_share(neighbour_correlation(a, b));
  const MeansTest means = welch_test(a, b, share, 0);
  const double half = means.standard_error > 0 ? half_width(means, kConfidence) : 0;
  return {std::exp(means.difference), std::exp(means.difference - half),
          std::exp(means.difference + half)};
}

}  // namespace stepmark
