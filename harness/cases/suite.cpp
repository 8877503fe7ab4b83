// SPDX-License-Identifier: Apache-2.0
// Keys that every suite has; what an entry may say is its family's to read
// (harness/cases/families).
#include "harness/cases/suite.h"

#include <algorithm>
#include <string_view>

#include "core/error.h"
#include "core/units.h"
#include "core/yaml.h"
#include "harness/cases/entry_yaml.h"
#include "harness/cases/family.h"
#include "harness/spec/limits.h"

namespace stepmark {
namespace {

double parse_positive_seconds(const std::string& text) {
  const double seconds = parse_seconds(text);
  STEPMARK_REQUIRE(seconds > 0, "'{}': a time must be positive", text);
  return seconds;
}

double parse_positive_fraction(const std::string& text) {
  const double fraction = parse_fraction(text);
  STEPMARK_REQUIRE(fraction > 0, "'{}': must be positive", text);
  return fraction;
}

double parse_budget(const std::string& text) {
  const double seconds = parse_positive_seconds(text);
  STEPMARK_REQUIRE(seconds <= kMaxSeconds, "'{}': at most 30 days (30d) can be asked for", text);
  return seconds;
}

}  // namespace

Suite read_suite(const std::string& path) {
  YamlMap map = YamlDocument::read_file(path).map();
  Suite suite;
  suite.name = map.required_string("suite");
  suite.description = map.required_string("description");
  suite.budget_s = value_at(map, "budget", "2m", parse_budget);
  suite.precision = value_at(map, "precision", "1%", parse_positive_fraction);
  suite.repeat = static_cast<int>(map.optional_int("repeat", 1, {.min = 1, .max = 100}));
  const std::vector<CaseFamily>& families = case_families();
  std::vector<std::string_view> names;
  for (const CaseFamily& family : families) names.push_back(family.name);
  for (YamlMap& item : map.optional_maps("cases")) {
    const std::string name = item.required_choice("family", names);
    const auto family = std::find_if(families.begin(), families.end(),
                                     [&](const CaseFamily& one) { return one.name == name; });
    suite.entries.push_back(family->read(item));
    item.finish();
  }
  if (suite.entries.empty()) map.fail("cases", "a suite needs at least one case");
  map.finish();
  return suite;
}

}  // namespace stepmark
