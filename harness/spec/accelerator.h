// SPDX-License-Identifier: Apache-2.0
// What clusters and known GPUs say alike of one accelerator, and what a driver says of the one that
// is there.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "core/dtype.h"
#include "core/yaml.h"

namespace stepmark {

// Dense peaks in TFLOP/s (never the sparse figures), sums in fp32; absent: unknown. Vendors give
// them at the specified power.
struct DensePeaks {
  std::optional<double> fp32, bf16, fp8;
  // FLOP/s, or nothing where unknown. fp16 counts as bf16.
  [[nodiscard]] std::optional<double> flops_per_s(DType dtype) const;
};

// What a vendor calls 80 GB is neither 80e9 bytes nor 80 GiB: what the driver reports goes first,
// where that is known.
struct MemorySize {
  double gb = 0;         // the vendor's figure; 0: unknown
  std::int64_t mib = 0;  // as the driver reports it; 0: unknown
  // As the driver reports it; else the vendor's GB read as 1e9 bytes, the smaller reading. Nothing
  // where unknown.
  [[nodiscard]] std::optional<std::int64_t> bytes() const;
  // Whether a device of which a driver reports so much may be meant: within 2 % (drivers keep more
  // or less for themselves); without `mib`, anything that may be called so many GB. True where
  // nothing is known.
  [[nodiscard]] bool may_be(std::int64_t reported_mib) const;
  [[nodiscard]] std::string text() const;  // "81559 MiB", "80 GB", "unknown"
};

// An accelerator of this machine.
struct FoundAccelerator {
  std::string name;  // by its driver; "CPU" for the host
  std::int64_t memory_mib = 0;
  bool is_gpu = true;
  bool whole = true;  // false: a part of a GPU (MIG)
};
[[nodiscard]] std::string describe(const FoundAccelerator& found);  // "NVIDIA H200 with 143771 MiB"

// The most that a file may say of an accelerator in GB, GB/s, TB/s, TFLOP/s or W: a unit too small
// by a thousand is noticed.
inline constexpr double kMostOfAnAccelerator = 1e7;

// Keys of the map `node`. ConfigError for values out of range, and for a memory_mib that is not
// what is called memory_gb.
[[nodiscard]] DensePeaks read_dense_peaks(YamlMap& node);        // dense_tflops: {fp32, bf16, fp8}
[[nodiscard]] MemorySize read_memory_size(YamlMap& node);        // memory_gb, memory_mib
[[nodiscard]] double read_rate(YamlMap& node, const char* key);  // 0 where absent

}  // namespace stepmark
