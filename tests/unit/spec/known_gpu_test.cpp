// SPDX-License-Identifier: Apache-2.0
// Which GPU was found, and what becomes of a cluster's file that means another.
#include "harness/spec/known_gpu.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "core/error.h"

namespace stepmark {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
namespace fs = std::filesystem;

std::vector<KnownGpu> shipped() {
  std::vector<KnownGpu> gpus;
  for (const auto& entry : fs::directory_iterator(fs::path(STEPMARK_CONFIGS) / "gpus")) {
    gpus.push_back(read_known_gpu(entry.path()));
  }
  return gpus;
}

Cluster cluster_of(const std::string& name) {
  return read_cluster(fs::path(STEPMARK_CONFIGS) / "clusters" / (name + ".yaml"));
}

const FoundAccelerator kH100{.name = "NVIDIA H100 80GB HBM3", .memory_mib = 81559};

struct Found {
  std::string name, why;
};
Found found(const FoundAccelerator& accelerator) {
  const std::vector<KnownGpu> gpus = shipped();
  Found result;
  const KnownGpu* gpu = find_known_gpu(gpus, accelerator, &result.why);
  if (gpu != nullptr) result.name = gpu->name;
  return result;
}

TEST(KnownGpus, AreFoundByNameAndMemory) {
  EXPECT_EQ(found(kH100).name, "h100-sxm5-80gb");
  // As CUDA tells the memory, and as drivers were called before 2021.
  EXPECT_EQ(found({.name = "NVIDIA H100 80GB HBM3", .memory_mib = 81089}).name, "h100-sxm5-80gb");
  EXPECT_EQ(found({.name = "A100-SXM4-40GB", .memory_mib = 40536}).name, "a100-sxm4-40gb");
  EXPECT_EQ(found({.name = "NVIDIA L40S", .memory_mib = 46068}).name, "l40s-48gb");
  EXPECT_EQ(found({.name = "NVIDIA GH200 144G HBM3e", .memory_mib = 146831}).name, "gh200-144gb");
}

TEST(KnownGpus, AnythingElseIsUnknownWithItsReason) {
  EXPECT_THAT(found({.name = "NVIDIA H100 PCIe", .memory_mib = 81559}).why,
              AllOf(HasSubstr("'NVIDIA H100 PCIe'"), HasSubstr("--cluster")));
  EXPECT_THAT(found({.name = kH100.name, .memory_mib = 40000}).why,
              AllOf(HasSubstr("40000 MiB"), HasSubstr("81559 MiB")));
  FoundAccelerator part = kH100;
  part.whole = false;
  EXPECT_EQ(found(part).name, "");
  EXPECT_THAT(found(part).why, HasSubstr("a part of NVIDIA H100"));
  EXPECT_THAT(found({.name = "CPU", .is_gpu = false}).why, HasSubstr("CPUs"));
}

TEST(KnownGpus, EveryFileIsPlausibleAndNamesAreOfOneGpu) {
  const std::vector<KnownGpu> gpus = shipped();
  ASSERT_GE(gpus.size(), 10U);
  for (const KnownGpu& gpu : gpus) {
    SCOPED_TRACE(gpu.name);
    EXPECT_TRUE(fs::exists(fs::path(STEPMARK_CONFIGS) / "gpus" / (gpu.name + ".yaml")));
    EXPECT_GT(gpu.peaks.bf16.value_or(0), 100);
    EXPECT_LT(gpu.peaks.bf16.value_or(0), 3000);
    EXPECT_FALSE(gpu.source.empty());
    // fp8 GEMMs are as fast or twice as fast: a sparse figure would stand out.
    EXPECT_NEAR(gpu.peaks.fp8.value_or(2 * *gpu.peaks.bf16) / *gpu.peaks.bf16, 2, 0.05);
    for (const std::string& name : gpu.driver_names) {
      const auto mib = *gpu.memory.bytes() >> 20;
      EXPECT_EQ(found({.name = name, .memory_mib = mib}).name, gpu.name);
    }
  }
}

// The shipped clusters say of their GPUs what the shipped GPUs say.
TEST(KnownGpus, EveryShippedClusterAgreesWithItsGpu) {
  const std::vector<KnownGpu> gpus = shipped();
  for (const auto& entry : fs::directory_iterator(fs::path(STEPMARK_CONFIGS) / "clusters")) {
    const Cluster cluster = read_cluster(entry.path());
    int of_this_memory = 0;
    for (const KnownGpu& gpu : gpus) {
      if (gpu.memory.mib == 0 || gpu.memory.mib != cluster.memory.mib) continue;
      ++of_this_memory;
      EXPECT_EQ(disagreement(cluster,
                             {.name = gpu.driver_names.front(), .memory_mib = gpu.memory.mib}, &gpu)
                    .value_or(""),
                "");
    }
    EXPECT_EQ(of_this_memory, 1) << cluster.name << " has a GPU that is not known";
  }
}

std::string refusal(const Cluster& cluster, const FoundAccelerator& accelerator) {
  try {
    (void)reference_peaks(cluster, accelerator, shipped());
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kUsage);
    return error.what();
  }
  return "no error";
}

