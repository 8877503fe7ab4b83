// SPDX-License-Identifier: Apache-2.0
#include "collectives/sweep.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "core/error.h"

namespace stepmark {
namespace {

using ::testing::ElementsAre;

TEST(Sweep, SizesGrowByTheFactorUpToTheMaximum) {
  EXPECT_THAT(sweep_sizes(8, 64, 2), ElementsAre(8, 16, 32, 64));
  EXPECT_THAT(sweep_sizes(8, 63, 2), ElementsAre(8, 16, 32));
  EXPECT_THAT(sweep_sizes(5, 5, 4), ElementsAre(5));
  EXPECT_THAT(sweep_sizes(1, 4, 1.1), ElementsAre(1, 2, 3, 4));  // never stands still
  EXPECT_THROW((void)sweep_sizes(0, 8, 2), Error);
  EXPECT_THROW((void)sweep_sizes(16, 8, 2), Error);
  EXPECT_THROW((void)sweep_sizes(8, 16, 1), Error);
}

TEST(Sweep, NamesAreStable) {
  const auto cases = sweep_cases({.kinds = {CollectiveKind::all_reduce, CollectiveKind::all_gather,
                                            CollectiveKind::scatter, CollectiveKind::barrier},
                                  .min_bytes = 4096,
                                  .max_bytes = 4096,
                                  .in_place = true});
  std::vector<std::string> names;
  for (const SweepCase& c : cases) names.push_back(c.name);
  EXPECT_THAT(
      names,
      ElementsAre("all_reduce/fp32/sum/4KiB/out-of-place", "all_reduce/fp32/sum/4KiB/in-place",
                  "all_gather/fp32/4KiB/out-of-place", "all_gather/fp32/4KiB/in-place",
                  "scatter/fp32/4KiB/out-of-place", "barrier"));
}

TEST(Sweep, NamesAreUnique) {
  std::vector<CollectiveKind> kinds;
  for (const Collective* c : all_collectives()) kinds.push_back(c->kind);
  const auto cases = sweep_cases({.kinds = kinds,
                                  .min_bytes = 1000,
                                  .max_bytes = 1 << 21,
                                  .factor = 1.3,
                                  .dtypes = {DType::f32, DType::bf16, DType::i8},
                                  .ops = {ReduceOp::sum, ReduceOp::max},
                                  .in_place = true});
  std::set<std::string> names;
  for (const SweepCase& c : cases) names.insert(c.name);
  EXPECT_EQ(cases.size(), names.size());
  EXPECT_GT(cases.size(), 1000U);
}

}  // namespace
}  // namespace stepmark
