// SPDX-License-Identifier: Apache-2.0
// Facts as JSON and back. A value that is no UTF-8 is kept escaped and says so; "group" is read as
// the section's name of older journals.
#include "results/record/environment.h"

#include <algorithm>

#include "core/error.h"
#include "core/utf8.h"
#include "results/record/json_reader.h"

namespace stepmark {

std::string Environment::get(std::string_view section, std::string_view name) const {
  const auto found = std::find_if(facts.begin(), facts.end(), [&](const EnvironmentFact& fact) {
    return fact.section == section && fact.name == name;
  });
  return found == facts.end() ? std::string{} : found->value;
}

std::vector<std::string> make_valid(Environment& environment) {
  std::vector<std::string> changed_names;
  for (EnvironmentFact& fact : environment.facts) {
    bool changed = false;
    fact.section = valid_utf8(fact.section, &changed);
    fact.name = valid_utf8(fact.name, &changed);
    fact.value = valid_utf8(fact.value, &changed);
    if (!changed) continue;
    fact.value += fmt::format(" ({})", kNotUtf8);
    changed_names.push_back(fact.name);
  }
  return changed_names;
}

nlohmann::json to_json(const Environment& environment) {
  auto out = nlohmann::json::array();
  for (const auto& fact : environment.facts) {
    out.push_back({{"section", fact.section},
                   {"name", fact.name},
                   {"value", fact.value},
                   {"fingerprint", fact.fingerprint}});
  }
  return out;
}

Environment environment_from_json(const nlohmann::json& json) {
  STEPMARK_REQUIRE(json.is_array(), "environment: found {}, expected an array of facts",
                   json.type_name());
  Environment out;
  for (const auto& item : json) {
    JsonReader in(item, fmt::format("environment[{}]", out.facts.size()));
    out.facts.push_back({.section = in.text(in.has("section") ? "section" : "group"),
                         .name = in.text("name"),
                         .value = in.text("value"),
                         .fingerprint = in.boolean("fingerprint")});
    in.finish();
  }
  return out;
}

}  // namespace stepmark
