// SPDX-License-Identifier: Apache-2.0
// Runs of pages that have everything: twenty of four providers at several sizes, and a history.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "results/record/journal.h"
#include "results/views/report/page_parts.h"

namespace stepmark::pages {

// As large as those of a cluster: 160 collectives, kernels, steps with timelines, some hundred
// samples each.
struct Twenty {
  std::vector<Run> runs;
  PageParts parts;
};
[[nodiscard]] Twenty twenty(const std::string& folder);

// history_data() of 30 nights, the last 14 of them slower by a tenth; `place` and a note are given
// as they are. Its file is made in `folder` and removed again.
[[nodiscard]] nlohmann::json history(const std::string& folder, const std::string& place,
                                     const std::string& note);

// Adds a step of 4, 8 and 16 GPUs at 1, 0.95 and 0.85 of the efficiency; and to all collectives
// what a cluster's file declares.
void add_sizes(Run& run, double seconds);
void declare_links(Run& run, const std::string& cluster, double scale_up, double scale_out);

}  // namespace stepmark::pages
