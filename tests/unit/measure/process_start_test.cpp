// SPDX-License-Identifier: Apache-2.0
#include "harness/measure/process_start.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>

#include <array>

namespace stepmark {
namespace {

TEST(CpuMasks, MoreThan1024Cpus) {
  std::array<unsigned char, 1024> mask{};
  mask[0] = 0b101;
  mask[2500 / 8] |= static_cast<unsigned char>(1 << 2500 % 8);
  mask.back() = 0x80;
  EXPECT_THAT(cpus_of_mask(mask), testing::ElementsAre(0, 2, 2500, 8191));
  std::fill(mask.begin(), mask.end(), 0xFF);
  EXPECT_EQ(cpus_of_mask(mask).size(), 8192U);
  EXPECT_EQ(cpu_list(cpus_of_mask(mask)), "0-8191");
}

TEST(CpuMasks, ListsAreThoseOfTheKernel) {
  for (const char* text : {"", "0", "0-3", "0-3,8", "1,3,5-6,4095"}) {
    const auto cpus = parse_cpu_list(text);
    ASSERT_TRUE(cpus.has_value()) << text;
    EXPECT_EQ(cpu_list(*cpus), text);
  }
  for (const char* text : {"x", "1-", "3-1", "1,", ",1", "-1", "1;2", "0-99999999"}) {
    EXPECT_FALSE(parse_cpu_list(text).has_value()) << text;
  }
}

TEST(ProcessStart, IsWhatItWasBeforeAnyoneBoundTheProcess) {
  const std::vector<int> first = process_start().cpus;
  ASSERT_FALSE(first.empty());
  cpu_set_t before;
  ASSERT_EQ(sched_getaffinity(0, sizeof before, &before), 0);
  EXPECT_EQ(static_cast<int>(first.size()), CPU_COUNT(&before));
  for (const int cpu : first) EXPECT_TRUE(CPU_ISSET(cpu, &before)) << cpu;
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(first.front(), &one);
  ASSERT_EQ(sched_setaffinity(0, sizeof one, &one), 0);
  EXPECT_EQ(process_start().cpus, first);
  ASSERT_EQ(sched_setaffinity(0, sizeof before, &before), 0);
}

}  // namespace
}  // namespace stepmark
