// SPDX-License-Identifier: Apache-2.0
#include "collectives/sweep.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <limits>
#include <set>

#include "core/error.h"

namespace stepmark {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::vector<std::string> names_of(const Sweep& sweep) {
  std::vector<std::string> names;
  for (const SweepCase& c : sweep.cases) names.push_back(c.name);
  return names;
}

std::string error_of(const std::function<void()>& act) {
  try {
    act();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kUsage);
    return error.message();
  }
  return "no error";
}

TEST(Sweep, SizesGrowByTheFactorUpToTheMaximum) {
  EXPECT_THAT(sizes_by_factor(8, 64, 2), ElementsAre(8, 16, 32, 64));
  EXPECT_THAT(sizes_by_factor(8, 63, 2), ElementsAre(8, 16, 32));
  EXPECT_THAT(sizes_by_factor(8, 41, 1.5), ElementsAre(8, 12, 18, 27, 41));
  EXPECT_THAT(sizes_by_factor(5, 5, 4), ElementsAre(5));
  EXPECT_THAT(sizes_by_factor(1, 4, 1.1), ElementsAre(1, 2, 3, 4));  // never stands still
  EXPECT_THROW((void)sizes_by_factor(0, 8, 2), Error);
  EXPECT_THROW((void)sizes_by_factor(16, 8, 2), Error);
  EXPECT_THROW((void)sizes_by_factor(8, 16, 1), Error);
}

TEST(Sweep, SizesGrowByTheStep) {
  EXPECT_THAT(sizes_by_step(1024, 4096, 1024), ElementsAre(1024, 2048, 3072, 4096));
  EXPECT_THAT(sizes_by_step(1000, 4096, 2000), ElementsAre(1000, 3000));
  EXPECT_THAT(sizes_by_step(7, 7, 1), ElementsAre(7));
  EXPECT_THROW((void)sizes_by_step(8, 16, 0), Error);
}

TEST(Sweep, SlipsDoNotMakeMillions) {
  const std::int64_t huge = std::numeric_limits<std::int64_t>::max();
  EXPECT_THAT(error_of([&] { (void)sizes_by_step(1, huge, 1); }), HasSubstr("10000 cases"));
  EXPECT_THAT(error_of([&] { (void)sizes_by_factor(1, huge, 1.000001); }),
              HasSubstr("10000 cases"));
  EXPECT_EQ(sizes_by_factor(1, huge, 2).size(), 63U);
  const SweepSpec spec{.kinds = {CollectiveKind::all_reduce},
                       .sizes = sizes_by_step(4, 4 * 9000, 4),
                       .dtypes = {DType::f32, DType::bf16}};
  EXPECT_THAT(error_of([&] { (void)sweep_cases(spec, 2); }), HasSubstr("10000 cases"));
}

TEST(Sweep, NamesAreStable) {
  const Sweep sweep = sweep_cases({.kinds = {CollectiveKind::all_reduce, CollectiveKind::all_gather,
                                             CollectiveKind::scatter, CollectiveKind::barrier},
                                   .sizes = {4096},
                                   .in_place = true},
                                  4);
  EXPECT_THAT(
      names_of(sweep),
      ElementsAre("all_reduce/fp32/sum/4KiB/out-of-place", "all_reduce/fp32/sum/4KiB/in-place",
                  "all_gather/fp32/4KiB/out-of-place", "all_gather/fp32/4KiB/in-place",
                  "scatter/fp32/4KiB/out-of-place", "barrier"));
  EXPECT_THAT(sweep.remarks, IsEmpty());
}

