// SPDX-License-Identifier: Apache-2.0
// Geometric means and Student's intervals over repetitions on the log scale, the variance being at
// least what the repetitions' own intervals say. The worst outcome names the record; timeline and
// split are those of the middle repetition.
#include "results/record/merge.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/stats.h"
#include "core/stats/distributions.h"
#include "results/record/common_facts.h"
#include "results/record/merge_facts.h"
#include "results/record/summary.h"

namespace stepmark {

namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kTail = 0.975;  // of 95 % intervals

double square(double x) { return x * x; }

// Mean variance that the figures' own intervals say; 0 where none has one.
double own_variance(std::span<const Estimate> estimates) {
  const double z = normal_quantile(kTail);
  std::vector<double> variances;
  for (const Estimate& e : estimates) {
    const double variance = square((e.upper - e.lower) / (2 * z));
    if (std::isfinite(variance)) variances.push_back(variance);
  }
  return variances.empty() ? 0.0 : mean(variances);
}

Estimate students_mean(std::span<const Estimate> estimates) {
  std::vector<double> values;
  for (const Estimate& e : estimates) values.push_back(e.value);
  const auto n = static_cast<double>(values.size());
  const double variance = std::max(square(standard_deviation(values)), own_variance(estimates));
  const double half = student_quantile(n - 1, kTail) * std::sqrt(variance / n);
  const double middle = mean(values);
  return {.value = middle, .lower = middle - half, .upper = middle + half};
}

const Series* find_series(const Record& record, std::string_view name) {
  const auto found = std::find_if(record.series.begin(), record.series.end(),
                                  [&](const Series& s) { return s.name == name; });
  return found == record.series.end() ? nullptr : &*found;
}

// Of the series that every repetition has; position and width over the repetitions, the rest of all
// their steady samples. Where an imported one has none, there is no width, and only what was told.
void merge_summary(const Repetitions& repetitions, const std::string& name, Record& into) {
  Summary out{.series = name};
  std::vector<Estimate> medians;
  std::vector<double> samples;
  bool complete = true;  // the samples of every repetition are there
  double lowest = kInf, highest = -kInf;
  for (const Record* one : repetitions) {
    const Summary* own = one->summary(name);
    const Series* series = find_series(*one, name);
    if (own == nullptr || (series == nullptr && !one->is_summary_only())) return;
    lowest = own->min < lowest || std::isnan(own->min) ? own->min : lowest;
    highest = own->max > highest || std::isnan(own->max) ? own->max : highest;
    medians.push_back({.value = own->median, .lower = own->lower, .upper = own->upper});
    out.count += own->count;
    out.steady_from += own->steady_from;
    out.effective_count += own->effective_count;
    if (series == nullptr) {
      complete = false;
      continue;
    }
    const auto steady = steady_values(*series, own->steady_from);
    samples.insert(samples.end(), steady.begin(), steady.end());
  }
  const Estimate all = over_repetitions(medians);
  out.median = all.value;
  out.lower = complete ? all.lower : kNaN;
  out.upper = complete ? all.upper : kNaN;
  out.mean = out.min = out.max = out.p95 = out.p99 = out.mad = kNaN;
  if (!complete) {
    out.min = lowest;
    out.max = highest;
  } else if (!samples.empty()) {
    out.mean = mean(samples);
    out.min = *std::min_element(samples.begin(), samples.end());
    out.max = *std::max_element(samples.begin(), samples.end());
    out.p95 = quantile(samples, 0.95);
    out.p99 = quantile(samples, 0.99);
    out.mad = median_absolute_deviation(samples);
  }
  into.summaries.push_back(std::move(out));
}

std::optional<double> if_finite_value(double value) {
  return std::isfinite(value) ? std::optional<double>(value) : std::nullopt;
}

void merge_metric(const Repetitions& repetitions, const Metric& first, Record& into) {
  Metric out = first;
  std::vector<Estimate> estimates;
  bool interval = false;
  for (const Record* one : repetitions) {
    const Metric* own = one->metric(first.name);
    if (own == nullptr || !own->value) {
      out.value = out.lower = out.upper = std::nullopt;
      out.note = fmt::format("repetition {}: {}", one->repetition,
                             own == nullptr ? "not among its figures" : own->note);
      if (own != nullptr && own->note == first.note) out.note = first.note;
      into.metrics.push_back(std::move(out));
      return;
    }
    interval = interval || (own->lower && own->upper);
    estimates.push_back({.value = *own->value,
                         .lower = own->lower.value_or(kNaN),
                         .upper = own->upper.value_or(kNaN)});
  }
  const Estimate all = over_repetitions(estimates);
  out.value = if_finite_value(all.value);
  out.lower = interval ? if_finite_value(all.lower) : std::nullopt;
  out.upper = interval ? if_finite_value(all.upper) : std::nullopt;
  into.metrics.push_back(std::move(out));
}

double median_time(const Record& record) {
  const Summary* time = record.summary(facts::kTimeS);
  return time == nullptr ? kNaN : time->median;
}

// The repetition whose median time is the middle one (the lower of two).
const Record* middle_of(Repetitions repetitions) {
  std::stable_sort(repetitions.begin(), repetitions.end(), [](const Record* a, const Record* b) {
    const auto place = [](double time) {
      return std::isnan(time) ? std::numeric_limits<double>::infinity() : time;
    };
    return place(median_time(*a)) < place(median_time(*b));
  });
  return repetitions[(repetitions.size() - 1) / 2];
}

void merge_measured(const Repetitions& measured, Record& out) {
  for (const Series& series : measured.front()->series) {
    Series joined{.name = series.name, .unit = series.unit, .values = {}};
    for (const Record* one : measured) {
      if (const Series* own = find_series(*one, series.name)) {
        joined.values.insert(joined.values.end(), own->values.begin(), own->values.end());
      }
    }
    out.series.push_back(std::move(joined));
    merge_summary(measured, series.name, out);
  }
  for (const Summary& summary : measured.front()->summaries) {
    if (find_series(*measured.front(), summary.series) == nullptr) {
      merge_summary(measured, summary.series, out);
    }
  }
  for (const Metric& metric : measured.front()->metrics) merge_metric(measured, metric, out);
  const Record* middle = middle_of(measured);
  out.split = middle->split;
  out.timeline = middle->timeline;
  std::vector<double> medians;
  for (const Record* one : measured) medians.push_back(median_time(*one));
  out.spread = relative_spread(medians);
}

Repetitions with_outcome(std::span<const Record> repetitions, Outcome outcome) {
  Repetitions out;
  for (const Record& one : repetitions) {
    if (one.outcome == outcome) out.push_back(&one);
  }
  return out;
}

// The worst that happened names the record; the records it is made of.
Repetitions decisive(std::span<const Record> repetitions, Outcome& outcome) {
  for (const Outcome one :
       {Outcome::failed, Outcome::ok, Outcome::skipped, Outcome::not_measured}) {
    outcome = one;
    if (Repetitions found = with_outcome(repetitions, one); !found.empty()) return found;
  }
  return {};
}

}  // namespace

