// SPDX-License-Identifier: Apache-2.0
#include "harness/exec/schedule.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "harness/exec/arena.h"
#include "tests/unit/exec/programs.h"

namespace stepmark {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(ScheduleTest, KeepsOrderAndDropsWaitsThatFollowFromOthers) {
  Program p = test::program_of({"a", "b", "c"}, {test::buffer("x", 1)});
  test::add_comm(p, "0", 0, 0, 0);
  test::add_comm(p, "1", 0, 0, 0);
  test::add_comm(p, "2", 2, 0, 0);
  test::add_comm(p, "3", 1, 0, 0, {0, 1, 2});  // 0 follows from 1
  test::add_comm(p, "4", 1, 0, 0, {0, 1, 3});  // all known: 0 and 1 were waited for, 3 is own
  const auto schedule = schedule_of(p);
  ASSERT_EQ(schedule.size(), 3u);
  ASSERT_EQ(schedule[0].size(), 2u);
  EXPECT_FALSE(schedule[0][0].signals);
  EXPECT_TRUE(schedule[0][1].signals);
  ASSERT_EQ(schedule[1].size(), 2u);
  EXPECT_EQ(schedule[1][0].op, 3);
  EXPECT_THAT(schedule[1][0].waits, ElementsAre(1, 2));
  EXPECT_THAT(schedule[1][1].waits, IsEmpty());
  EXPECT_FALSE(schedule[1][0].signals);
  EXPECT_TRUE(schedule[2][0].signals);
}

TEST(ArenaTest, SlicesAreAddressedInElements) {
  const Program p = test::program_of({}, {test::buffer("a", 8), test::buffer("b", 8, DType::f64)});
  const auto device = make_host_device(1);
  const BoundProgram bound(p, *device, {});
  const auto* base = static_cast<const std::byte*>(bound.arena()->data());
  EXPECT_EQ(bound.address_of(BufferSlice{.buffer = 1, .offset = 3, .elements = 1}),
            base + 256 + 24);
  EXPECT_EQ(bound.address_of(BufferSlice{}), nullptr);
  EXPECT_EQ(bound.address_of(1), base + 256);
  EXPECT_THROW((void)bound.address_of(2), Error);
}

}  // namespace
}  // namespace stepmark
