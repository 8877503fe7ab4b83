// SPDX-License-Identifier: Apache-2.0
// What a provider publishes of its availability, as something that terms can start from: YAML,
// strict (cluster-configs/sla; docs/contract.md has the keys). What it does not say is left out.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "results/contract/terms.h"

namespace stepmark {

struct ServiceLevel {
  std::string file, name, provider, service, scope;
  std::string source, version, date;      // date: the day on which it was read
  bool verified = true;                   // read in the provider's own text, or in two that agree
  std::optional<std::int64_t> objective;  // share; nothing: no figure was found
  CreditUnit unit = CreditUnit::node;
  std::vector<CreditTier> tiers;  // empty: not known
  std::vector<std::string> notes;
};

// ConfigError "file:line:column: what was found, what was expected".
[[nodiscard]] ServiceLevel read_service_level(const std::string& path);
[[nodiscard]] ServiceLevel read_service_level_text(std::string_view text, std::string_view name);

// The part `availability` of a TERMS.yaml, with source and notes as comments; credits as a comment
// too, since they need a fee that nobody publishes. Error(kUsage) where there is no objective.
[[nodiscard]] std::string service_level_yaml(const ServiceLevel& level);

}  // namespace stepmark