Estimate over_repetitions(std::span<const Estimate> repetitions) {
  if (repetitions.empty()) return {.value = kNaN, .lower = kNaN, .upper = kNaN};
  if (repetitions.size() == 1) return repetitions.front();
  const auto finite = [](const Estimate& e) { return std::isfinite(e.value); };
  if (!std::all_of(repetitions.begin(), repetitions.end(), finite)) {
    return {.value = kNaN, .lower = kNaN, .upper = kNaN};
  }
  const auto positive = [](const Estimate& e) { return e.value > 0; };
  if (!std::all_of(repetitions.begin(), repetitions.end(), positive)) {
    return students_mean(repetitions);
  }
  std::vector<Estimate> logs;
  for (const Estimate& e : repetitions) {
    logs.push_back(
        {.value = std::log(e.value), .lower = std::log(e.lower), .upper = std::log(e.upper)});
  }
  const Estimate all = students_mean(logs);
  return {.value = std::exp(all.value), .lower = std::exp(all.lower), .upper = std::exp(all.upper)};
}

double relative_spread(std::span<const double> figures) {
  if (figures.size() < 2) return kNaN;
  std::vector<double> logs;
  for (const double figure : figures) {
    if (!(figure > 0)) return kNaN;
    logs.push_back(std::log(figure));
  }
  return standard_deviation(logs);
}

Record merge_repetitions(std::span<const Record> repetitions) {
  if (repetitions.size() == 1) return repetitions.front();
  Record out;
  const Repetitions chosen = decisive(repetitions, out.outcome);
  const Record& first = *chosen.front();
  out.case_id = first.case_id;
  out.family = first.family;
  out.provenance = first.provenance;
  out.repetitions = static_cast<int>(with_outcome(repetitions, Outcome::ok).size());
  out.spread = kNaN;
  if (out.outcome != Outcome::ok && !first.reason.empty()) {
    out.reason = fmt::format("repetition {}: {}", first.repetition, first.reason);
  }
  out.perf_valid =
      std::all_of(chosen.begin(), chosen.end(), [](const Record* one) { return one->perf_valid; });
  Repetitions all;
  out.started_unix_s = repetitions.front().started_unix_s;
  for (const Record& one : repetitions) {
    all.push_back(&one);
    out.started_unix_s = std::min(out.started_unix_s, one.started_unix_s);
    out.wall_s += one.wall_s;
  }
  merge_numbers(chosen, out);
  merge_texts(chosen, out);
  merge_labels(chosen, out);
  merge_checks(all, out);
  if (out.outcome == Outcome::ok) merge_measured(chosen, out);
  return out;
}

}  // namespace stepmark