TEST(Sweep, SizesWithoutAnElementMakeNoCase) {
  const Sweep sweep = sweep_cases({.kinds = {CollectiveKind::all_reduce, CollectiveKind::all_gather,
                                             CollectiveKind::reduce_scatter},
                                   .sizes = {1, 16, 28}},
                                  7);  // chunks of seven ranks: 28 bytes at least
  EXPECT_THAT(
      names_of(sweep),
      ElementsAre("all_reduce/fp32/sum/16B/out-of-place", "all_reduce/fp32/sum/28B/out-of-place",
                  "all_gather/fp32/28B/out-of-place", "reduce_scatter/fp32/sum/28B/out-of-place"));
  EXPECT_THAT(
      sweep.remarks,
      ElementsAre("all_reduce fp32 on 7 ranks: no element in 1B: dropped",
                  "all_gather, reduce_scatter fp32 on 7 ranks: no element in 1B, 16B: dropped"));
}

TEST(Sweep, SizesOfTheSameElementsAreOneCase) {
  const Sweep sweep =
      sweep_cases({.kinds = {CollectiveKind::all_reduce}, .sizes = {9, 8, 4, 5, 8}}, 2);
  EXPECT_THAT(names_of(sweep), ElementsAre("all_reduce/fp32/sum/4B/out-of-place",
                                           "all_reduce/fp32/sum/8B/out-of-place"));
  EXPECT_THAT(sweep.remarks, ElementsAre("all_reduce fp32 on 2 ranks: 5B, 8B, 9B round to the "
                                         "elements of a smaller size: measured once"));
}

TEST(Sweep, CollectivesWithoutAnInPlaceFormAreRemarked) {
  SweepSpec spec{.kinds = {CollectiveKind::all_to_all_v, CollectiveKind::all_reduce},
                 .sizes = {4096},
                 .out_of_place = false,
                 .in_place = true};
  EXPECT_THAT(names_of(sweep_cases(spec, 2)), ElementsAre("all_reduce/fp32/sum/4KiB/in-place"));
  EXPECT_THAT(sweep_cases(spec, 2).remarks,
              ElementsAre("all_to_all_v in place: there is no such form: dropped"));
  spec.out_of_place = true;  // both: as far as there are both
  EXPECT_THAT(sweep_cases(spec, 2).remarks, IsEmpty());
}

TEST(Sweep, NoCaseOfAnyCollectiveAndWorldIsWithoutElements) {
  std::vector<CollectiveKind> kinds;
  for (const Collective* c : all_collectives()) {
    if (c->kind != CollectiveKind::barrier) kinds.push_back(c->kind);
  }
  for (const int ranks : {1, 2, 3, 7, 64, 1000}) {
    const SweepSpec spec{.kinds = kinds,
                         .sizes = sizes_by_factor(1, 1 << 16, 1.5),
                         .dtypes = {DType::f32, DType::bf16, DType::i8},
                         .in_place = true};
    std::set<std::string> rounded;
    const Sweep sweep = sweep_cases(spec, ranks);
    for (const SweepCase& c : sweep.cases) {
      const CollectiveSizes sizes = c.collective->sizes(c.setup, ranks);
      EXPECT_GT(sizes.verb_count, 0U) << c.name << " on " << ranks;
      CollectiveSetup setup = c.setup;
      setup.size_bytes = sizes.size_bytes;
      EXPECT_TRUE(rounded.insert(case_name(*c.collective, setup)).second) << c.name;
    }
  }
}

TEST(Sweep, NamesAreUnique) {
  std::vector<CollectiveKind> kinds;
  for (const Collective* c : all_collectives()) kinds.push_back(c->kind);
  const Sweep sweep = sweep_cases({.kinds = kinds,
                                   .sizes = sizes_by_factor(1000, 1 << 21, 1.3),
                                   .dtypes = {DType::f32, DType::bf16, DType::i8},
                                   .ops = {ReduceOp::sum, ReduceOp::max},
                                   .in_place = true},
                                  2);
  const std::vector<std::string> names = names_of(sweep);
  EXPECT_EQ(std::set<std::string>(names.begin(), names.end()).size(), names.size());
  EXPECT_GT(names.size(), 1000U);
}

}  // namespace
}  // namespace stepmark
