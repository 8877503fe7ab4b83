// SPDX-License-Identifier: Apache-2.0
#include "results/record/environment.h"

#include <algorithm>

#include "core/error.h"
#include "results/record/json_reader.h"

namespace stepmark {

std::string Environment::get(std::string_view group, std::string_view name) const {
  const auto found = std::find_if(facts.begin(), facts.end(), [&](const EnvironmentFact& fact) {
    return fact.group == group && fact.name == name;
  });
  return found == facts.end() ? std::string{} : found->value;
}

nlohmann::json to_json(const Environment& environment) {
  auto out = nlohmann::json::array();
  for (const auto& fact : environment.facts) {
    out.push_back({{"group", fact.group},
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
    out.facts.push_back({.group = in.text("group"),
                         .name = in.text("name"),
                         .value = in.text("value"),
                         .fingerprint = in.boolean("fingerprint")});
    in.finish();
  }
  return out;
}

}  // namespace stepmark
