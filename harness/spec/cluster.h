// SPDX-License-Identifier: Apache-2.0
// Where a run happens: a rentable node type, as data. One YAML file each in cluster-configs/. A
// cluster gives what cannot be measured from inside: dense peaks and link rates, each with its
// source.
#pragma once

#include <cstdint>
#include <string>

#include "core/device_traits.h"
#include "harness/spec/accelerator.h"

namespace stepmark {

struct Cluster {
  std::string name;
  std::string provider;
  std::string source;
  std::string accelerator;  // "H100 SXM5 80GB", or "CPU" for the host backend
  YamlPlace place;          // of `accelerator`
  std::int64_t accelerators_per_node = 1;
  // Per accelerator.
  MemorySize memory;
  double memory_tb_per_s = 0;
  DensePeaks peaks;
  std::int64_t scale_up_domain = 1;  // accelerators that share a scale-up network
  double scale_up_gb_per_s = 0;      // per accelerator and direction
  double scale_out_gb_per_s = 0;     // per accelerator and direction
};

// Of its accelerators.
[[nodiscard]] inline DeviceTraits traits_of(const Cluster& cluster) {
  return cluster.accelerator == "CPU" ? kHostTraits : kGpuTraits;
}

[[nodiscard]] Cluster read_cluster(const std::string& path);

}  // namespace stepmark
