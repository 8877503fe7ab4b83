// SPDX-License-Identifier: Apache-2.0
// Every shipped YAML file reads, and a mistake in any kind of file is placed and explained.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <set>

#include "core/error.h"
#include "harness/spec/cluster.h"
#include "harness/spec/known_gpu.h"
#include "harness/spec/workload.h"
#include "tests/unit/spec/yaml_files.h"

namespace stepmark {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
namespace fs = std::filesystem;

TEST(ShippedFiles, EveryWorkloadReadsAndItsDefaultPlanIsLegal) {
  for (const fs::path& file : yaml_files("workloads")) {
    const Workload workload = read_workload(file);
    EXPECT_EQ(workload.name, file.stem());
    EXPECT_FALSE(workload.model.source.empty());
    EXPECT_NO_THROW((void)resolve(workload.plan, workload.model, 8 * workload.plan.tp)) << file;
  }
}

TEST(ShippedFiles, EveryClusterReadsAndIsPlausible) {
  for (const fs::path& file : yaml_files("clusters")) {
    const Cluster cluster = read_cluster(file);
    EXPECT_EQ(cluster.name, file.stem());
    EXPECT_FALSE(cluster.source.empty()) << file;
    const auto bf16 = cluster.peaks.flops_per_s(DType::bf16);
    if (bf16) {
      EXPECT_GT(*bf16, 1e14) << file;
      EXPECT_LT(*bf16, 1e16) << file;
    }
    EXPECT_FALSE(cluster.peaks.flops_per_s(DType::i32));
    EXPECT_GT(cluster.memory.mib, 0) << file << ": as the driver reports it, with its source";
  }
}

class Mistakes : public YamlMistakes {};

constexpr const char* kWorkload =
    "workload: w\ndescription: d\nsource: s\nmodel:\n  family: gpt2\n  layers: 1\n  hidden: 8\n"
    "  heads: 2\n  ffn: 8\n  vocab: 9\n  max_seq: 4\n";

TEST_F(Mistakes, UnknownKeysOfAWorkload) {
  EXPECT_EQ(error_of(kWorkload, read_workload), "no error");
  EXPECT_THAT(error_of(std::string(kWorkload) + "plann:\n  tp: 1\n", read_workload),
              AllOf(HasSubstr(":12:1:"), HasSubstr("plann"), HasSubstr("'plan'")));
  EXPECT_THAT(error_of(std::string(kWorkload) + "  kvheads: 1\n", read_workload),
              AllOf(HasSubstr(":12:3:"), HasSubstr("kv_heads")));
  EXPECT_THAT(error_of(std::string(kWorkload) + "plan:\n  tpp: 1\n", read_workload),
              AllOf(HasSubstr(":13:3:"), HasSubstr("'tp'")));
}

TEST_F(Mistakes, UnknownKeysOfACluster) {
  const std::string good =
      "cluster: c\nprovider: p\nsource: s\nnode:\n  accelerator: a\n  accelerators: 8\n";
  EXPECT_EQ(error_of(good, read_cluster), "no error");
  EXPECT_THAT(error_of(good + "  memory: 80\n", read_cluster),
              AllOf(HasSubstr(":7:3:"), HasSubstr("memory_gb")));
  EXPECT_THAT(error_of(good + "  dense_tflops:\n    bf61: 80\n", read_cluster),
              AllOf(HasSubstr(":8:5:"), HasSubstr("bf16")));
  EXPECT_THAT(error_of(good + "prices: 3\n", read_cluster), HasSubstr(":7:1:"));
  EXPECT_THAT(error_of(good + "  memory_gb: much\n", read_cluster), HasSubstr(":7:14:"));
}

TEST_F(Mistakes, OfAGpu) {
  const std::string good = "gpu: g\nsource: s\ndriver_names: NVIDIA G\nmemory_gb: 80\n";
  EXPECT_EQ(error_of(good, read_known_gpu), "no error");
  EXPECT_THAT(error_of(good + "powr_w: 3\n", read_known_gpu),
              AllOf(HasSubstr(":5:1:"), HasSubstr("power_w")));
  EXPECT_THAT(error_of("gpu: g\nsource: s\nmemory_gb: 80\n", read_known_gpu),
              HasSubstr("driver_names is missing"));
  EXPECT_THAT(error_of("gpu: g\nsource: s\ndriver_names: G\n", read_known_gpu),
              HasSubstr("memory_gb or memory_mib is missing"));
  EXPECT_THAT(error_of(good + "memory_mib: 8155\n", read_known_gpu), HasSubstr("called 80 GB"));
}

TEST_F(Mistakes, MemoryOfACluster) {
  const std::string good =
      "cluster: c\nprovider: p\nsource: s\nnode:\n  accelerator: a\n  accelerators: 8\n";
  const auto bytes = [&](const std::string& keys) {
    const fs::path file = folder_ / "cluster.yaml";
    std::ofstream(file) << good + keys;
    return read_cluster(file).memory.bytes();
  };
  EXPECT_EQ(bytes(""), std::nullopt);
  EXPECT_EQ(bytes("  memory_gb: 80\n"), 80'000'000'000);  // the smaller reading
  EXPECT_EQ(bytes("  memory_gb: 80\n  memory_mib: 81559\n"), std::int64_t{81559} << 20);
  EXPECT_THAT(error_of(good + "  memory_gb: 80\n  memory_mib: 8155\n", read_cluster),
              AllOf(HasSubstr(":8:3:"), HasSubstr("8.0 GiB"), HasSubstr("called 80 GB")));
}

TEST_F(Mistakes, FormsThatAreNotBuiltYet) {
  EXPECT_THAT(error_of(std::string(kWorkload) + "plan:\n  offload: 2\n", read_workload),
              AllOf(HasSubstr(":13:3: offload: offloading to the host is not built yet"),
                    HasSubstr("docs/architecture.md")));
  EXPECT_THAT(error_of(std::string(kWorkload) + "  num_experts: 8\n", read_workload),
              AllOf(HasSubstr(":12:3:"), HasSubstr("given by the key 'experts' of a model")));
}

TEST_F(Mistakes, FilesThatCannotBeRead) {
  EXPECT_THROW((void)read_workload((folder_ / "absent.yaml").string()), ConfigError);
  EXPECT_NE(error_of("workload: [", read_workload), "no error");
}

}  // namespace
}  // namespace stepmark
