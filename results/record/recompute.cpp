// SPDX-License-Identifier: Apache-2.0
// Figures in the file are compared with those that follow from its samples, to within what
// compilers differ by; which of both is shown is never in question.
#include "results/record/recompute.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "results/record/common_facts.h"

namespace stepmark {

namespace {

// Far above what compilers and mathematical libraries differ by, far below what anyone reads.
constexpr double kTolerance = 1e-9;

bool close(double a, double b) {
  if (!std::isfinite(a) || !std::isfinite(b)) {
    return !std::isfinite(a) && !std::isfinite(b);
  }
  return std::abs(a - b) <= kTolerance * std::max(std::abs(a), std::abs(b));
}

bool close(const std::optional<double>& a, const std::optional<double>& b) {
  return a && b ? close(*a, *b) : a.has_value() == b.has_value();
}

bool alike(const Summary& a, const Summary& b) {
  return a.series == b.series && a.count == b.count && a.steady_from == b.steady_from &&
         close(a.effective_count, b.effective_count) && close(a.median, b.median) &&
         close(a.lower, b.lower) && close(a.upper, b.upper) && close(a.mean, b.mean) &&
         close(a.min, b.min) && close(a.max, b.max) && close(a.p95, b.p95) && close(a.p99, b.p99) &&
         close(a.mad, b.mad);
}

bool alike(const Metric& a, const Metric& b) {
  return a.name == b.name && a.unit == b.unit && close(a.value, b.value) &&
         close(a.lower, b.lower) && close(a.upper, b.upper) &&
         a.higher_is_better == b.higher_is_better;
}

template <class T>
bool alike(const std::vector<T>& a, const std::vector<T>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const T& x, const T& y) { return alike(x, y); });
}

std::string shown(const std::optional<double>& value) {
  return value && std::isfinite(*value) ? fmt::format("{}", *value) : "N/A";
}

void check_summary(const Summary& claimed, const Record& derived, ClaimedFigures& out) {
  const auto* found = derived.summary(claimed.series);
  if (found != nullptr && alike(claimed, *found)) {
    ++out.confirmed;
  } else {
    out.untrue.push_back(fmt::format(
        "summary of {}: median {} in the file, {} follows (or another of its figures differs)",
        claimed.series, shown(claimed.median), found == nullptr ? "none" : shown(found->median)));
  }
}

void check_metric(const Metric& claimed, const Record& derived, ClaimedFigures& out) {
  const auto* found = derived.metric(claimed.name);
  if (found == nullptr) {
    out.unknown.push_back(claimed.name);
  } else if (alike(claimed, *found)) {
    ++out.confirmed;
  } else {
    out.untrue.push_back(
        fmt::format("metric {}: {} {} (interval {} to {}) in the file, {} {} "
                    "(interval {} to {}) follows",
                    claimed.name, shown(claimed.value), claimed.unit, shown(claimed.lower),
                    shown(claimed.upper), shown(found->value), found->unit, shown(found->lower),
                    shown(found->upper)));
  }
}

}  // namespace

ClaimedFigures check_claims(const Record& claimed, const Derive& derive) {
  ClaimedFigures out;
  Record derived = claimed;
  derived.metrics.clear();
  if (recompute(derived, derive) == Recomputed::impossible) {
    out.untrue.emplace_back("figures without samples that they could follow from");
    return out;
  }
  for (const Summary& summary : claimed.summaries) check_summary(summary, derived, out);
  for (const Metric& metric : claimed.metrics) check_metric(metric, derived, out);
  return out;
}

Recomputed recompute(Record& record, const Derive& derive) {
  if (record.outcome != Outcome::ok || !derive) {
    return Recomputed::agrees;
  }
  if (!record.has_samples(facts::kTimeS) && !record.is_summary_only()) {
    return record.summaries.empty() && record.metrics.empty() ? Recomputed::agrees
                                                              : Recomputed::impossible;
  }
  const auto summaries = record.summaries;  // derive keeps those of an imported record
  const auto metrics = std::move(record.metrics);
  derive(record);
  // Who wrote samples alone said nothing that could differ.
  if (summaries.empty() && metrics.empty()) return Recomputed::agrees;
  return alike(summaries, record.summaries) && alike(metrics, record.metrics) ? Recomputed::agrees
                                                                              : Recomputed::differs;
}

}  // namespace stepmark
