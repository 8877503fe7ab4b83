// SPDX-License-Identifier: Apache-2.0
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

// In the order of the enum.
constexpr std::array<std::string_view, 11> kNames{
    "all_reduce", "all_gather", "reduce_scatter", "all_to_all", "all_to_all_v", "broadcast",
    "reduce",     "gather",     "scatter",        "send_recv",  "barrier"};

}  // namespace

std::string_view name_of(CollectiveKind kind) { return kNames.at(static_cast<std::size_t>(kind)); }

std::optional<CollectiveKind> find_collective(std::string_view name) {
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    if (kNames.at(i) == name) return static_cast<CollectiveKind>(i);
  }
  return std::nullopt;
}

CollectiveKind collective_from(std::string_view name) {
  if (const auto kind = find_collective(name)) return *kind;
  const std::vector<std::string> valid(kNames.begin(), kNames.end());
  throw Error(ExitCode::kUsage,
              fmt::format("unknown collective '{}'{}", name, nearest_hint(name, valid)));
}

double bus_factor(CollectiveKind kind, int ranks) {
  STEPMARK_REQUIRE(ranks >= 1, "a collective needs at least 1 rank, not {}", ranks);
  const double others = static_cast<double>(ranks - 1) / ranks;
  switch (kind) {
    case CollectiveKind::all_reduce:
      return 2 * others;
    case CollectiveKind::all_gather:
    case CollectiveKind::reduce_scatter:
    case CollectiveKind::all_to_all:
    case CollectiveKind::all_to_all_v:
    case CollectiveKind::gather:
    case CollectiveKind::scatter:
      return others;
    case CollectiveKind::broadcast:
    case CollectiveKind::reduce:
    case CollectiveKind::send_recv:
      return 1;
    case CollectiveKind::barrier:
      return 0;  // moves no data
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
