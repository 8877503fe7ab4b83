// SPDX-License-Identifier: Apache-2.0
// A price file: what providers ask per GPU-hour or node-hour, by kind of commitment, with currency,
// date, region and source of each. YAML, strict; format: docs/file-formats.md. One currency per
// file, since exchange rates are nobody's measurement.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace stepmark {

enum class PriceKind : std::uint8_t { on_demand, one_year, three_year, capacity_block, spot };
[[nodiscard]] std::string_view name_of(PriceKind kind);  // "on-demand", "1-year", ...
[[nodiscard]] std::span<const PriceKind> price_kinds();

inline constexpr int kStalePriceDays = 90;
inline constexpr double kHoursPerMonth = 730;  // 365 x 24 / 12
inline constexpr double kHighestPrice = 1e9;   // of anything in a file

struct Price {
  PriceKind kind = PriceKind::on_demand;
  double per_gpu_hour = 0;              // as stated, or of a node divided by its GPUs
  std::optional<double> per_node_hour;  // as stated
  std::int64_t gpus_per_node = 0;       // 0: not stated
  std::string region, source;
  std::chrono::sys_days date;
  std::optional<double> goodput;  // (0, 1]; share of paid time that advances the job
  bool verified = true;           // false: its source could not be confirmed
  int line = 0;                   // of the file
};

// Beside GPUs: per month and per GB, with the amount that the job needs where it is stated.
struct ExtraCosts {
  std::optional<double> egress_per_gb, egress_gb_per_month;
  std::optional<double> storage_per_gb_month, storage_gb;
  // Per hour of the job, of what has its amount.
  [[nodiscard]] double per_hour() const;
  // "egress has a price and no amount"; empty: nothing is missing.
  [[nodiscard]] std::string missing() const;
};

struct ProviderPrices {
  std::string provider;
  std::vector<Price> prices;  // one of a kind
  ExtraCosts extra;
  int line = 0;
  [[nodiscard]] const Price* find(PriceKind kind) const;
};

struct PriceFile {
  std::string path, name, currency;
  std::vector<ProviderPrices> providers;
  [[nodiscard]] const ProviderPrices* find(std::string_view provider) const;
};

// ConfigError with file, line and column: unknown kinds, prices that are not positive, both bases
// or none, a node-hour without GPUs per node, no day, two currencies, a provider or kind twice.
[[nodiscard]] PriceFile read_prices(const std::string& path);
[[nodiscard]] PriceFile parse_prices(std::string_view text, std::string_view name);

// Prices older than kStalePriceDays, from the future or not verified, and extra costs without
// amounts, of the providers `of` (empty: of all): "prices.yaml:12: ...".
[[nodiscard]] std::vector<std::string> price_remarks(const PriceFile& file,
                                                     std::chrono::sys_days today,
                                                     std::span<const std::string> of = {});

}  // namespace stepmark
