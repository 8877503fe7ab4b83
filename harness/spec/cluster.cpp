// SPDX-License-Identifier: Apache-2.0
#include "harness/spec/cluster.h"

#include <fmt/format.h>

#include "core/units.h"
#include "core/yaml.h"
#include "harness/spec/limits.h"

namespace stepmark {
namespace {

// GB, GB/s, TFLOP/s of one accelerator: a unit too small by a thousand is noticed.
constexpr double kMost = 1e7;

}  // namespace

std::optional<double> Cluster::dense_peak_flops(DType dtype) const {
  const auto scaled = [](std::optional<double> tflops) {
    return tflops ? std::optional<double>(*tflops * 1e12) : std::nullopt;
  };
  switch (dtype) {
    case DType::f32:
      return scaled(fp32_dense_tflops);
    case DType::bf16:
    case DType::f16:
      return scaled(bf16_dense_tflops);
    case DType::f8e4m3:
    case DType::f8e5m2:
      return scaled(fp8_dense_tflops);
    default:
      return std::nullopt;
  }
}

std::optional<std::int64_t> Cluster::memory_bytes() const {
  if (memory_mib > 0) return memory_mib * kMiB;
  if (memory_gb > 0) return static_cast<std::int64_t>(memory_gb * kGB);
  return std::nullopt;
}

namespace {

// A GB is 1e9 bytes or 2^30, and the driver keeps some: anything else is a slip.
void read_memory(YamlMap& node, Cluster& cluster) {
  constexpr double kMostGb = 1e6;
  cluster.memory_gb = node.optional_double("memory_gb", 0.0, {.min = 0.0, .max = kMostGb});
  cluster.memory_mib = node.optional_int("memory_mib", 0, {.min = 1, .max = std::int64_t{1} << 30});
  if (cluster.memory_mib == 0 || cluster.memory_gb == 0) return;
  const double bytes = static_cast<double>(cluster.memory_mib * kMiB);
  if (bytes >= 0.9 * kGB * cluster.memory_gb &&
      bytes <= 1.01 * static_cast<double>(kGiB) * cluster.memory_gb) {
    return;
  }
  node.fail("memory_mib",
            fmt::format("memory_mib: {} MiB are {:.1f} GiB, which is not what is "
                        "called {:g} GB",
                        cluster.memory_mib, bytes / static_cast<double>(kGiB), cluster.memory_gb));
}

}  // namespace

Cluster read_cluster(const std::string& path) {
  YamlMap map = YamlDocument::read_file(path).map();
  Cluster cluster;
  cluster.name = map.required_string("cluster");
  cluster.provider = map.required_string("provider");
  cluster.source = map.required_string("source");
  YamlMap node = map.required_map("node");
  cluster.accelerator = node.required_string("accelerator");
  cluster.accelerators_per_node = node.required_int("accelerators", {.min = 1, .max = kMaxRanks});
  read_memory(node, cluster);
  cluster.memory_tb_per_s =
      node.optional_double("memory_tb_per_s", 0.0, {.min = 0.0, .max = kMost});
  cluster.scale_up_domain = node.optional_int("scale_up_domain", cluster.accelerators_per_node,
                                              {.min = 1, .max = kMaxRanks});
  cluster.scale_up_gb_per_s =
      node.optional_double("scale_up_gb_per_s", 0.0, {.min = 0.0, .max = kMost});
  cluster.scale_out_gb_per_s =
      node.optional_double("scale_out_gb_per_s", 0.0, {.min = 0.0, .max = kMost});
  if (auto peaks = node.optional_map("dense_tflops")) {
    const auto read = [&](const char* key) {
      return peaks->has(key)
                 ? std::optional<double>(peaks->required_double(key, {.min = 1e-6, .max = kMost}))
                 : std::nullopt;
    };
    cluster.fp32_dense_tflops = read("fp32");
    cluster.bf16_dense_tflops = read("bf16");
    cluster.fp8_dense_tflops = read("fp8");
    peaks->finish();
  }
  node.finish();
  map.finish();
  return cluster;
}

}  // namespace stepmark
