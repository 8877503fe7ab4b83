// SPDX-License-Identifier: Apache-2.0
#include "harness/run/transport.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace stepmark {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

const LibraryTransport kFast{"ob1", "shared memory (vader), single copy by cma", "tcp"};

std::string value(const Transport& transport, const std::string& name) {
  for (const EnvironmentFact& fact : transport.facts) {
    EXPECT_TRUE(fact.fingerprint) << fact.name;
    if (fact.name == name) return fact.value;
  }
  return "none";
}

TEST(Transport, FactsOfThePairsThatThereAre) {
  const Transport one_host = judge_transport(kFast, "works", "24 GiB", true, false);
  EXPECT_EQ(value(one_host, "messages"), "ob1");
  EXPECT_EQ(value(one_host, "same host"), kFast.same_host);
  EXPECT_EQ(value(one_host, "cross-memory attach"), "works");
  EXPECT_EQ(value(one_host, "/dev/shm size"), "24 GiB");
  EXPECT_EQ(value(one_host, "other hosts"), "none");
  EXPECT_THAT(one_host.remarks, IsEmpty());
  const Transport spread = judge_transport(kFast, "", "24 GiB", false, true);
  EXPECT_EQ(value(spread, "same host"), "none");
  EXPECT_EQ(value(spread, "other hosts"), "tcp");
  EXPECT_EQ(value(judge_transport(kFast, "", "24 GiB", false, false), "messages"), "none");
}

TEST(Transport, RefusedCopiesAreRemarkedWithTheWayOut) {
  const Transport transport =
      judge_transport(kFast, "refused: Operation not permitted (rank 0)", "24 GiB", true, false);
  ASSERT_EQ(transport.remarks.size(), 1U);
  EXPECT_THAT(transport.remarks[0], HasSubstr("SYS_PTRACE"));
  EXPECT_THAT(transport.remarks[0], HasSubstr("Operation not permitted"));
  LibraryTransport copied = kFast;
  copied.same_host = "shared memory (vader), copied in and out";
  EXPECT_THAT(judge_transport(copied, "refused: x", "24 GiB", true, false).remarks, IsEmpty());
}

TEST(Transport, NoSharedMemoryIsRemarked) {
  const Transport transport = judge_transport({"ob1", "tcp", "tcp"}, "works", "1 MiB", true, false);
  ASSERT_EQ(transport.remarks.size(), 1U);
  EXPECT_THAT(transport.remarks[0], HasSubstr("but tcp"));
  EXPECT_THAT(transport.remarks[0], HasSubstr("--shm-size"));
}

}  // namespace
}  // namespace stepmark
