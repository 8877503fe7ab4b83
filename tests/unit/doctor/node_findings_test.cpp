// SPDX-License-Identifier: Apache-2.0
#include "harness/doctor/node_findings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace stepmark {
namespace {

using testing::HasSubstr;

NodeFacts healthy() { return {.shm_free_bytes = 16e9, .loopback_up = true, .open_files = 65536}; }

Finding finding_of(const NodeFacts& facts, bool have_gpus, const std::string& what) {
  for (const Finding& finding : node_findings(facts, have_gpus)) {
    if (finding.what == what) return finding;
  }
  return {.what = "none", .health = Health::broken};
}

TEST(NodeFindings, AllIsWell) {
  for (const bool have_gpus : {false, true}) {
    for (const Finding& finding : node_findings(healthy(), have_gpus)) {
      EXPECT_EQ(finding.health, Health::good) << finding.what;
    }
  }
}

TEST(NodeFindings, SharedMemory) {
  NodeFacts facts = healthy();
  facts.shm_free_bytes = 200e6;  // enough for MPI on the host, little for NCCL
  EXPECT_EQ(finding_of(facts, false, "/dev/shm").health, Health::good);
  EXPECT_EQ(finding_of(facts, true, "/dev/shm").health, Health::warning);
  facts.shm_free_bytes = 1e6;
  EXPECT_EQ(finding_of(facts, false, "/dev/shm").health, Health::warning);
  EXPECT_THAT(finding_of(facts, false, "/dev/shm").advice, HasSubstr("--shm-size"));
  facts.shm_free_bytes.reset();
  EXPECT_EQ(finding_of(facts, false, "/dev/shm").health, Health::broken);
}

TEST(NodeFindings, LoopbackDown) {
  NodeFacts facts = healthy();
  facts.loopback_up = false;
  EXPECT_EQ(finding_of(facts, false, "loopback").health, Health::broken);
  EXPECT_THAT(finding_of(facts, false, "loopback").advice, HasSubstr("ip link set lo up"));
}

TEST(NodeFindings, LimitsMatterOnGpuHosts) {
  NodeFacts facts = healthy();
  facts.locked_memory_bytes = 8e6;
  facts.open_files = 256;
  EXPECT_EQ(finding_of(facts, true, "locked").health, Health::warning);
  EXPECT_THAT(finding_of(facts, true, "locked").advice, HasSubstr("memlock=-1"));
  EXPECT_EQ(finding_of(facts, true, "open files").health, Health::warning);
  EXPECT_EQ(finding_of(facts, false, "locked").what, "none");
}

TEST(NodeFindings, ProbeTellsThisHost) {
  const NodeFacts facts = probe_node();
  EXPECT_GT(facts.open_files, 0U);
  EXPECT_TRUE(facts.shm_free_bytes.has_value());  // this suite's MPI tests need it
}

}  // namespace
}  // namespace stepmark
