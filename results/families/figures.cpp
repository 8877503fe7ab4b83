// SPDX-License-Identifier: Apache-2.0
// Intervals turn round where a time becomes a rate. A figure that is not finite is N/A with its
// reason, and a throwing family loses its metrics, not the record.
#include "results/families/figures.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "core/metrics.h"
#include "core/number_text.h"
#include "results/normalise/rates.h"

namespace stepmark {
namespace {

constexpr std::string_view kBroken = " is N/A: ";
constexpr std::string_view kNoFigures = "no figures: ";

constexpr normalise::Definition kRate{"rate", "", "work / time", ""};

}  // namespace

Fact fact(const Record& record, std::string_view name) {
  const auto value = record.number(name);
  if (!value) return {.value = {}, .why = fmt::format("number '{}' is missing", name)};
  if (!std::isfinite(*value) || *value < 0) {
    return {.value = {}, .why = fmt::format("number '{}' is {}", name, number_text("{}", *value))};
  }
  return {.value = *value, .why = {}};
}

std::optional<double> positive(const Record& record, std::string_view name) {
  const Fact found = fact(record, name);
  return found.value && *found.value > 0 ? found.value : std::nullopt;
}

const Summary* usable_summary(const Record& record, std::string_view series) {
  const Summary* summary = record.summary(series);
  if (summary == nullptr) return nullptr;
  const bool told = record.provenance == Provenance::imported && std::isfinite(summary->median);
  return summary->count > 0 || told ? summary : nullptr;
}

std::optional<double> if_finite(double value) {
  return std::isfinite(value) ? std::optional<double>(value) : std::nullopt;
}

Metric not_available(std::string name, std::string unit, std::string why) {
  return {.name = std::move(name), .unit = std::move(unit), .note = std::move(why)};
}

Metric rate(std::string name, std::string unit, double work, const Summary& time) {
  const auto figure =
      normalise::quotient(kRate, {"work", normalise::exactly(work)}, {"time", measured(time)});
  Metric out = metric_of(figure);
  out.name = std::move(name);
  out.unit = std::move(unit);
  out.note.clear();  // what is no number is remarked by add()
  return out;
}

normalise::Measured measured(const Summary& time) { return {time.median, time.lower, time.upper}; }

Metric metric_of(const normalise::Figure& figure) {
  return {.name = std::string(figure.definition->name),
          .unit = std::string(figure.definition->unit),
          .value = figure.value,
          .lower = figure.lower,
          .upper = figure.upper,
          .note = figure.value ? std::string() : figure.why,
          .higher_is_better = figure.definition->higher_is_better};
}

Metric duration(std::string name, std::string unit, double scale, const Summary& time) {
  return {.name = std::move(name),
          .unit = std::move(unit),
          .value = if_finite(time.median / scale),
          .lower = if_finite(time.lower / scale),
          .upper = if_finite(time.upper / scale),
          .higher_is_better = false};
}

Metric figure(std::string name, std::string unit, double value, std::string note,
              bool higher_is_better) {
  const auto finite = if_finite(value);
  return {.name = std::move(name),
          .unit = std::move(unit),
          .value = finite,
          .note = finite ? std::move(note) : std::string(),
          .higher_is_better = higher_is_better};
}

void add(Record& record, Metric metric) {
  if (metric.value || !metric.note.empty()) {
    record.metrics.push_back(std::move(metric));
    return;
  }
  add_broken(record, std::move(metric.name), std::move(metric.unit),
             "what it is computed from gives no finite number");
  record.metrics.back().higher_is_better = metric.higher_is_better;
}

void add_broken(Record& record, std::string name, std::string unit, const std::string& why) {
  record.labels.push_back(fmt::format("{}{}{}", name, kBroken, why));
  record.metrics.push_back(not_available(std::move(name), std::move(unit), why));
}

void add_rate(Record& record, std::string name, std::string unit, const Fact& work, double scale,
              const Summary& time, std::string none) {
  if (!work.value) {
    add_broken(record, std::move(name), std::move(unit), work.why);
  } else if (*work.value > 0) {
    add(record, rate(std::move(name), std::move(unit), *work.value * scale, time));
  } else {
    add(record, not_available(std::move(name), std::move(unit), std::move(none)));
  }
}

void add_bus_bandwidth(Record& record, std::string name, std::string_view op,
                       std::string_view ranks, const Fact& bytes, const Summary& time) {
  const Fact count = fact(record, ranks);
  const auto kind = find_collective(record.text(op));
  if (!kind) {
    add_broken(record, std::move(name), "GB/s",
               fmt::format("text '{}' is '{}', no collective", op, record.text(op)));
  } else if (!count.value) {
    add_broken(record, std::move(name), "GB/s", count.why);
  } else if (*count.value < 1 || *count.value > std::numeric_limits<int>::max()) {
    add_broken(record, std::move(name), "GB/s",
               fmt::format("number '{}' is {}", ranks, number_text("{}", *count.value)));
  } else if (!bytes.value) {
    add_broken(record, std::move(name), "GB/s", bytes.why);
  } else if (!(*bytes.value > 0)) {
    add(record, not_available(std::move(name), "GB/s", "moves no data"));
  } else {
    Metric metric = metric_of(normalise::bus_bandwidth(
        measured(time), *kind, static_cast<int>(*count.value), bytes.value));
    metric.name = std::move(name);
    add(record, std::move(metric));
  }
}

Fact product(Fact bytes, const Fact& calls) {
  if (!bytes.value || !calls.value) return bytes.value ? calls : bytes;
  bytes.value = *bytes.value * *calls.value;
  return bytes;
}

Metric slowdown(std::string name, const Summary& alone, const Summary& together) {
  return {.name = std::move(name),
          .unit = "1",
          .value = if_finite(together.median / alone.median),
          .lower = if_finite(together.lower / alone.upper),
          .upper = if_finite(together.upper / alone.lower),
          .higher_is_better = false};
}

std::string no_samples(const std::string& series) {
  return fmt::format("no samples in series '{}'", series);
}

std::string first_missing(const Record& record, const std::vector<std::string>& series) {
  for (const std::string& name : series) {
    if (usable_summary(record, name) == nullptr) return name;
  }
  return {};
}

void drop_remarks(Record& record) {
  std::erase_if(record.labels, [](const std::string& label) {
    return label.find(kBroken) != std::string::npos || label.starts_with(kNoFigures) ||
           label == kNoSamples;
  });
}

void derive_guarded(Record& record, const std::function<void(Record&)>& figures) {
  try {
    figures(record);
  } catch (const std::exception& error) {
    record.metrics.clear();
    drop_remarks(record);
    record.labels.push_back(fmt::format("{}{}", kNoFigures, error.what()));
  }
}

}  // namespace stepmark
