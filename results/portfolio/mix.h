// SPDX-License-Identifier: Apache-2.0
// A mix: what a team wants trained per month, and what its providers could give. YAML, strict;
// format: docs/file-formats.md, "Mixes". Prices and measured rates come from elsewhere.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace stepmark {

inline constexpr double kDaysPerMonth = 365.0 / 12;
inline constexpr std::size_t kMostWorkloads = 200;
inline constexpr std::size_t kMostProviders = 100;

struct MixWorkload {
  std::string workload;  // as in journals
  double tokens_per_month = 0;
  double deadline_days = kDaysPerMonth;  // from the beginning of the month to its last token
  std::vector<std::string> may_run_on;   // providers; empty: any
  std::string now;                       // the provider it runs on today; empty: none
  int line = 0;
};

struct MixProvider {
  std::string provider;
  double gpus = 0;          // at most, at the same time
  double minimum_gpus = 0;  // paid for the whole month as soon as any are used
  bool committed = false;   // the minimum is owed even where none are used
  std::int64_t gpus_per_node = 8;
  int line = 0;
};

struct Mix {
  std::string path, name;
  std::string price_kind = "on-demand";  // of the price file, as it names them
  std::vector<MixWorkload> workloads;
  std::vector<MixProvider> providers;
};

// ConfigError with file, line and column: a workload or provider twice, names of providers that the
// mix does not have, a minimum above what there is, a deadline beyond the month.
[[nodiscard]] Mix read_mix(const std::string& path);
[[nodiscard]] Mix parse_mix(std::string_view text, std::string_view name);

}  // namespace stepmark
