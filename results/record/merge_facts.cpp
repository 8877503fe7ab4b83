// SPDX-License-Identifier: Apache-2.0
// Equal numbers stay, names ending in _max and _min say how they merge, totals add up, and the rest
// is a median. Texts that differ are joined, a check that failed once has failed.
#include "results/record/merge_facts.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <string_view>

#include "core/stats.h"
#include "results/record/common_facts.h"

namespace stepmark {

namespace {

// Totals of a sampling window.
constexpr std::array<std::string_view, 5> kSums = {facts::kEnergyJ, facts::kTelemetryS,
                                                   facts::kTelemetrySamples, facts::kEccCorrected,
                                                   facts::kEccUncorrected};

double merged_number(std::string_view name, const std::vector<double>& values) {
  if (std::equal(values.begin() + 1, values.end(), values.begin())) return values.front();
  if (name.ends_with("_max")) return *std::max_element(values.begin(), values.end());
  if (name.ends_with("_min")) return *std::min_element(values.begin(), values.end());
  if (std::find(kSums.begin(), kSums.end(), name) != kSums.end()) {
    return std::accumulate(values.begin(), values.end(), 0.0);
  }
  return median(values);
}

template <class List>
bool has_name(const List& list, std::string_view name) {
  return std::any_of(list.begin(), list.end(),
                     [&](const auto& entry) { return entry.first == name; });
}

}  // namespace

void merge_numbers(const Repetitions& repetitions, Record& into) {
  for (const Record* one : repetitions) {
    for (const auto& [name, first] : one->numbers) {
      if (has_name(into.numbers, name)) continue;
      std::vector<double> values;
      for (const Record* other : repetitions) {
        if (const auto value = other->number(name); value && !std::isnan(*value)) {
          values.push_back(*value);
        }
      }
      into.numbers.emplace_back(name, values.empty() ? first : merged_number(name, values));
    }
  }
}

void merge_texts(const Repetitions& repetitions, Record& into) {
  for (const Record* one : repetitions) {
    for (const auto& [name, first] : one->texts) {
      if (has_name(into.texts, name)) continue;
      std::vector<std::string> different;
      for (const Record* other : repetitions) {
        const std::string text = other->text(name);
        if (!text.empty() &&
            std::find(different.begin(), different.end(), text) == different.end()) {
          different.push_back(text);
        }
      }
      std::string joined;
      for (const std::string& text : different) joined += (joined.empty() ? "" : " | ") + text;
      into.texts.emplace_back(name, joined);
    }
  }
}

void merge_labels(const Repetitions& repetitions, Record& into) {
  for (const Record* one : repetitions) {
    for (const std::string& label : one->labels) {
      if (std::find(into.labels.begin(), into.labels.end(), label) == into.labels.end()) {
        into.labels.push_back(label);
      }
    }
  }
}

void merge_checks(const Repetitions& repetitions, Record& into) {
  for (const Record* one : repetitions) {
    for (const Check& check : one->checks) {
      const auto same = std::find_if(into.checks.begin(), into.checks.end(),
                                     [&](const Check& known) { return known.name == check.name; });
      const std::string detail =
          check.passed ? check.detail
                       : fmt::format("repetition {}: {}", one->repetition, check.detail);
      if (same == into.checks.end()) {
        into.checks.push_back({.name = check.name, .passed = check.passed, .detail = detail});
      } else if (!check.passed) {
        same->detail = same->passed ? detail : fmt::format("{}; {}", same->detail, detail);
        same->passed = false;
      }
    }
  }
}

}  // namespace stepmark
