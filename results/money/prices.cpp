// SPDX-License-Identifier: Apache-2.0
// Currency, date, source and region may stand at the file, the provider or the price: the nearest
// counts. Every message has the place of the key that is wrong.
#include "results/money/prices.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "core/yaml.h"
#include "results/money/calendar.h"
#include "results/normalise/shares.h"

namespace stepmark {
namespace {

constexpr std::array kKinds{PriceKind::on_demand, PriceKind::one_year, PriceKind::three_year,
                            PriceKind::capacity_block, PriceKind::spot};
constexpr std::array<std::string_view, 5> kKindNames{"on-demand", "1-year", "3-year",
                                                     "capacity-block", "spot"};
constexpr std::int64_t kMostGpusPerNode = 1024;

// What a price has from where it stands.
struct Terms {
  std::string currency, date, source, region;
};

std::string inherited(YamlMap& map, std::string_view key, const std::string& outer) {
  return map.has(key) ? map.required_string(key) : outer;
}

// The file's currency, wherever it is said again.
void read_terms(YamlMap& map, Terms& terms) {
  const std::string currency = inherited(map, "currency", terms.currency);
  if (!terms.currency.empty() && currency != terms.currency) {
    map.fail(
        "currency",
        fmt::format("'{}' beside '{}': one file has one currency; convert the prices, and name "
                    "the rate in their source",
                    currency, terms.currency));
  }
  const bool code = currency.empty() || (currency.size() == 3 &&
                                         std::all_of(currency.begin(), currency.end(),
                                                     [](char c) { return c >= 'A' && c <= 'Z'; }));
  if (!code) {
    map.fail("currency", fmt::format("'{}', expected three capitals such as USD", currency));
  }
  terms.currency = currency;
  terms.date = inherited(map, "date", terms.date);
  if (map.has("date") && !parse_day(terms.date)) {
    map.fail("date", fmt::format("'{}', expected a day such as 2026-09-19", terms.date));
  }
  terms.source = inherited(map, "source", terms.source);
  terms.region = inherited(map, "region", terms.region);
}

double amount(YamlMap& map, std::string_view key) {
  const double value = map.required_double(key, {.min = 0, .max = kHighestPrice});
  if (!(value > 0)) map.fail(key, fmt::format("{} is no price, expected more than 0", value));
  return value;
}

std::optional<double> optional_amount(YamlMap& map, std::string_view key) {
  if (!map.has(key)) return std::nullopt;
  return amount(map, key);
}

void read_basis(YamlMap& map, Price& price) {
  const auto per_gpu = optional_amount(map, "per_gpu_hour");
  price.per_node_hour = optional_amount(map, "per_node_hour");
  if (per_gpu.has_value() == price.per_node_hour.has_value()) {
    map.fail(per_gpu ? "per_node_hour" : "",
             "expected either per_gpu_hour, or per_node_hour with gpus_per_node");
  }
  if (price.per_node_hour && price.gpus_per_node == 0) {
    map.fail("per_node_hour",
             "a node-hour needs gpus_per_node, at the price or at its provider: "
             "how many GPUs the node has");
  }
  price.per_gpu_hour =
      per_gpu ? *per_gpu : *price.per_node_hour / static_cast<double>(price.gpus_per_node);
}

// As a share, or as the hours of a month's jobs that it is the share of.
std::optional<double> read_goodput(YamlMap& map, std::optional<double> outer) {
  if (auto hours = map.optional_map("goodput_hours")) {
    if (map.has("goodput")) map.fail("goodput", "beside goodput_hours: give one of both");
    const double productive = amount(*hours, "productive");
    const double paid = amount(*hours, "paid");
    hours->finish();
    const normalise::Figure share = normalise::goodput(productive, paid);
    if (!share.value || *share.value > 1) {
      map.fail("goodput_hours", fmt::format("{:g} productive hours of {:g} that are paid for: "
                                            "expected at most as many",
                                            productive, paid));
    }
    return share.value;
  }
  if (!map.has("goodput")) return outer;
  const double value = map.required_double("goodput", {.min = 0, .max = 1});
  if (!(value > 0)) {
    map.fail("goodput", "expected a share above 0, at most 1, of the time that is paid for");
  }
  return value;
}

std::int64_t read_gpus_per_node(YamlMap& map, std::int64_t outer) {
  return map.optional_int("gpus_per_node", outer,
                          {.min = outer > 0 ? 1 : 0, .max = kMostGpusPerNode});
}

Price read_price(YamlMap map, Terms terms, const Price& outer) {
  Price price = outer;
  price.line = map.place("").line;
  const std::string kind = map.required_choice("kind", kKindNames);
  price.kind = kKinds.at(static_cast<std::size_t>(
      std::find(kKindNames.begin(), kKindNames.end(), kind) - kKindNames.begin()));
  read_terms(map, terms);
  price.gpus_per_node = read_gpus_per_node(map, outer.gpus_per_node);
  price.goodput = read_goodput(map, outer.goodput);
  price.verified = map.optional_bool("verified", true);
  read_basis(map, price);
  for (const auto& [key, value] :
       {std::pair{"currency", &terms.currency}, {"date", &terms.date}, {"source", &terms.source}}) {
    if (value->empty()) {
      map.fail(
          "", fmt::format("a price without {}: give it here, at the provider or at the file", key));
    }
  }
  price.date = parse_day(terms.date).value();
  price.source = terms.source;
  price.region = terms.region;
  map.finish();
  return price;
}

ExtraCosts read_extra(YamlMap& map) {
  ExtraCosts out;
  if (auto egress = map.optional_map("egress")) {
    out.egress_per_gb = amount(*egress, "per_gb");
    out.egress_gb_per_month = optional_amount(*egress, "gb_per_month");
    egress->finish();
  }
  if (auto storage = map.optional_map("storage")) {
    out.storage_per_gb_month = amount(*storage, "per_gb_month");
    out.storage_gb = optional_amount(*storage, "gb");
    storage->finish();
  }
  return out;
}

ProviderPrices read_provider(YamlMap map, Terms& file_terms) {
  ProviderPrices out;
  out.line = map.place("provider").line;
  out.provider = map.required_string("provider");
  if (out.provider.empty()) map.fail("provider", "a provider needs a name");
  Terms terms = file_terms;
  read_terms(map, terms);
  Price outer;
  outer.gpus_per_node = read_gpus_per_node(map, 0);
  outer.goodput = read_goodput(map, std::nullopt);
  out.extra = read_extra(map);
  for (YamlMap& one : map.optional_maps("prices")) {
    if (terms.currency.empty() && one.has("currency")) {
      terms.currency = one.required_string("currency");
    }
    Price price = read_price(one, terms, outer);
    if (out.find(price.kind) != nullptr) {
      one.fail("kind",
               fmt::format("{} has a price '{}' already", out.provider, name_of(price.kind)));
    }
    out.prices.push_back(std::move(price));
  }
  if (out.prices.empty()) map.fail("prices", "expected at least one price");
  file_terms.currency = terms.currency;  // said once, it holds for all that follow
  map.finish();
  return out;
}

PriceFile read(const YamlDocument& document, std::string_view path) {
  YamlMap map = document.map();
  PriceFile out{.path = std::string(path)};
  out.name = map.required_string("prices");
  Terms terms;
  read_terms(map, terms);
  for (YamlMap& one : map.optional_maps("providers")) {
    ProviderPrices provider = read_provider(one, terms);
    if (out.find(provider.provider) != nullptr) {
      one.fail("provider", fmt::format("'{}' is there twice", provider.provider));
    }
    out.providers.push_back(std::move(provider));
  }
  if (out.providers.empty()) map.fail("providers", "expected at least one provider");
  map.finish();
  out.currency = terms.currency;
  return out;
}

}  // namespace

std::string_view name_of(PriceKind kind) { return kKindNames.at(static_cast<std::size_t>(kind)); }

std::span<const PriceKind> price_kinds() { return kKinds; }

double ExtraCosts::per_hour() const {
  const double egress = egress_per_gb.value_or(0) * egress_gb_per_month.value_or(0);
  const double storage = storage_per_gb_month.value_or(0) * storage_gb.value_or(0);
  return (egress + storage) / kHoursPerMonth;
}

std::string ExtraCosts::missing() const {
  const bool egress = egress_per_gb && !egress_gb_per_month;
  const bool storage = storage_per_gb_month && !storage_gb;
  if (!egress && !storage) return {};
  return fmt::format("{}{}{} a price and no amount ({}): not in any cost", egress ? "egress" : "",
                     egress && storage ? " and " : "",
                     storage ? (egress ? "storage have" : "storage has") : " has",
                     egress ? "gb_per_month" : "gb");
}

const Price* ProviderPrices::find(PriceKind kind) const {
  const auto found = std::find_if(prices.begin(), prices.end(),
                                  [&](const Price& price) { return price.kind == kind; });
  return found == prices.end() ? nullptr : &*found;
}

const ProviderPrices* PriceFile::find(std::string_view provider) const {
  const auto found = std::find_if(providers.begin(), providers.end(),
                                  [&](const auto& one) { return one.provider == provider; });
  return found == providers.end() ? nullptr : &*found;
}

PriceFile read_prices(const std::string& path) { return read(YamlDocument::read_file(path), path); }

PriceFile parse_prices(std::string_view text, std::string_view name) {
  return read(YamlDocument::read_text(text, name), name);
}

std::vector<std::string> price_remarks(const PriceFile& file, std::chrono::sys_days today,
                                       std::span<const std::string> of_providers) {
  std::vector<std::string> out;
  for (const ProviderPrices& provider : file.providers) {
    const bool asked = of_providers.empty() || std::find(of_providers.begin(), of_providers.end(),
                                                         provider.provider) != of_providers.end();
    if (!asked) continue;
    for (const Price& price : provider.prices) {
      const auto age = (today - price.date).count();
      const auto of = fmt::format("{}:{}: {} {} is of {}", file.path, price.line, provider.provider,
                                  name_of(price.kind), to_text(price.date));
      if (age > kStalePriceDays) {
        out.push_back(fmt::format("{}, {} days old: prices move within {}, ask again", of, age,
                                  kStalePriceDays));
      } else if (age < 0) {
        out.push_back(fmt::format("{}, which is {} days ahead", of, -age));
      }
      if (!price.verified) {
        out.push_back(fmt::format("{}:{}: {} {} is not verified: its source could not be confirmed",
                                  file.path, price.line, provider.provider, name_of(price.kind)));
      }
    }
    if (const auto missing = provider.extra.missing(); !missing.empty()) {
      out.push_back(
          fmt::format("{}:{}: {}: {}", file.path, provider.line, provider.provider, missing));
    }
  }
  return out;
}

}  // namespace stepmark
