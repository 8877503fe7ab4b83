// SPDX-License-Identifier: Apache-2.0
// Reasons go from what is wrong with the run to what is wrong with its figure.
#include "results/contract/floor_match.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/error.h"

namespace stepmark {
namespace {

[[noreturn]] void fail(const Floor& floor, const std::string& message) {
  throw ConfigError(floor.place.file, floor.place.line, floor.place.column,
                    fmt::format("floor '{}': {}", floor.name, message));
}

void require_sense(const Floor& floor, const RunResult& result, const RunFigure& figure) {
  if (figure.unit != floor.unit) {
    fail(floor, fmt::format("{} is in '{}' ({}), the floor in '{}'; give it in '{}'", floor.metric,
                            figure.unit, result.case_id, floor.unit, figure.unit));
  }
  if (figure.higher_is_better != (floor.direction == FloorDirection::at_least)) {
    fail(floor,
         fmt::format("{} is better when it is {}, and the floor says '{}'", floor.metric,
                     figure.higher_is_better ? "higher" : "lower", name_of(floor.direction)));
  }
}

}  // namespace

// Iterative, with one place to go back to: linear in what patterns are like, never exponential.
bool matches(std::string_view pattern, std::string_view text) {
  std::size_t p = 0;
  std::size_t t = 0;
  std::size_t star = std::string_view::npos;
  std::size_t retry = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      retry = t;
    } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == text[t])) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++retry;
    } else {
      return false;
    }
  }
  return std::all_of(pattern.begin() + static_cast<std::ptrdiff_t>(p), pattern.end(),
                     [](char c) { return c == '*'; });
}

bool has_case_of(const Floor& floor, const RunResult& result) {
  if (!floor.case_id.empty()) return result.case_id == floor.case_id;
  std::string_view id = result.case_id;
  if (result.family != floor.family || !id.starts_with(floor.family + "/")) return false;
  id.remove_prefix(floor.family.size() + 1);
  return matches(floor.pattern, id);
}

bool has_size_of(const Floor& floor, const RunResult& result) {
  return floor.sizes.empty() ||
         (result.size_bytes && std::find(floor.sizes.begin(), floor.sizes.end(),
                                         *result.size_bytes) != floor.sizes.end());
}

std::string why_aside(const Floor& floor, const Dates& dates, const RunResult& result) {
  if (!result.unusable.empty()) return result.unusable;
  if (!result.stack_differs.empty()) return result.stack_differs.front();
  if (result.started_unix_s <= 0 && dates.demanded) return "when it ran is not known";
  if (result.started_unix_s > 0 && !dates.span.holds(result.started_unix_s)) {
    const auto moment = static_cast<std::int64_t>(std::min(result.started_unix_s, 7e9));
    return fmt::format("it ran on {}, which is not from {} until {}", day_text(moment),
                       day_text(dates.span.from), day_text(dates.span.to - kDayS));
  }
  if (!result.nodes) return fmt::format("its node count is not known: {}", result.nodes_unknown);
  const RunFigure* figure = result.figure(floor.metric);
  if (figure == nullptr) return fmt::format("it has no {}", floor.metric);
  require_sense(floor, result, *figure);
  if (!figure->value || !std::isfinite(*figure->value) || *figure->value <= 0) {
    return fmt::format("its {} is N/A{}{}", floor.metric, figure->note.empty() ? "" : ": ",
                       figure->note);
  }
  return {};
}

}  // namespace stepmark
