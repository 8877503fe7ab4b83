// SPDX-License-Identifier: Apache-2.0
// Looks only at the width of the interval, never at the value; batches grow by a quarter so that
// looking stays cheap. A sample is every so many-th iteration, so that samples are spread over the
// span (docs/measuring.md).
#include "harness/measure/stop_rule.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>

#include "core/stats.h"

namespace stepmark {
namespace {

constexpr double kConfidence = 0.95;
constexpr double kSpanOfBudget = 0.8;    // at most, so that a short budget still has a precise end
constexpr double kSamplesOfSpan = 0.25;  // of max_samples: later ones are for what is not precise

// Iterations until the next look: enough for a first judgement, then a quarter more each time, so
// that looking stays cheap and overshoot small.
int wanted_batch(const StopRule& rule, int samples, double iteration_s) {
  if (samples == 0 && iteration_s <= 0) return 1;  // finds out what an iteration costs
  if (samples < rule.min_samples) return rule.min_samples - samples;
  return std::max(1, samples / 4);
}

double span_of(const StopRule& rule) {
  return std::min(rule.span_s, kSpanOfBudget * rule.budget_s);
}

// Iterations from one sample to the next, so that a share of max_samples fills the span.
int stride_of(const StopRule& rule, double iteration_s) {
  if (iteration_s <= 0) return 1;
  const double fill = span_of(rule) / (kSamplesOfSpan * rule.max_samples * iteration_s);
  return static_cast<int>(std::clamp(fill, 1.0, 1e6));
}

}  // namespace

std::string to_text(const Decision& decision) {
  return fmt::format("{} {} {} {}", decision.next, decision.stride,
                     static_cast<int>(decision.reason), decision.few_effective ? 1 : 0);
}

Decision decision_from_text(std::string_view text) {
  std::array<int, 4> fields{0, 0, -1, -1};  // next, stride, reason, few_effective
  const char* at = text.data();
  const char* const end = at + text.size();
  for (int& field : fields) {
    if (at != text.data() && at != end) ++at;  // the blank before it
    const auto [next, status] = std::from_chars(at, end, field);
    if (status != std::errc{}) break;
    at = next;
  }
  const auto [next, stride, reason, few] = fields;
  STEPMARK_CHECK(stride >= 1 && reason >= 0 && reason <= static_cast<int>(StopReason::budget) &&
                     few >= 0 && few <= 1 && at == end,
                 "ranks disagree: expected a sampling decision, received '{}'", text);
  return {.next = next,
          .stride = stride,
          .reason = static_cast<StopReason>(reason),
          .few_effective = few == 1};
}

Precision precision_of(std::span<const double> time_s) {
  const std::span<const double> steady = time_s.subspan(steady_state_start(time_s));
  const MedianEstimate estimate = estimate_median(steady, kConfidence);
  double half_width = estimate.interval.width() / 2 / estimate.median;
  // 0/0: all samples 0 s; too coarse a clock is no precision.
  if (std::isnan(half_width)) half_width = std::numeric_limits<double>::infinity();
  return {.steady_samples = static_cast<int>(steady.size()),
          .effective_samples = estimate.effective_n,
          .half_width = half_width};
}

Decision decide(const StopRule& rule, int samples, const Precision& precision, double elapsed_s,
                double iteration_s) {
  const bool few = precision.effective_samples < rule.min_effective;
  const double left_s = rule.budget_s - elapsed_s;
  const int stride = stride_of(rule, iteration_s);
  if (precision.steady_samples >= rule.min_samples && !few &&
      precision.half_width <= rule.precision && elapsed_s >= span_of(rule)) {
    return {.next = 0, .reason = StopReason::precision};
  }
  const auto stop = [&](StopReason reason) {
    return Decision{.next = 0, .reason = reason, .few_effective = few};
  };
  const int room = rule.max_samples - samples;
  if (room <= 0 && samples > 0) return stop(StopReason::max_samples);
  int next = std::clamp(wanted_batch(rule, samples, iteration_s), 1, std::max(room, 1));
  if (iteration_s > 0) {
    next = static_cast<int>(std::min(static_cast<double>(next), left_s / (iteration_s * stride)));
  } else if (left_s <= 0) {
    next = 0;
  }
  if (samples == 0) next = std::max(next, 1);
  if (next <= 0) return stop(StopReason::budget);
  return {.next = next, .stride = stride};
}

}  // namespace stepmark
