// SPDX-License-Identifier: Apache-2.0
// Sizes are those of the text, escaped as the page holds it.
#include "results/views/report/slim.h"

#include <cmath>
#include <functional>
#include <nlohmann/json.hpp>

#include "results/record/common_facts.h"
#include "results/record/json_text.h"

namespace stepmark {
namespace {

using nlohmann::json;

std::size_t bytes_of(const json& runs) {
  std::size_t out = 0;
  for (const json& run : runs) out += json_text(run, {.ascii_only = true}).size();
  return out;
}

void each_record(json& runs, const std::function<void(json&)>& change) {
  for (json& run : runs) {
    for (json& record : run["records"]) change(record);
  }
}

// Nine digits: more than any clock has.
double rounded(double value) {
  if (!std::isfinite(value) || value == 0) return value;
  const double scale = std::pow(10.0, 8 - std::floor(std::log10(std::abs(value))));
  const double out = std::round(value * scale) / scale;
  return std::isfinite(out) ? out : value;
}

void round_numbers(json& value) {
  if (value.is_number_float()) {
    value = rounded(value.get<double>());
  } else if (value.is_structured()) {
    for (json& part : value) round_numbers(part);
  }
}

void drop_samples(json& record) { record["series"] = json::array(); }

void drop_other_summaries(json& record) {
  json kept = json::array();
  for (json& summary : record["summaries"]) {
    if (summary["series"] != facts::kTimeS) continue;
    for (const char* unseen : {"mean", "min", "max", "p95", "mad", "steady_from"}) {
      summary.erase(unseen);
    }
    kept.push_back(std::move(summary));
  }
  record["summaries"] = std::move(kept);
}

bool is_blank(const json& text) {
  return text.is_string() && text.get_ref<const std::string&>().empty();
}

// What the page's scripts take for granted where it is not there, and what no section shows.
void drop_defaults(json& record) {
  for (const char* list : {"series", "split", "timeline", "labels", "checks"}) {
    if (record[list].empty()) record.erase(list);
  }
  if (is_blank(record["reason"])) record.erase("reason");
  if (record["perf_valid"] == true) record.erase("perf_valid");
  for (const char* unseen : {"started_unix_s", "wall_s"}) record.erase(unseen);
  for (json& metric : record["metrics"]) {
    if (is_blank(metric["note"])) metric.erase("note");
    metric.erase("unit");
    metric.erase("higher_is_better");
  }
  if (!record.contains("checks")) return;
  for (json& check : record["checks"]) {
    if (check["passed"] == true) check = {{"passed", true}};
  }
}

void drop_timelines(json& runs, std::size_t& size, int& dropped) {
  for (auto run = runs.rbegin(); run != runs.rend(); ++run) {
    for (json& record : (*run)["records"]) {
      if (size <= kMostRunBytes) return;
      if (!record.contains("timeline") || record["timeline"].empty()) continue;
      size -= json_text(record["timeline"], {.ascii_only = true}).size();
      record["timeline"] = json::array();
      ++dropped;
    }
  }
}

}  // namespace

std::vector<std::string> slim_records(json& runs) {
  std::vector<std::string> out;
  std::size_t size = bytes_of(runs);
  const auto unless_small = [&](const std::function<void(json&)>& change, const char* what) {
    if (size <= kMostRunBytes) return;
    each_record(runs, change);
    size = bytes_of(runs);
    out.emplace_back(what);
  };
  unless_small(drop_samples, "samples");
  unless_small(drop_other_summaries, "summaries beside median, interval and p99 of the time");
  unless_small(round_numbers, "digits of figures beyond the ninth");
  unless_small(drop_defaults, "units, dates and names of what passed");
  int dropped = 0;
  drop_timelines(runs, size, dropped);
  if (dropped > 0) out.push_back(std::to_string(dropped) + " timelines");
  const auto drop_notes = [](json& record) {
    for (json& metric : record["metrics"]) {
      if (!metric["value"].is_null()) metric.erase("note");
    }
  };
  unless_small(drop_notes, "notes of metrics that have a value");
  return out;
}

}  // namespace stepmark
