// SPDX-License-Identifier: Apache-2.0
#include "harness/measure/stop_rule.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

#include "core/stats.h"

namespace stepmark {
namespace {

constexpr double kConfidence = 0.95;

// Iterations until the next look: enough for a first judgement, then a quarter more each time, so
// that looking stays cheap and overshoot small.
int wanted_batch(const StopRule& rule, int samples, double iteration_s) {
  if (samples == 0 && iteration_s <= 0) return 1;  // finds out what an iteration costs
  if (samples < rule.min_samples) return rule.min_samples - samples;
  return std::max(1, samples / 4);
}

}  // namespace

std::string to_text(const Decision& decision) {
  return fmt::format("{} {}", decision.next, static_cast<int>(decision.reason));
}

Decision decision_from_text(std::string_view text) {
  Decision decision;
  int reason = -1;
  const char* const end = text.data() + text.size();
  const auto [middle, status] = std::from_chars(text.data(), end, decision.next);
  if (status == std::errc{} && middle != end) std::from_chars(middle + 1, end, reason);
  STEPMARK_CHECK(reason >= 0 && reason <= static_cast<int>(StopReason::budget),
                 "ranks disagree: expected a sampling decision, received '{}'", text);
  decision.reason = static_cast<StopReason>(reason);
  return decision;
}

Precision precision_of(std::span<const double> time_s) {
  const std::span<const double> steady = time_s.subspan(steady_state_start(time_s));
  const double effective = effective_sample_size_of_median(steady);
  const Interval interval = median_interval_effective(steady, effective, kConfidence);
  double half_width = interval.width() / 2 / median(steady);
  // 0/0: all samples 0 s; too coarse a clock is no precision.
  if (std::isnan(half_width)) half_width = std::numeric_limits<double>::infinity();
  return {.steady_samples = static_cast<int>(steady.size()), .half_width = half_width};
}

Decision decide(const StopRule& rule, int samples, const Precision& precision, double elapsed_s,
                double iteration_s) {
  if (precision.steady_samples >= rule.min_samples && precision.half_width <= rule.precision) {
    return {.next = 0, .reason = StopReason::precision};
  }
  const int room = rule.max_samples - samples;
  if (room <= 0 && samples > 0) return {.next = 0, .reason = StopReason::max_samples};
  int next = std::clamp(wanted_batch(rule, samples, iteration_s), 1, std::max(room, 1));
  const double left_s = rule.budget_s - elapsed_s;
  if (iteration_s > 0) {
    next = static_cast<int>(std::min(static_cast<double>(next), left_s / iteration_s));
  } else if (left_s <= 0) {
    next = 0;
  }
  if (samples == 0) next = std::max(next, 1);
  if (next <= 0) return {.next = 0, .reason = StopReason::budget};
  return {.next = next};
}

}  // namespace stepmark
