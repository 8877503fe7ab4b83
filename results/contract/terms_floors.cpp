// SPDX-License-Identifier: Apache-2.0
// One floor. What a metric is measured in is known only where a run has it: the unit is held
// against that when the floor is judged.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <set>

#include "core/error.h"
#include "core/units.h"
#include "results/contract/terms_parts.h"
#include "results/families/collective.h"
#include "results/families/family.h"

namespace stepmark {
namespace {

constexpr std::size_t kMostCells = 10'000;  // sizes times node counts

bool has_sizes(const Family& family) {
  const auto& numbers = family.same_numbers;
  return std::find(numbers.begin(), numbers.end(), facts::collective::kSizeBytes) != numbers.end();
}

const Family& required_family(YamlMap& map) {
  const std::string name = map.required_string("family");
  if (const Family* family = find_family(name)) return *family;
  std::vector<std::string> valid;
  for (const Family& family : families()) valid.emplace_back(family.name);
  map.fail("family", fmt::format("family: there is no '{}'{}", name, nearest_hint(name, valid)));
}

// "460 GB/s", "40%".
void read_value(YamlMap& map, Floor& floor) {
  const bool least = map.has("at_least");
  if (least == map.has("at_most")) {
    map.fail(least ? "at_most" : "", "expected one of at_least and at_most");
  }
  floor.direction = least ? FloorDirection::at_least : FloorDirection::at_most;
  const char* key = least ? "at_least" : "at_most";
  const std::string text = map.required_string(key);
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), floor.value);
  const auto first = std::min(text.find_first_not_of(' ', end - text.data()), text.size());
  floor.unit = text.substr(first);
  if (status != std::errc{} || !std::isfinite(floor.value) || floor.value <= 0) {
    map.fail(key, fmt::format("{}: found '{}', expected a number above 0 and its unit, such as "
                              "460 GB/s",
                              key, text));
  }
  if (floor.unit == "%") {
    floor.value /= 100;
    floor.unit = "1";
  }
  if (floor.unit.empty()) {
    map.fail(key, fmt::format("{}: '{}' has no unit; give that of the metric, such as 460 GB/s (of "
                              "shares: 40%)",
                              key, text));
  }
}

void read_sizes(YamlMap& map, Floor& floor, bool wanted) {
  const std::string what = floor.case_id.empty() ? fmt::format("family {}", floor.family)
                                                 : fmt::format("case '{}'", floor.case_id);
  if (map.has("sizes") && !wanted) {
    map.fail("sizes", fmt::format("sizes: {} {}; remove them", what,
                                  floor.case_id.empty() ? "has none" : "names its own"));
  }
  if (!wanted) return;
  std::set<std::int64_t> seen;
  for (const std::string& text : map.optional_strings("sizes")) {
    std::int64_t bytes = 0;
    try {
      bytes = parse_bytes(text);
    } catch (const Error& error) {
      map.fail("sizes", fmt::format("sizes: {}", error.message()));
    }
    if (bytes <= 0 || !seen.insert(bytes).second) {
      map.fail("sizes",
               fmt::format("sizes: '{}' is {}", text, bytes <= 0 ? "none" : "there twice"));
    }
    floor.sizes.push_back(bytes);
  }
  if (floor.sizes.empty()) {
    map.fail("sizes", fmt::format("{} needs 'sizes': a floor holds for the sizes that it names and "
                                  "no others, such as sizes: [1GiB, 8GiB]",
                                  what));
  }
}

void read_case(YamlMap& map, Floor& floor) {
  const bool exact = map.has("case");
  if (exact == map.has("family")) {
    map.fail(exact ? "family" : "",
             "expected either 'case', the id of one case, or 'family' and "
             "'pattern'");
  }
  if (exact) {
    floor.case_id = map.required_string("case");
    if (map.has("pattern")) {
      map.fail("pattern", "pattern: belongs to 'family'; a 'case' is one id, exactly");
    }
    read_sizes(map, floor, false);
    return;
  }
  const Family& family = required_family(map);
  floor.family = family.name;
  floor.pattern = map.required_string("pattern");
  read_sizes(map, floor, has_sizes(family));
}

void read_nodes(YamlMap& map, Floor& floor, const Terms& terms) {
  floor.nodes = map.optional_ints("nodes", {.min = 1, .max = terms.nodes});
  std::set<std::int64_t> seen;
  for (const std::int64_t count : floor.nodes) {
    if (!seen.insert(count).second) {
      map.fail("nodes", fmt::format("nodes: {} is there twice", count));
    }
  }
  if (floor.nodes.empty()) {
    map.fail("nodes", fmt::format("floor '{}' needs 'nodes': it holds for the node counts that it "
                                  "names and no others, such as nodes: [2, 4]",
                                  floor.name));
  }
  if (floor.nodes.size() * std::max<std::size_t>(1, floor.sizes.size()) > kMostCells) {
    map.fail("nodes", fmt::format("floor '{}' has more than {} pairs of size and node count",
                                  floor.name, kMostCells));
  }
}

void read_statistics(YamlMap& map, Floor& floor) {
  if (map.has("quantile") && map.optional_string("quantile", "") != "median") {
    floor.quantile = static_cast<double>(required_share(map, "quantile")) / kWhole;
  }
  if (floor.quantile < 0.01 || floor.quantile > 0.99) {
    map.fail("quantile", "quantile: expected median, or 1% to 99%");
  }
  floor.confidence =
      static_cast<double>(optional_share(map, "confidence", kWhole / 100 * 95)) / kWhole;
  if (floor.confidence < 0.5 || floor.confidence > 0.999) {
    map.fail("confidence", "confidence: expected 50% to 99.9%");
  }
}

}  // namespace

Floor read_floor(YamlMap& map, const Terms& terms) {
  Floor floor;
  floor.name = map.required_string("floor");
  floor.place = map.place("floor");
  read_case(map, floor);
  read_nodes(map, floor, terms);
  floor.metric = map.required_string("metric");
  read_value(map, floor);
  read_statistics(map, floor);
  floor.credit = optional_share(map, "credit", 0);
  map.finish();
  return floor;
}

}  // namespace stepmark
