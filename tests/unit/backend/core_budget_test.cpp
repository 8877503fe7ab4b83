// SPDX-License-Identifier: Apache-2.0
#include "harness/backend/core_budget.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

#include "harness/backend/resources.h"

namespace stepmark {
namespace {

using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;

std::vector<int> cpus(int first, int last) {
  std::vector<int> all(static_cast<std::size_t>(last - first + 1));
  std::iota(all.begin(), all.end(), first);
  return all;
}

RankCores rank(const std::vector<int>& own, std::optional<double> quota = {}, int wanted = 0) {
  RankCores out{.host = "a", .cpus = own, .launcher_cpus = own, .wanted_threads = wanted};
  if (quota) out.quota = CpuQuota{*quota, "/box"};
  return out;
}

CoreBudget budget(const std::vector<RankCores>& ranks) { return core_budget(ranks); }

TEST(CoreBudget, OneRankHasAllItsCpus) {
  const CoreBudget alone = budget({rank(cpus(0, 7))});
  EXPECT_THAT(alone.threads, ElementsAre(8));
  EXPECT_FALSE(alone.oversubscribed);
  EXPECT_EQ(alone.unused, "");
  EXPECT_TRUE(alone.remarks.empty());
}

TEST(CoreBudget, RanksThatShareAMaskShareItsCpus) {
  const CoreBudget two = budget({rank(cpus(0, 7)), rank(cpus(0, 7))});
  EXPECT_THAT(two.threads, ElementsAre(4, 4));
  EXPECT_FALSE(two.oversubscribed);
  const CoreBudget bound = budget({rank(cpus(0, 3)), rank(cpus(4, 7))});
  EXPECT_THAT(bound.threads, ElementsAre(4, 4));
  EXPECT_TRUE(bound.remarks.empty());
  EXPECT_TRUE(budget({rank({0, 1}), rank({0, 1}), rank({0, 1})}).oversubscribed);
}

TEST(CoreBudget, OtherHostsDoNotMatter) {
  std::vector<RankCores> ranks{rank({0, 1}), rank({0, 1})};
  ranks[1].host = "b";
  EXPECT_THAT(budget(ranks).threads, ElementsAre(2, 2));
}

TEST(CoreBudget, QuotaBoundsThreads) {
  const CoreBudget half = budget({rank({0, 1}, 0.5)});
  EXPECT_THAT(half.threads, ElementsAre(1));
  EXPECT_TRUE(half.oversubscribed);  // one thread is more than half a core
  ASSERT_EQ(half.remarks.size(), 1U);
  EXPECT_THAT(half.remarks[0], HasSubstr("1 compute thread on 0.5 cores"));
  EXPECT_THAT(half.remarks[0], HasSubstr("/box"));
  const CoreBudget three = budget({rank(cpus(0, 15), 6.5), rank(cpus(0, 15), 6.5)});
  EXPECT_THAT(three.threads, ElementsAre(3, 3));
  EXPECT_FALSE(three.oversubscribed);
  EXPECT_EQ(three.unused, "");  // 6 threads of 6.5 cores: no whole core is idle
}

TEST(CoreBudget, QuotasOfTheirOwnAddUp) {
  std::vector<RankCores> ranks{rank(cpus(0, 7), 2.0), rank(cpus(0, 7), 2.0)};
  EXPECT_THAT(budget(ranks).threads, ElementsAre(1, 1));
  ranks[1].quota->group = "/other";
  EXPECT_THAT(budget(ranks).threads, ElementsAre(2, 2));
  EXPECT_FALSE(budget(ranks).oversubscribed);
}

TEST(CoreBudget, WantedThreadsAreHonouredAndJudged) {
  const CoreBudget many = budget({rank({0, 1}, {}, 64)});
  EXPECT_THAT(many.threads, ElementsAre(64));
  EXPECT_TRUE(many.oversubscribed);
  ASSERT_EQ(many.remarks.size(), 1U);
  EXPECT_THAT(many.remarks[0], HasSubstr("64 compute threads share 2 CPUs"));
  EXPECT_THAT(many.remarks[0], HasSubstr("OMP_NUM_THREADS=64"));
  EXPECT_FALSE(budget({rank({0, 1}, {}, 2)}).oversubscribed);
  EXPECT_TRUE(budget({rank({0, 1}, {}, 2), rank({0, 1}, {}, 2)}).oversubscribed);
}

TEST(CoreBudget, MasksAreLookedAtOneByOne) {
  // Four CPUs for three threads, yet two of them cannot leave CPU 0.
  const CoreBudget piled = budget({rank({0}), rank({0}), rank({1, 2, 3}, {}, 1)});
  EXPECT_TRUE(piled.oversubscribed);
  EXPECT_THAT(piled.remarks[0], HasSubstr("2 compute threads share 1 CPU"));
}

TEST(CoreBudget, UnusedCpusAreRemarked) {
  RankCores bound = rank({0});
  bound.launcher_cpus = {0, 1};
  const CoreBudget one = budget({bound});
  EXPECT_EQ(one.unused, "1 of 2 CPUs used");
  ASSERT_EQ(one.remarks.size(), 1U);
  EXPECT_THAT(one.remarks[0], HasSubstr("--bind-to none"));
  EXPECT_FALSE(one.oversubscribed);
  const CoreBudget few = budget({rank(cpus(0, 7), {}, 1), rank(cpus(0, 7), {}, 1)});
  EXPECT_EQ(few.unused, "2 of 8 CPUs used");
  EXPECT_THAT(few.remarks[0], HasSubstr("OMP_NUM_THREADS"));
  const CoreBudget uneven = budget({rank(cpus(0, 7)), rank(cpus(0, 7)), rank(cpus(0, 7))});
  EXPECT_EQ(uneven.unused, "6 of 8 CPUs used");
  // A quota that the threads use up leaves nothing idle, whatever the mask says.
  EXPECT_EQ(budget({rank(cpus(0, 7), 2.0)}).unused, "");
}

TEST(CoreBudget, ThousandsOfCpusAndRanks) {
  const CoreBudget big = budget({rank(cpus(0, 4095))});
  EXPECT_THAT(big.threads, ElementsAre(4096));
  std::vector<RankCores> ranks;
  for (int i = 0; i < 512; ++i) ranks.push_back(rank(cpus(4 * i, 4 * i + 3)));
  EXPECT_THAT(budget(ranks).threads, Each(4));
  EXPECT_FALSE(budget(ranks).oversubscribed);
}

TEST(CoreBudget, NothingKnownIsOneCpu) { EXPECT_THAT(budget({rank({})}).threads, ElementsAre(1)); }

TEST(CoreBudget, LinesKeepEverything) {
  RankCores given = rank(cpus(3, 1030), 1.5, 4);
  given.host = "h\xf6st 1";
  given.launcher_cpus = cpus(0, 2047);
  const RankCores back = rank_cores_from(to_line(given));
  EXPECT_EQ(back.host, "h\\xf6st 1");
  EXPECT_EQ(back.cpus, given.cpus);
  EXPECT_EQ(back.launcher_cpus, given.launcher_cpus);
  EXPECT_EQ(back.quota->cores, 1.5);
  EXPECT_EQ(back.quota->group, "/box");
  EXPECT_EQ(back.wanted_threads, 4);
}

TEST(Resources, OmpNumThreadsMayBeAList) {
  EXPECT_EQ(threads_wanted("4"), 4);
  EXPECT_EQ(threads_wanted(" 64 , 2"), 64);
  EXPECT_EQ(threads_wanted("4,2"), 4);
  for (const char* text : {"", "x", "-3", "0", "4x", "99999999999999"}) {
    EXPECT_EQ(threads_wanted(text), 0) << text;
  }
}

}  // namespace
}  // namespace stepmark
