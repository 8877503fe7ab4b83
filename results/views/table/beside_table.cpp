// SPDX-License-Identifier: Apache-2.0
// The page has all of them; a terminal gets those that a reader looks for first.
#include "results/views/table/beside_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <tuple>

#include "core/units.h"
#include "results/families/family.h"
#include "results/import/published.h"
#include "results/record/common_facts.h"
#include "results/views/table/format.h"
#include "results/views/table/text_table.h"
#include "results/views/words/beside.h"

namespace stepmark {
namespace {

constexpr std::size_t kMostRows = 40;

// Records by set, family and drawing; of those with a number on the drawing's axis the largest.
std::vector<const Record*> chosen(const std::vector<const Record*>& records) {
  std::vector<const Record*> out;
  std::map<std::tuple<std::string, std::string, std::string>, std::size_t> largest;
  for (const Record* record : records) {
    const Family* family = find_family(record->family);
    if (family == nullptr || family->section.curves.empty()) {
      out.push_back(record);
      continue;
    }
    const Curves& curves = family->section.curves.front();
    const auto key = std::tuple(record->text(facts::published::kSet), record->family,
                                curves.apart.empty() ? "" : record->text(curves.apart.front()));
    const auto [place, first] = largest.emplace(key, out.size());
    if (first) {
      out.push_back(record);
    } else if (record->number(curves.against) > out[place->second]->number(curves.against)) {
      out[place->second] = record;
    }
  }
  return out;
}

// The first figure that a family draws or shows, with its name.
std::string figure_of(const Record& record) {
  const Family* family = find_family(record.family);
  if (family == nullptr) return {};
  std::vector<std::pair<std::string, std::string>> names;  // metric, as said
  for (const Curves& curves : family->section.curves) {
    for (const auto& one : curves.figures)
      names.emplace_back(one.metric, one.metric + " " + one.unit);
  }
  for (const Column& column : family->section.columns) {
    const Value& value = column.values.front();
    if (value.from == From::metric) names.emplace_back(value.name, column.title);
  }
  for (const auto& [name, said] : names) {
    const auto* metric = record.metric(name);
    if (metric != nullptr && metric->value) {
      return fmt::format("{} {}", format_number(*metric->value), said);
    }
  }
  const auto told = record.number("told_tflops_per_gpu");
  return told ? fmt::format("{} TFLOP/s/GPU, as told", format_number(*told)) : std::string{};
}

std::string subject_of(const Record& record) {
  const Family* family = find_family(record.family);
  if (family != nullptr && !family->section.curves.empty()) {
    const Curves& curves = family->section.curves.front();
    const auto size = record.number(curves.against);
    return fmt::format("{} {}", record.text(curves.apart.empty() ? "" : curves.apart.front()),
                       size ? format_bytes(*size) : "");
  }
  const std::string title = record.text(facts::kTitle);
  return title.empty() ? record.case_id : title;
}

}  // namespace

std::string beside_table(std::span<const Run> runs) {
  std::string names;
  for (const Run& run : runs) {
    if (run.beside) names += (names.empty() ? "" : ", ") + run.path;
  }
  if (names.empty()) return {};
  const auto all = records_beside(runs);
  if (all.empty()) {
    return fmt::format("Beside: {} has nothing of what was measured here.\n", names);
  }
  TextTable table({{"what", Align::left},
                   {"system", Align::left},
                   {"ranks"},
                   {"time"},
                   {"figure", Align::left}});
  const auto rows = chosen(all);
  for (std::size_t i = 0; i < std::min(rows.size(), kMostRows); ++i) {
    const Record& record = *rows[i];
    const Summary* time = record.summary(facts::kTimeS);
    const std::string what = record.text(facts::published::kWhat);
    table.add({subject_of(record),
               record.text(facts::published::kSystem) + (what.empty() ? "" : " (" + what + ")"),
               fmt::format("{:g}", record.number(facts::kRanks).value_or(1)),
               time == nullptr ? "N/A" : format_seconds(time->median), figure_of(record)});
  }
  std::string text = fmt::format("Beside: {}\n{}", names, table.text());
  if (rows.size() > kMostRows)
    text += fmt::format("and {} more; --html or --csv has all\n", rows.size() - kMostRows);
  return text + wrapped(
                    "Published by others, on systems, versions and settings of theirs, without "
                    "samples: for orientation, never a comparison. Sources and what they do not "
                    "say are on the page and in the file.",
                    0);
}

}  // namespace stepmark