TEST(ClusterFile, OfAnotherDeviceIsRefusedNamingBoth) {
  EXPECT_EQ(refusal(cluster_of("cw-h100"), kH100), "no error");
  EXPECT_THAT(refusal(cluster_of("cw-h200"), kH100),
              AllOf(HasSubstr("cw-h200.yaml:"), HasSubstr("H200-141"), HasSubstr(kH100.name),
                    HasSubstr("81559 MiB"), HasSubstr("143771 MiB")));
  // The same without any file of the device.
  EXPECT_THAT(refusal(cluster_of("cw-h100"), {.name = "NVIDIA X", .memory_mib = 200000}),
              AllOf(HasSubstr("NVIDIA X with 200000 MiB"), HasSubstr("H100-80")));
  FoundAccelerator part = kH100;
  part.whole = false;
  EXPECT_THAT(refusal(cluster_of("cw-h100"), part), HasSubstr("no whole GPU"));
  EXPECT_THAT(refusal(cluster_of("cw-h100"), {.name = "CPU", .is_gpu = false}),
              AllOf(HasSubstr("H100-80"), HasSubstr("the device found is CPU")));
}

TEST(ClusterFile, WithOtherFiguresOfTheDeviceIsRefused) {
  Cluster cluster = cluster_of("cw-h100");
  cluster.peaks.bf16 = 1979;  // sparse
  EXPECT_THAT(refusal(cluster, kH100), HasSubstr("dense_tflops: bf16 is 989.4 TFLOP/s, not 1979"));
  cluster.peaks.bf16 = 989;  // rounded
  EXPECT_EQ(refusal(cluster, kH100), "no error");
  cluster.memory_tb_per_s = 4.8;
  EXPECT_THAT(refusal(cluster, kH100), HasSubstr("memory_tb_per_s is 3.35 TB/s, not 4.8"));
  cluster.memory_tb_per_s = 0;      // not stated
  cluster.scale_up_gb_per_s = 900;  // both directions
  EXPECT_THAT(refusal(cluster, kH100), HasSubstr("scale_up_gb_per_s is 450 GB/s, not 900"));
}

TEST(PeakReference, IsTheClustersElseTheGpus) {
  const PeakReference gpu = reference_peaks(std::nullopt, kH100, shipped());
  EXPECT_EQ(gpu.source, "gpu h100-sxm5-80gb");
  EXPECT_EQ(gpu.peaks.flops_per_s(DType::bf16), 989.4e12);
  EXPECT_EQ(gpu.power_w, 700);
  EXPECT_EQ(gpu.sm_clock_mhz, 1830);
  Cluster cluster = cluster_of("cw-h100");
  cluster.peaks.bf16 = 989;
  const PeakReference both = reference_peaks(cluster, kH100, shipped());
  EXPECT_EQ(both.source, "cluster cw-h100");
  EXPECT_EQ(both.peaks.flops_per_s(DType::bf16), 989e12);
  EXPECT_EQ(both.power_w, 700);  // of the device, whoever says the peak
  const FoundAccelerator new_one{.name = "NVIDIA X", .memory_mib = 81559};
  EXPECT_EQ(reference_peaks(cluster, new_one, shipped()).source, "cluster cw-h100");
  cluster.peaks = {};
  EXPECT_EQ(reference_peaks(cluster, kH100, shipped()).source, "gpu h100-sxm5-80gb");
  const PeakReference none = reference_peaks(std::nullopt, new_one, shipped());
  EXPECT_EQ(none.source, "");
  EXPECT_THAT(none.unknown, HasSubstr("'NVIDIA X'"));
}

}  // namespace
}  // namespace stepmark
