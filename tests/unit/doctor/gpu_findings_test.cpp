// SPDX-License-Identifier: Apache-2.0
// What `doctor` says of each situation of a GPU machine.
#include "harness/doctor/gpu_findings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

namespace stepmark {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

GpuLibrary library(const std::string& name, int version) {
  return {.name = name,
          .variable = "STEPMARK_X_LIBRARY",
          .file = "libx.so.2",
          .path = "/cuda/libx.so.2",
          .version = version};
}

CudaProbe healthy(int gpus) {
  CudaProbe probe{.built = true,
                  .runtime_version = 13000,
                  .driver_version = 13010,
                  .kernel_module = "NVRM version: 580"};
  for (int i = 0; i < gpus; ++i) {
    probe.gpus.push_back(
        {.index = i, .name = "H200", .compute_capability = 90, .memory_bytes = 1e11});
  }
  probe.libraries = {library("NCCL", 22809), library("cuBLASLt", 130100), library("cuDNN", 91900),
                     library("NVML", 0)};
  probe.libraries[0].built_with = 22809;
  return probe;
}

Finding finding_of(const CudaProbe& probe, int ranks, const std::string& what) {
  for (const Finding& finding : gpu_findings(probe, ranks)) {
    if (finding.what == what) return finding;
  }
  return {.what = "none", .health = Health::broken};
}

// The finding `what` of a machine of 2 GPUs that `change` has spoilt.
Finding spoilt(const std::string& what, const std::function<void(CudaProbe&)>& change,
               int ranks = 2) {
  CudaProbe probe = healthy(2);
  change(probe);
  return finding_of(probe, ranks, what);
}

TEST(GpuFindings, AllIsWell) {
  for (const Finding& finding : gpu_findings(healthy(2), 2)) {
    EXPECT_EQ(finding.health, Health::good) << finding.what << ": " << finding.found;
    EXPECT_THAT(finding.advice, IsEmpty());
  }
  EXPECT_THAT(finding_of(healthy(2), 2, "NCCL").found, HasSubstr("2.28.9, /cuda/libx.so.2"));
  EXPECT_THAT(finding_of(healthy(2), 2, "cuBLASLt").found, HasSubstr("13.1.0"));
  EXPECT_THAT(finding_of(healthy(2), 2, "cuDNN").found, HasSubstr("9.19.0"));
}

TEST(GpuFindings, AVersionOfCudnnThatIsKnownToBeWrong) {
  const auto version = [](int number) {
    return [number](CudaProbe& probe) { probe.libraries[2].version = number; };
  };
  const Finding finding = spoilt("cuDNN", version(91500));
  EXPECT_EQ(finding.health, Health::warning);
  EXPECT_THAT(finding.advice, HasSubstr("no multiple of 128"));
  EXPECT_THAT(finding.advice, HasSubstr("9.15.1 and later"));
  EXPECT_EQ(spoilt("cuDNN", version(91501)).health, Health::good);
}

TEST(GpuFindings, NoDriverIsANoteWhereNoModuleIsLoaded) {
  CudaProbe probe = healthy(0);
  probe.driver_version = 0;
  probe.kernel_module.clear();
  EXPECT_EQ(finding_of(probe, 1, "CUDA").health, Health::note);
  EXPECT_THAT(finding_of(probe, 1, "CUDA").found, HasSubstr("no driver"));
}

TEST(GpuFindings, DriverHiddenFromAContainer) {
  const Finding finding = spoilt("CUDA", [](CudaProbe& probe) {
    probe.driver_version = 0;
    probe.gpus.clear();
  });
  EXPECT_EQ(finding.health, Health::broken);
  EXPECT_THAT(finding.advice, HasSubstr("--gpus all"));
}

TEST(GpuFindings, DriverOlderThanTheRuntime) {
  const Finding finding = spoilt("CUDA", [](CudaProbe& probe) {
    probe.driver_version = 12080;
    probe.error = "CUDA driver version is insufficient for CUDA runtime version";
    probe.gpus.clear();
  });
  EXPECT_EQ(finding.health, Health::broken);
  EXPECT_THAT(finding.found, HasSubstr("runtime 13.0, driver for CUDA 12.8"));
  EXPECT_THAT(finding.advice, HasSubstr("580"));
  // An older minor version of the same major one runs.
  const auto minor = [](CudaProbe& probe) { probe.runtime_version = 13020; };
  EXPECT_EQ(spoilt("CUDA", minor).health, Health::good);
}

TEST(GpuFindings, GpusThatCannotBeAsked) {
  const Finding finding = spoilt("CUDA", [](CudaProbe& probe) {
    probe.error = "system not yet initialized";
    probe.gpus.clear();
  });
  EXPECT_EQ(finding.health, Health::broken);
  EXPECT_THAT(finding.found, HasSubstr("system not yet initialized"));
  const Finding none = spoilt("CUDA", [](CudaProbe& probe) { probe.gpus.clear(); });
  EXPECT_EQ(none.health, Health::warning);
  EXPECT_THAT(none.advice, HasSubstr("CUDA_VISIBLE_DEVICES"));
}

TEST(GpuFindings, ComputeModes) {
  const auto exclusive = [](CudaProbe& probe) { probe.gpus[1].mode = ComputeMode::one_process; };
  EXPECT_EQ(spoilt("GPU 1", exclusive, 2).health, Health::note);
  EXPECT_EQ(spoilt("GPU 1", exclusive, 3).health, Health::broken);  // two ranks on one of them
  EXPECT_THAT(spoilt("GPU 1", exclusive, 3).advice, HasSubstr("nvidia-smi -i 1 -c DEFAULT"));
  EXPECT_EQ(spoilt("GPU 0", exclusive, 3).health, Health::good);
  const auto prohibited = [](CudaProbe& probe) { probe.gpus[0].mode = ComputeMode::prohibited; };
  EXPECT_EQ(spoilt("GPU 0", prohibited, 1).health, Health::broken);
}

TEST(GpuFindings, GpuTooOldForTheKernels) {
  const auto volta = [](CudaProbe& probe) { probe.gpus[0].compute_capability = 70; };
  EXPECT_EQ(spoilt("GPU 0", volta).health, Health::broken);
  EXPECT_THAT(spoilt("GPU 0", volta).advice, HasSubstr("8.0 and newer"));
}

TEST(GpuFindings, FewerGpusThanRanks) {
  const Finding finding = finding_of(healthy(2), 8, "GPUs");
  EXPECT_EQ(finding.health, Health::warning);
  EXPECT_THAT(finding.found, HasSubstr("2 for 8 ranks"));
  EXPECT_THAT(finding.advice, HasSubstr("perf_valid=false"));
  EXPECT_EQ(finding_of(healthy(2), 2, "GPUs").what, "none");
}

TEST(GpuFindings, NcclMissing) {
  const auto missing = [](CudaProbe& probe) {
    probe.libraries[0].path.clear();
    probe.libraries[0].error = "libx.so.2: cannot open shared object file";
  };
  EXPECT_EQ(spoilt("NCCL", missing, 2).health, Health::broken);
  EXPECT_EQ(spoilt("NCCL", missing, 1).health, Health::warning);  // one rank needs none
  EXPECT_THAT(spoilt("NCCL", missing).found, HasSubstr("cannot open shared object file"));
  EXPECT_THAT(spoilt("NCCL", missing).advice, HasSubstr("set STEPMARK_X_LIBRARY to the path of"));
  const auto without_gpus = [&](CudaProbe& probe) {
    missing(probe);
    probe.gpus.clear();
  };
  EXPECT_EQ(spoilt("NCCL", without_gpus).health, Health::note);
}

TEST(GpuFindings, NcclOfAnotherVersion) {
  const auto version = [](int loaded) {
    return [loaded](CudaProbe& probe) { probe.libraries[0].version = loaded; };
  };
  EXPECT_EQ(spoilt("NCCL", version(23007)).health, Health::good);  // newer is compatible
  const Finding older = spoilt("NCCL", version(22604));
  EXPECT_EQ(older.health, Health::warning);
  EXPECT_THAT(older.found, HasSubstr("2.26.4"));
  EXPECT_THAT(older.advice, HasSubstr("2.28.9"));
  EXPECT_EQ(spoilt("NCCL", version(30000)).health, Health::broken);
}

TEST(GpuFindings, OtherLibrariesMissing) {
  const auto missing = [](std::size_t which) {
    return [which](CudaProbe& probe) {
      probe.libraries[which].path.clear();
      probe.libraries[which].error = "no such file";
    };
  };
  EXPECT_EQ(spoilt("cuBLASLt", missing(1)).health, Health::broken);
  EXPECT_EQ(spoilt("cuDNN", missing(2)).health, Health::note);
  EXPECT_THAT(spoilt("cuDNN", missing(2)).advice, HasSubstr("own kernel"));
  EXPECT_EQ(spoilt("NVML", missing(3)).health, Health::warning);
  // Found, but it does not work.
  const Finding nvml = spoilt("NVML", [](CudaProbe& probe) {
    probe.libraries[3].error = "nvmlInit: Driver/library version mismatch";
  });
  EXPECT_EQ(nvml.health, Health::warning);
  EXPECT_THAT(nvml.found, HasSubstr("/cuda/libx.so.2: nvmlInit: Driver/library version mismatch"));
}

TEST(GpuFindings, BuiltWithoutCuda) {
  const std::vector<Finding> findings = gpu_findings({}, 4);
  ASSERT_EQ(findings.size(), 1U);
  EXPECT_EQ(findings[0].health, Health::note);
  EXPECT_THAT(findings[0].found, HasSubstr("not built in"));
}

}  // namespace
}  // namespace stepmark
