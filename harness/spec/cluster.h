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
  // Per accelerator. What a vendor calls 80 GB is neither 80e9 bytes nor 80 GiB: plans are held
  // against what the driver reports, where that is known.
  double memory_gb = 0;         // the vendor's figure; 0: unknown
  std::int64_t memory_mib = 0;  // as the driver reports it; 0: unknown
  double memory_tb_per_s = 0;
  // Dense peaks in TFLOP/s per accelerator (never the sparse figures); absent = unknown = MFU is
  // N/A.
  std::optional<double> fp32_dense_tflops, bf16_dense_tflops, fp8_dense_tflops;
  std::int64_t scale_up_domain = 1;  // accelerators that share a scale-up network
  double scale_up_gb_per_s = 0;      // per accelerator and direction
  double scale_out_gb_per_s = 0;     // per accelerator and direction

  // Of an accelerator: what the driver reports; else the vendor's GB read as 1e9 bytes, the smaller
  // reading. Nothing where unknown.
  [[nodiscard]] std::optional<std::int64_t> memory_bytes() const;
  // FLOP/s, or nothing where unknown.
  [[nodiscard]] std::optional<double> dense_peak_flops(DType dtype) const;
};

[[nodiscard]] Cluster read_cluster(const std::string& path);

}  // namespace stepmark
