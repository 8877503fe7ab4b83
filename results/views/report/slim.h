// SPDX-License-Identifier: Apache-2.0
// A page of many runs stays small enough to be mailed and to open at once. Internal to
// results/views/report.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace stepmark {

// Bytes of JSON that all runs of a page may come to: with scripts and a history below 6 MiB.
inline constexpr std::size_t kMostRunBytes = 3'800'000;

// `runs` of report_data(), whose records lose, one after the other until they fit: samples, what no
// section shows of summaries, digits beyond the ninth, what is as its default, timelines from the
// last on, metrics' notes. Returns what was left out, as sentences for the page; journals keep all
// of it.
[[nodiscard]] std::vector<std::string> slim_records(nlohmann::json& runs);

}  // namespace stepmark
