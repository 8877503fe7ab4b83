// SPDX-License-Identifier: Apache-2.0
// From the fact `placement ranks by host` ("a x8, b x8"), which runs of ours have and imports lack.
#include "results/contract/node_count.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <string_view>
#include <vector>

#include "results/record/common_facts.h"

namespace stepmark {
namespace {

std::optional<std::int64_t> whole_number(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (status != std::errc{} || end != text.data() + text.size() || value <= 0) return std::nullopt;
  return value;
}

constexpr const char* kHosts = "ranks by host";

// Ranks of each host of "a x8, b x8"; nothing where an entry names none.
std::optional<std::vector<std::int64_t>> ranks_by_host(std::string_view text) {
  std::vector<std::int64_t> out;
  while (!text.empty()) {
    const std::string_view host = text.substr(0, text.find(", "));
    text.remove_prefix(std::min(host.size() + 2, text.size()));
    const auto cross = host.rfind(" x");
    const auto ranks =
        cross == std::string_view::npos ? std::nullopt : whole_number(host.substr(cross + 2));
    if (!ranks) return std::nullopt;
    out.push_back(*ranks);
  }
  return out;
}

NodeCount hosts_in(std::string_view text, std::int64_t gpus_per_node) {
  const auto ranks = ranks_by_host(text);
  if (!ranks) return {.nodes = {}, .unknown = fmt::format("'{}' names no ranks by host", text)};
  for (const std::int64_t of_host : *ranks) {
    if (of_host != gpus_per_node) {
      return {.nodes = {},
              .unknown = fmt::format("{} ranks on a host, and a node of the terms has {} GPUs",
                                     of_host, gpus_per_node)};
    }
  }
  return {.nodes = static_cast<std::int64_t>(ranks->size()), .unknown = {}};
}

std::optional<std::int64_t> nodes_in_id(std::string_view id) {
  constexpr std::string_view kKey = "/nodes";
  for (auto at = id.find(kKey); at != std::string_view::npos; at = id.find(kKey, at + 1)) {
    const std::string_view rest = id.substr(at + kKey.size());
    if (const auto nodes = whole_number(rest.substr(0, rest.find('/')))) return nodes;
  }
  return std::nullopt;
}

}  // namespace

NodeCount node_count(const Run& run, const Record& record, std::int64_t gpus_per_node) {
  const std::string hosts = run.header.environment.get("placement", kHosts);
  if (!hosts.empty()) return hosts_in(hosts, gpus_per_node);
  if (const auto nodes = nodes_in_id(record.case_id)) return {.nodes = nodes, .unknown = {}};
  const double told = record.number(facts::kRanks).value_or(run.header.ranks);
  const auto ranks = told >= 1 && told <= 1e9 ? static_cast<std::int64_t>(told) : 0;
  if (ranks == 0 || ranks % gpus_per_node != 0) {
    return {.nodes = {},
            .unknown = fmt::format("it names no hosts, and its {} ranks are no whole nodes of {} "
                                   "GPUs",
                                   ranks, gpus_per_node)};
  }
  return {.nodes = ranks / gpus_per_node, .unknown = {}};
}

std::optional<std::int64_t> ranks_per_host(const Run& run) {
  const auto ranks = ranks_by_host(run.header.environment.get("placement", kHosts));
  if (!ranks || ranks->empty()) return std::nullopt;
  const bool alike = std::all_of(ranks->begin(), ranks->end(),
                                 [&](std::int64_t one) { return one == ranks->front(); });
  return alike ? std::optional(ranks->front()) : std::nullopt;
}

}  // namespace stepmark
