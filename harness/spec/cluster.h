// SPDX-License-Identifier: Apache-2.0
// Where a run happens: a rentable node type, as data. One YAML file each in cluster-configs/. A
// cluster gives what cannot be measured from inside: dense peaks and link rates, each with its
// source.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "core/dtype.h"

namespace stepmark {

struct Cluster {
  std::string name;
  std::string provider;
  std::string source;
  std::string accelerator;  // "H100 SXM5 80GB", or "CPU" for the host backend
  std::int64_t accelerators_per_node = 1;
  double memory_gb = 0;        // per accelerator, 1e9 bytes
  double memory_tb_per_s = 0;  // per accelerator
  // Dense peaks in TFLOP/s per accelerator (never the sparse figures); absent = unknown = MFU is
  // N/A.
  std::optional<double> fp32_dense_tflops, bf16_dense_tflops, fp8_dense_tflops;
  std::int64_t scale_up_domain = 1;  // accelerators that share a scale-up network
  double scale_up_gb_per_s = 0;      // per accelerator and direction
  double scale_out_gb_per_s = 0;     // per accelerator and direction

  // FLOP/s, or nothing where unknown.
  [[nodiscard]] std::optional<double> dense_peak_flops(DType dtype) const;
};

[[nodiscard]] Cluster read_cluster(const std::string& path);

}  // namespace stepmark
