// SPDX-License-Identifier: Apache-2.0
// The declared rate that a collective's bus bandwidth is held against: of which link, or why of
// none.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "harness/spec/cluster.h"

namespace stepmark {

// GB/s per accelerator and direction; 0: not declared, or (`gb_per_s`) no single link bounds it.
struct LinkReference {
  std::string cluster;  // whose; empty: no cluster was named
  double scale_up_gb_per_s = 0, scale_out_gb_per_s = 0;
  double gb_per_s = 0;
  std::string name;     // "scale-up", "scale-out"; empty: none
  std::string unknown;  // why there is none
};

// Of a group of all ranks, whose hosts are `hosts`. On one host everything crosses scale-up links;
// with one rank per host everything crosses scale-out links. Elsewhere traffic is spread over both
// in a way that the algorithm decides, and no share of either means anything.
[[nodiscard]] LinkReference link_reference(const std::optional<Cluster>& cluster,
                                           const std::vector<std::string>& hosts);

}  // namespace stepmark
