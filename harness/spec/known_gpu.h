// SPDX-License-Identifier: Apache-2.0
// GPUs whose specified peaks are known, as data: one YAML file each in cluster-configs/gpus/, found
// by what the driver calls the GPU and by its memory.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "harness/spec/cluster.h"

namespace stepmark {

struct KnownGpu {
  std::string name;                       // "h100-sxm5-80gb": the file's
  std::vector<std::string> driver_names;  // "NVIDIA H100 80GB HBM3"
  std::string source;
  MemorySize memory;
  double memory_tb_per_s = 0;
  DensePeaks peaks;
  double nvlink_gb_per_s = 0;  // all links, per direction; 0: none, or unknown
  // What the peaks stand for; 0: unknown.
  double power_w = 0;
  double sm_clock_mhz = 0;
};

[[nodiscard]] KnownGpu read_known_gpu(const std::string& path);

// What a step's FLOPs are held against, and at which power and clock that is specified.
struct PeakReference {
  DensePeaks peaks;
  std::string source;  // "gpu h100-sxm5-80gb", "cluster cw-h100"; empty: none
  std::string cluster;
  std::string unknown;  // why there is none
  double power_w = 0;   // 0: unknown
  double sm_clock_mhz = 0;
};

// The GPU that was found; null, with the reason in `why`, for a part of a GPU, for a name that no
// file has, and for another memory size than the file's. The prefix "NVIDIA " does not count: older
// drivers leave it out.
[[nodiscard]] const KnownGpu* find_known_gpu(std::span<const KnownGpu> gpus,
                                             const FoundAccelerator& found, std::string* why);

// In what a cluster's file and the accelerator that was found differ, for an error; nothing when
// they agree. Peaks may differ by 2.5 % and bandwidths by 5 %: so far do published figures of one
// GPU (2450 and 2500 TFLOP/s of the GB200, 7.7 and 8.0 TB/s of the B200). `gpu`: what is known of
// `found`, or null.
[[nodiscard]] std::optional<std::string> disagreement(const Cluster& cluster,
                                                      const FoundAccelerator& found,
                                                      const KnownGpu* gpu);

// Of the accelerator `found`: the cluster's peaks where it gives any, else the known ones. Error
// (kUsage) where the two disagree, naming both.
[[nodiscard]] PeakReference reference_peaks(const std::optional<Cluster>& cluster,
                                            const FoundAccelerator& found,
                                            std::span<const KnownGpu> gpus);

}  // namespace stepmark
