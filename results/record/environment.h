// SPDX-License-Identifier: Apache-2.0
// The world a run was measured in. Plain values: filled by harness/measure, read by compare and
// report.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <utility>
#include <vector>

namespace stepmark {

// One fact: section ("hardware", "software", "build", "placement", "variables"), name, value.
// `fingerprint`: part of the identity that two runs must share to be like for like; others (host
// names, free memory, load) are shown but do not make runs incomparable.
struct EnvironmentFact {
  std::string section, name, value;
  bool fingerprint = true;
  bool operator==(const EnvironmentFact&) const = default;
};

struct Environment {
  std::vector<EnvironmentFact> facts;
  [[nodiscard]] std::string get(std::string_view section, std::string_view name) const;
};

// Texts of facts come from outside (variables, host names, the kernel's files, libraries): bytes
// that are no UTF-8 are shown escaped, and the value says so. Returns the names of the facts that
// were not well-formed.
std::vector<std::string> make_valid(Environment& environment);

[[nodiscard]] nlohmann::json to_json(const Environment& environment);
[[nodiscard]] Environment environment_from_json(const nlohmann::json& json);

}  // namespace stepmark
