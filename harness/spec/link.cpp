// SPDX-License-Identifier: Apache-2.0
// Hosts tell which links are crossed, as far as a scale-up network ends with its host.
#include "harness/spec/link.h"

#include <fmt/format.h>

#include <set>

namespace stepmark {
namespace {

void choose(LinkReference& out, const char* name, double rate) {
  if (rate > 0) {
    out.name = name;
    out.gb_per_s = rate;
  } else {
    out.unknown = fmt::format("cluster {} declares no rate of its {} links", out.cluster, name);
  }
}

}  // namespace

LinkReference link_reference(const std::optional<Cluster>& cluster,
                             const std::vector<std::string>& hosts) {
  LinkReference out;
  if (!cluster) {
    out.unknown = "no cluster was named, and link rates are its file's to declare";
    return out;
  }
  out.cluster = cluster->name;
  out.scale_up_gb_per_s = cluster->scale_up_gb_per_s;
  out.scale_out_gb_per_s = cluster->scale_out_gb_per_s;
  const std::set<std::string> distinct(hosts.begin(), hosts.end());
  if (distinct.size() <= 1) {
    choose(out, "scale-up", cluster->scale_up_gb_per_s);
  } else if (cluster->scale_up_domain > cluster->accelerators_per_node) {
    out.unknown =
        fmt::format("ranks of {} hosts, and whether these share a scale-up network is not known",
                    distinct.size());
  } else if (distinct.size() == hosts.size()) {
    choose(out, "scale-out", cluster->scale_out_gb_per_s);
  } else {
    out.unknown = fmt::format(
        "{} ranks on {} hosts: traffic is spread over scale-up and scale-out links, and no share "
        "of "
        "either says anything",
        hosts.size(), distinct.size());
  }
  return out;
}

}  // namespace stepmark
