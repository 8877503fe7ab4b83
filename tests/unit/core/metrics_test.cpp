// SPDX-License-Identifier: Apache-2.0
#include "core/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "core/error.h"

namespace stepmark {
namespace {

TEST(BusFactor, IsThatOfNcclTests) {
  using K = CollectiveKind;
  EXPECT_DOUBLE_EQ(bus_factor(K::all_reduce, 4), 1.5);
  for (const K kind :
       {K::all_gather, K::reduce_scatter, K::all_to_all, K::all_to_all_v, K::gather, K::scatter}) {
    EXPECT_DOUBLE_EQ(bus_factor(kind, 8), 0.875) << name_of(kind);
    EXPECT_EQ(bus_factor(kind, 1), 0) << name_of(kind);
  }
  for (const K kind : {K::broadcast, K::reduce, K::send_recv}) {
    EXPECT_EQ(bus_factor(kind, 8), 1) << name_of(kind);
  }
  EXPECT_EQ(bus_factor(K::barrier, 8), 0);
  EXPECT_THROW(static_cast<void>(bus_factor(K::reduce, 0)), Error);
}

TEST(CollectiveNames, RoundTripAndSuggest) {
  EXPECT_GE(collective_kinds().size(), 11U);
  for (const CollectiveKind kind : collective_kinds()) {
    EXPECT_EQ(collective_from(name_of(kind)), kind);
  }
  try {
    static_cast<void>(collective_from("allreduce"));
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("did you mean 'all_reduce'"));
  }
}

TEST(CollectiveNames, FindingOneThrowsNothing) {
  EXPECT_EQ(find_collective("all_reduce"), CollectiveKind::all_reduce);
  EXPECT_FALSE(find_collective("allreduce").has_value());
}

TEST(Utilization, IsFlopsOverTimeOverPeak) {
  EXPECT_DOUBLE_EQ(flops_utilization(4e12, 2, 8e12), 0.25);
  EXPECT_DOUBLE_EQ(flops_utilization(2e12, 1, 1e12), 2);  // whoever asks says what is wrong
}

TEST(Utilization, OfSomethingUnknownIsNaN) {
  for (const double unknown : {0.0, -1.0, std::nan(""), std::numeric_limits<double>::infinity()}) {
    EXPECT_TRUE(std::isnan(flops_utilization(unknown, 1, 1e12))) << unknown;
    EXPECT_TRUE(std::isnan(flops_utilization(1e12, unknown, 1e12))) << unknown;
    EXPECT_TRUE(std::isnan(flops_utilization(1e12, 1, unknown))) << unknown;
  }
}

}  // namespace
}  // namespace stepmark
