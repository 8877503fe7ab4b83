// SPDX-License-Identifier: Apache-2.0
// Name and memory together identify a GPU (an A100 of 40 and of 80 GB share a name). A cluster file
// that contradicts the device found is an error, not a wrong MFU; tolerances are what sources
// differ by.
#include "harness/spec/known_gpu.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string_view>

#include "core/error.h"

namespace stepmark {
namespace {

constexpr double kPeaksDiffer = 0.025;
constexpr double kBandwidthsDiffer = 0.05;

std::string_view plain(std::string_view name) {
  constexpr std::string_view kVendor = "NVIDIA ";
  return name.starts_with(kVendor) ? name.substr(kVendor.size()) : name;
}

bool is_called(const KnownGpu& gpu, std::string_view name) {
  return std::any_of(gpu.driver_names.begin(), gpu.driver_names.end(),
                     [&](const std::string& one) { return plain(one) == plain(name); });
}

// The first figure that both give and that differs by more than `allowed`.
struct Comparison {
  std::string difference;
  void figure(const char* key, double ours, double theirs, const char* unit, double allowed) {
    if (!difference.empty() || ours <= 0 || theirs <= 0) return;
    if (std::abs(ours - theirs) <= allowed * theirs) return;
    difference = fmt::format("{} is {:g} {}, not {:g}", key, theirs, unit, ours);
  }
};

std::string differing_figure(const Cluster& cluster, const KnownGpu& gpu) {
  Comparison found;
  const auto peak = [&](const char* key, const std::optional<double>& ours,
                        const std::optional<double>& theirs) {
    found.figure(key, ours.value_or(0), theirs.value_or(0), "TFLOP/s", kPeaksDiffer);
  };
  peak("dense_tflops: fp32", cluster.peaks.fp32, gpu.peaks.fp32);
  peak("dense_tflops: bf16", cluster.peaks.bf16, gpu.peaks.bf16);
  peak("dense_tflops: fp8", cluster.peaks.fp8, gpu.peaks.fp8);
  found.figure("memory_tb_per_s", cluster.memory_tb_per_s, gpu.memory_tb_per_s, "TB/s",
               kBandwidthsDiffer);
  found.figure("scale_up_gb_per_s", cluster.scale_up_gb_per_s, gpu.nvlink_gb_per_s, "GB/s",
               kBandwidthsDiffer);
  return found.difference;
}

}  // namespace

KnownGpu read_known_gpu(const std::string& path) {
  YamlMap map = YamlDocument::read_file(path).map();
  KnownGpu gpu;
  gpu.name = map.required_string("gpu");
  gpu.source = map.required_string("source");
  gpu.driver_names = map.optional_strings("driver_names");
  if (gpu.driver_names.empty()) {
    map.fail("driver_names", "driver_names is missing: what NVML calls this GPU (nvidia-smi -L)");
  }
  gpu.memory = read_memory_size(map);
  if (!gpu.memory.bytes()) map.fail("memory_gb", "memory_gb or memory_mib is missing");
  gpu.memory_tb_per_s = read_rate(map, "memory_tb_per_s");
  gpu.peaks = read_dense_peaks(map);
  gpu.nvlink_gb_per_s = read_rate(map, "nvlink_gb_per_s");
  gpu.power_w = read_rate(map, "power_w");
  gpu.sm_clock_mhz = read_rate(map, "sm_clock_mhz");
  map.finish();
  return gpu;
}

const KnownGpu* find_known_gpu(std::span<const KnownGpu> gpus, const FoundAccelerator& found,
                               std::string* why) {
  if (!found.is_gpu) {
    *why = "no peaks of CPUs are known: --cluster FILE gives them";
    return nullptr;
  }
  if (!found.whole) {
    *why = fmt::format("the device is {}, and what is known is of whole GPUs", describe(found));
    return nullptr;
  }
  const KnownGpu* other_size = nullptr;
  for (const KnownGpu& gpu : gpus) {
    if (!is_called(gpu, found.name)) continue;
    if (gpu.memory.may_be(found.memory_mib)) return &gpu;
    other_size = &gpu;
  }
  *why = other_size != nullptr
             ? fmt::format("{} is not the {} of {}", describe(found), other_size->name,
                           other_size->memory.text())
             : fmt::format("no peaks of '{}' are known: --cluster FILE gives them", found.name);
  return nullptr;
}

std::optional<std::string> disagreement(const Cluster& cluster, const FoundAccelerator& found,
                                        const KnownGpu* gpu) {
  std::string difference;
  if (!found.is_gpu) {
    // What a driver reports is a GPU's; a CPU's file has no such figure.
    if (cluster.memory.mib == 0) return std::nullopt;
    difference = "that is no GPU (--backend cuda measures on one)";
  } else if (!found.whole) {
    difference = "that is no whole GPU";
  } else if (!cluster.memory.may_be(found.memory_mib)) {
    difference = fmt::format("its memory is not {}", cluster.memory.text());
  } else if (gpu != nullptr) {
    difference = differing_figure(cluster, *gpu);
    if (!difference.empty()) difference = fmt::format("of it ({}) {}", gpu->name, difference);
  }
  if (difference.empty()) return std::nullopt;
  return fmt::format(
      "{}:{}: cluster '{}' has accelerators '{}', the device found is {}: {}; give the file of "
      "this cluster, or none",
      cluster.place.file, cluster.place.line, cluster.name, cluster.accelerator, describe(found),
      difference);
}

PeakReference reference_peaks(const std::optional<Cluster>& cluster, const FoundAccelerator& found,
                              std::span<const KnownGpu> gpus) {
  PeakReference reference;
  const KnownGpu* gpu = find_known_gpu(gpus, found, &reference.unknown);
  if (gpu != nullptr) {
    reference.peaks = gpu->peaks;
    reference.source = "gpu " + gpu->name;
    reference.power_w = gpu->power_w;
    reference.sm_clock_mhz = gpu->sm_clock_mhz;
  }
  if (!cluster) return reference;
  if (const auto wrong = disagreement(*cluster, found, gpu)) {
    throw Error(ExitCode::kUsage, "--cluster: " + *wrong);
  }
  reference.cluster = cluster->name;
  const DensePeaks& stated = cluster->peaks;
  if (stated.fp32 || stated.bf16 || stated.fp8) {
    reference.peaks = stated;
    reference.source = "cluster " + cluster->name;
    reference.unknown.clear();
  }
  return reference;
}

}  // namespace stepmark
