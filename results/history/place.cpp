// SPDX-License-Identifier: Apache-2.0
// The list of hosts is the fact that runs write: "node1 x8, node2 x8".
#include "results/history/place.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace stepmark {
namespace {

std::string cluster_of(const RunHeader& header) {
  if (!header.config.is_object() || !header.config.contains("cluster")) return {};
  const nlohmann::json& cluster = header.config.at("cluster");
  if (cluster.is_string()) return cluster.get<std::string>();
  for (const char* key : {"name", "cluster"}) {
    if (cluster.is_object() && cluster.contains(key) && cluster.at(key).is_string()) {
      return cluster.at(key).get<std::string>();
    }
  }
  return {};
}

int count_behind(std::string_view word) {
  int count = 0;
  const std::size_t x = word.rfind(" x");
  if (x == std::string_view::npos) return 0;
  std::from_chars(word.data() + x + 2, word.data() + word.size(), count);
  return count;
}

void read_hosts(std::string_view list, Place& out, std::string& first) {
  while (!list.empty()) {
    const std::size_t comma = list.find(", ");
    const std::string_view word = list.substr(0, comma);
    list.remove_prefix(comma == std::string_view::npos ? list.size() : comma + 2);
    if (first.empty()) first = word.substr(0, word.rfind(" x"));
    ++out.hosts;
    out.ranks_per_host = std::max(out.ranks_per_host, count_behind(word));
  }
}

}  // namespace

Place place_of(const RunHeader& header, const std::string& stated) {
  Place out;
  std::string first;
  read_hosts(header.environment.get("placement", "ranks by host"), out, first);
  if (first.empty()) first = header.environment.get("placement", "host");
  out.name = stated.empty() ? cluster_of(header) : stated;
  if (!out.name.empty()) return out;
  out.guessed = out.hosts > 1;
  out.name = out.guessed ? fmt::format("{} hosts", out.hosts) : first;
  if (out.name.empty()) out.name = "unknown place";
  return out;
}

}  // namespace stepmark
