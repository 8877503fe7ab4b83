// SPDX-License-Identifier: Apache-2.0
// Samples that are not finite are left out, then the transient (MSER); all figures are of the
// steady rest. An imported summary keeps what was told and gets no interval, which only samples
// could give.
#include "results/record/summary.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/stats.h"
#include "core/stats/ordered.h"

namespace stepmark {

namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kConfidence = 0.95;

double finite_or_nan(double value) { return std::isfinite(value) ? value : kNaN; }

std::vector<double> finite_values(const Series& series) {
  std::vector<double> out;
  std::copy_if(series.values.begin(), series.values.end(), std::back_inserter(out),
               [](double value) { return std::isfinite(value); });
  return out;
}

}  // namespace

std::vector<double> steady_values(const Series& series) {
  auto values = finite_values(series);
  const auto start = std::min(values.size(), steady_state_start(values));
  values.erase(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(start));
  return values;
}

std::vector<double> steady_values(const Series& series, std::int64_t steady_from) {
  auto values = finite_values(series);
  const auto cut = std::clamp<std::int64_t>(steady_from, 0, std::ssize(values));
  values.erase(values.begin(), values.begin() + cut);
  return values;
}

Summary summarize(const Series& series) {
  const auto values = finite_values(series);
  auto order = in_order(values);
  const auto start = std::min(values.size(), steady_state_start(values, order));
  const auto steady = std::span(values).subspan(start);
  Summary out{.series = series.name,
              .count = static_cast<std::int64_t>(steady.size()),
              .steady_from = static_cast<std::int64_t>(start)};
  if (steady.empty()) {
    out.median = out.lower = out.upper = out.mean = out.min = out.max = kNaN;
    out.p95 = out.p99 = out.mad = kNaN;
    return out;
  }
  if (start > 0) order = order_from(order, start);
  const auto sorted = values_of(order);
  const auto estimate = estimate_median(steady, order, sorted, kConfidence);
  out.effective_count = estimate.effective_n;
  out.median = estimate.median;
  out.lower = finite_or_nan(estimate.interval.lower);
  out.upper = finite_or_nan(estimate.interval.upper);
  out.mean = mean(steady);
  out.min = sorted.front();
  out.max = sorted.back();
  out.p95 = quantile_of_sorted(sorted, 0.95);
  out.p99 = quantile_of_sorted(sorted, 0.99);
  out.mad = deviation_of_sorted(sorted);
  return out;
}

Summary imported_summary(std::string series, const Told& told) {
  return without_samples({.series = std::move(series),
                          .count = told.count,
                          .median = told.median,
                          .mean = kNaN,
                          .min = told.min,
                          .max = told.max,
                          .p95 = kNaN,
                          .p99 = kNaN});
}

Summary without_samples(const Summary& told) {
  const auto time = [](double value) { return value >= 0 ? finite_or_nan(value) : kNaN; };
  return {.series = told.series,
          .count = std::max<std::int64_t>(0, told.count),
          .effective_count = kNaN,
          .median = time(told.median),
          .lower = kNaN,
          .upper = kNaN,
          .mean = time(told.mean),
          .min = time(told.min),
          .max = time(told.max),
          .p95 = time(told.p95),
          .p99 = time(told.p99),
          .mad = kNaN};
}

}  // namespace stepmark
