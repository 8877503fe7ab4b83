// SPDX-License-Identifier: Apache-2.0
// Reads one file, strictly. Everything but accelerator and count may be absent, and what is absent
// makes a metric N/A.
#include "harness/spec/cluster.h"

#include "harness/spec/limits.h"

namespace stepmark {

Cluster read_cluster(const std::string& path) {
  YamlMap map = YamlDocument::read_file(path).map();
  Cluster cluster;
  cluster.name = map.required_string("cluster");
  cluster.provider = map.required_string("provider");
  cluster.source = map.required_string("source");
  YamlMap node = map.required_map("node");
  cluster.place = node.place("accelerator");
  cluster.accelerator = node.required_string("accelerator");
  cluster.accelerators_per_node = node.required_int("accelerators", {.min = 1, .max = kMaxRanks});
  cluster.memory = read_memory_size(node);
  cluster.memory_tb_per_s = read_rate(node, "memory_tb_per_s");
  cluster.scale_up_domain = node.optional_int("scale_up_domain", cluster.accelerators_per_node,
                                              {.min = 1, .max = kMaxRanks});
  cluster.scale_up_gb_per_s = read_rate(node, "scale_up_gb_per_s");
  cluster.scale_out_gb_per_s = read_rate(node, "scale_out_gb_per_s");
  cluster.peaks = read_dense_peaks(node);
  node.finish();
  map.finish();
  return cluster;
}

}  // namespace stepmark
