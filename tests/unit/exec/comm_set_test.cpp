// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "harness/exec/executor.h"
#include "tests/unit/exec/fake_comm.h"

namespace stepmark {
namespace {

using ::testing::ElementsAre;

Program on_rank_3_of_4() {
  Program program;
  program.rank = 3;
  program.world_size = 4;
  program.groups = {{.axis = "tp", .ranks = {2, 3}, .index = 1},
                    {.axis = "dp", .ranks = {1, 3}, .index = 1},
                    {.axis = "pp", .ranks = {3}, .index = 0}};
  return program;
}

TEST(CommSetTest, SplitsOncePerGroupByItsSmallestRank) {
  test::FakeComm world(3, 4);
  world.split_size = 2;
  const auto comms = make_comm_set(world, on_rank_3_of_4());
  EXPECT_THAT(world.calls,
              ElementsAre("split color=2 key=1", "split color=1 key=1", "split color=-1 key=0"));
  EXPECT_EQ(comms->of("tp").rank(), 1);
  EXPECT_EQ(comms->of("tp").backend(), "fake");
  EXPECT_EQ(comms->of("pp").backend(), "self");
  EXPECT_THROW((void)comms->of("cp"), Error);
}

TEST(CommSetTest, RefusesAnotherWorldAndAnotherGroup) {
  test::FakeComm small(0, 2);
  EXPECT_THROW((void)make_comm_set(small, on_rank_3_of_4()), Error);
  test::FakeComm wrong(3, 4);
  wrong.split_size = 3;
  EXPECT_THROW((void)make_comm_set(wrong, on_rank_3_of_4()), Error);
}

TEST(CommSetTest, OneRankNeedsNoWorldButItself) {
  Program program;
  program.groups = {{.axis = "dp", .ranks = {0}, .index = 0}};
  const auto world = make_self_comm();
  EXPECT_EQ(make_comm_set(*world, program)->of("dp").size(), 1);
}

}  // namespace
}  // namespace stepmark
