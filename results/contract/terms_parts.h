// SPDX-License-Identifier: Apache-2.0
// Readers of the parts of terms, and of the texts in them. Internal to results/contract.
#pragma once

#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "results/contract/terms.h"

namespace stepmark {

// A key whose value is a share: "99.5%". In billionths; a bare number is refused, since 99.5 could
// be meant as a factor.
[[nodiscard]] std::int64_t required_share(YamlMap& map, std::string_view key);
[[nodiscard]] std::int64_t optional_share(YamlMap& map, std::string_view key,
                                          std::int64_t fallback);
// Positive money in millionths of the currency; more decimals than six are refused.
[[nodiscard]] std::int64_t required_money(YamlMap& map, std::string_view key);
// from and until (days, the last one included), or from and to (moments).
[[nodiscard]] TimeSpan read_days(YamlMap& map);
[[nodiscard]] TimeSpan read_moments(YamlMap& map);
[[nodiscard]] CreditUnit read_unit(YamlMap& map, std::string_view key);

[[nodiscard]] Floor read_floor(YamlMap& map, const Terms& terms);
[[nodiscard]] Availability read_availability(YamlMap& map, const Terms& terms);
// `tiers`, from the highest uptime down to 0 %; empty where there are none.
[[nodiscard]] std::vector<CreditTier> read_tiers(YamlMap& map);
[[nodiscard]] Credits read_credits(YamlMap& map);

}  // namespace stepmark
