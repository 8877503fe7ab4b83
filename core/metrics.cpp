// SPDX-License-Identifier: Apache-2.0
// Names and bus-factor classes of collectives, generated from the list of
// collectives/CMakeLists.txt, and the arithmetic that runner and reader share. What is undefined is
// NaN, never 0.
#include "core/metrics.h"

#include <array>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/yaml.h"

namespace stepmark {
namespace {

struct Listed {
  CollectiveKind kind;
  std::string_view name;
  BusFactor factor;
};

// In the order of the enum.
#define STEPMARK_COLLECTIVE_ENTRY(name, factor) \
  Listed{CollectiveKind::name, #name, BusFactor::factor},
constexpr std::array kListed{STEPMARK_COLLECTIVES(STEPMARK_COLLECTIVE_ENTRY)};
#undef STEPMARK_COLLECTIVE_ENTRY

constexpr auto kKinds = [] {
  std::array<CollectiveKind, kListed.size()> kinds{};
  for (std::size_t i = 0; i < kinds.size(); ++i) kinds[i] = kListed[i].kind;
  return kinds;
}();

const Listed& listed(CollectiveKind kind) { return kListed.at(static_cast<std::size_t>(kind)); }

}  // namespace

std::string_view name_of(CollectiveKind kind) { return listed(kind).name; }

std::span<const CollectiveKind> collective_kinds() { return kKinds; }

std::optional<CollectiveKind> find_collective(std::string_view name) {
  for (const Listed& one : kListed) {
    if (one.name == name) return one.kind;
  }
  return std::nullopt;
}

CollectiveKind collective_from(std::string_view name) {
  if (const auto kind = find_collective(name)) return *kind;
  std::vector<std::string> valid;
  for (const Listed& one : kListed) valid.emplace_back(one.name);
  throw Error(ExitCode::kUsage,
              fmt::format("unknown collective '{}'{}", name, nearest_hint(name, valid)));
}

double bus_factor(CollectiveKind kind, int ranks) {
  STEPMARK_REQUIRE(ranks >= 1, "a collective needs at least 1 rank, not {}", ranks);
  const double others = static_cast<double>(ranks - 1) / ranks;
  switch (listed(kind).factor) {
    case BusFactor::nothing:
      return 0;
    case BusFactor::whole:
      return 1;
    case BusFactor::others:
      return others;
    case BusFactor::twice_others:
      return 2 * others;
  }
  return std::numeric_limits<double>::quiet_NaN();
}

double flops_utilization(double flops_per_step, double step_seconds, double peak_flops_per_second) {
  for (const double value : {flops_per_step, step_seconds, peak_flops_per_second}) {
    if (!(value > 0) || !std::isfinite(value)) return std::numeric_limits<double>::quiet_NaN();
  }
  return flops_per_step / step_seconds / peak_flops_per_second;
}

}  // namespace stepmark
