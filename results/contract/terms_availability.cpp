// SPDX-License-Identifier: Apache-2.0
// Availability with its outages, and what is credited. Unit, maintenance and rounding decide the
// amount, so that none of them has a default that a reader could not see in the file.
#include <fmt/format.h>

#include <array>
#include <set>

#include "core/error.h"
#include "results/contract/terms_parts.h"

namespace stepmark {
namespace {

Maintenance read_maintenance(YamlMap& map, std::vector<TimeSpan>& windows) {
  constexpr std::array<std::string_view, 3> kModes{"counts", "no-downtime", "out-of-the-period"};
  YamlMap part = map.required_map("maintenance");
  const std::string mode = part.required_choice("mode", kModes);
  for (YamlMap& window : part.optional_maps("windows")) {
    windows.push_back(read_moments(window));
    window.finish();
  }
  part.finish();
  windows = united(std::move(windows));
  return mode == kModes[0]   ? Maintenance::counts
         : mode == kModes[1] ? Maintenance::no_downtime
                             : Maintenance::out_of_the_period;
}

Outage read_outage(YamlMap& map, const Availability& availability, const Terms& terms) {
  Outage outage;
  outage.span = read_moments(map);
  outage.nodes = map.optional_strings("nodes");
  outage.cause = map.optional_string("cause", "");
  const std::set<std::string> names(outage.nodes.begin(), outage.nodes.end());
  if (names.size() != outage.nodes.size()) {
    map.fail("nodes", "nodes: a name is there twice");
  }
  if (static_cast<std::int64_t>(names.size()) > terms.nodes) {
    map.fail("nodes",
             fmt::format("nodes: {} names, and the order has {} nodes", names.size(), terms.nodes));
  }
  if (availability.unit == CreditUnit::node && outage.nodes.empty()) {
    map.fail("nodes",
             "availability is counted per node: name the nodes that were down, such as "
             "nodes: [gpu-017], or all of them");
  }
  map.finish();
  return outage;
}

// The names of all outages together are no more than there are nodes.
void require_known_nodes(const YamlMap& map, const Availability& availability, const Terms& terms) {
  std::set<std::string> names;
  for (const Outage& outage : availability.outages) {
    names.insert(outage.nodes.begin(), outage.nodes.end());
  }
  if (static_cast<std::int64_t>(names.size()) > terms.nodes) {
    map.fail("outages", fmt::format("outages: they name {} different nodes, and the order has {}; "
                                    "is one node named in two ways?",
                                    names.size(), terms.nodes));
  }
}

void read_rounding(YamlMap& map, Credits& credits) {
  constexpr std::array<std::string_view, 4> kModes{"half-up", "half-even", "down", "up"};
  constexpr std::array<RoundingMode, 4> kMeant{RoundingMode::half_up, RoundingMode::half_even,
                                               RoundingMode::down, RoundingMode::up};
  YamlMap rounding = map.required_map("rounding");
  credits.round_to = required_money(rounding, "to");
  const std::string mode = rounding.required_choice("mode", kModes);
  for (std::size_t i = 0; i < kModes.size(); ++i) {
    if (mode == kModes.at(i)) credits.rounding = kMeant.at(i);
  }
  rounding.finish();
}

}  // namespace

std::vector<CreditTier> read_tiers(YamlMap& map) {
  std::vector<CreditTier> tiers;
  for (YamlMap& one : map.optional_maps("tiers")) {
    const CreditTier tier{.at_least = required_share(one, "uptime_at_least"),
                          .share = required_share(one, "credit")};
    if (!tiers.empty() && tier.at_least >= tiers.back().at_least) {
      one.fail("uptime_at_least",
               "uptime_at_least: tiers go from the highest uptime to the lowest; "
               "this one is not below the one before");
    }
    if (!tiers.empty() && tier.share < tiers.back().share) {
      one.fail("credit", "credit: a lower uptime would be credited less than a higher one");
    }
    one.finish();
    tiers.push_back(tier);
  }
  if (!tiers.empty() && tiers.back().at_least != 0) {
    map.fail("tiers",
             "tiers: the last one must have uptime_at_least: 0%, else an uptime below all "
             "of them would have no credit");
  }
  return tiers;
}

Availability read_availability(YamlMap& map, const Terms& terms) {
  Availability out;
  out.objective = required_share(map, "objective");
  if (out.objective == 0) map.fail("objective", "objective: 0% promises nothing");
  out.unit = read_unit(map, "unit");
  out.maintenance = read_maintenance(map, out.windows);
  for (YamlMap& one : map.optional_maps("outages")) {
    out.outages.push_back(read_outage(one, out, terms));
  }
  require_known_nodes(map, out, terms);
  map.finish();
  return out;
}

Credits read_credits(YamlMap& map) {
  Credits out;
  out.tiers = read_tiers(map);
  out.cap = required_share(map, "cap");
  read_rounding(map, out);
  map.finish();
  return out;
}

}  // namespace stepmark
