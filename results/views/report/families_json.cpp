// SPDX-License-Identifier: Apache-2.0
// The page draws what this describes and knows no family by name; enumerations become words that
// its scripts switch on.
#include "results/views/report/families_json.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <string_view>
#include <vector>

#include "results/families/family.h"

namespace stepmark {
namespace {

using nlohmann::json;

constexpr std::array<std::string_view, 13> kFrom{
    "metric", "number",   "text", "note",    "missing", "item",   "name",
    "median", "interval", "p99",  "samples", "checks",  "remarks"};
constexpr std::array<std::string_view, 5> kShow{"plain", "bytes", "seconds", "microseconds",
                                                "share"};

template <class T, class One>
json list(const std::vector<T>& items, One one) {
  json out = json::array();
  for (const T& item : items) out.push_back(one(item));
  return out;
}

json value_json(const Value& value) {
  return {{"from", kFrom.at(static_cast<std::size_t>(value.from))},
          {"name", value.name},
          {"show", kShow.at(static_cast<std::size_t>(value.show))}};
}

json column_json(const Column& column) {
  return {{"title", column.title},
          {"values", list(column.values, value_json)},
          {"is_text", column.is_text}};
}

json curves_json(const Curves& curves) {
  return {{"against", curves.against},
          {"apart", curves.apart},
          {"line", curves.line},
          {"dashed", curves.dashed},
          {"figures", list(curves.figures, [](const Curves::Figure& figure) -> json {
             json levels = json::array();
             for (const auto& [name, number] : figure.levels) {
               levels.push_back({{"name", name}, {"number", number}});
             }
             return {{"metric", figure.metric},
                     {"title", figure.title},
                     {"unit", figure.unit},
                     {"levels", std::move(levels)}};
           })}};
}

json bars_json(const Bars& bars) {
  return {{"metric", bars.metric},
          {"words", bars.line.words},
          {"values", list(bars.line.values, value_json)},
          {"unknown", bars.unknown}};
}

json family_json(const Family& family) {
  const Section& section = family.section;
  return {{"name", family.name},
          {"items", family.items},
          {"section",
           {{"id", section.id},
            {"heading", section.heading},
            {"hint", section.hint},
            {"columns", list(section.columns, column_json)},
            {"curves", list(section.curves, curves_json)},
            {"bars", list(section.bars, bars_json)},
            {"split_heading", section.split_heading},
            {"split_by", section.split_by},
            {"figures", list(section.figures, column_json)}}}};
}

}  // namespace

json families_json() {
  std::vector<Family> all = families();
  std::stable_sort(all.begin(), all.end(), [](const Family& a, const Family& b) {
    return a.section.place < b.section.place;
  });
  return list(all, family_json);
}

}  // namespace stepmark
