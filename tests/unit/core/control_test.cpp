// SPDX-License-Identifier: Apache-2.0
// Helpers over ranks.
#include "core/control.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>

#include "tests/unit/core/thread_control.h"

namespace stepmark {
namespace {

constexpr int kRanks = 3;

TEST(ControlTest, TheLargestValueIsKnownToEveryRank) {
  std::array<double, kRanks> largest{};
  run_ranks(kRanks, [&](ThreadControl& control) {
    largest.at(static_cast<std::size_t>(control.rank())) =
        max_over_ranks(control, control.rank() == 1 ? -1.0 : -5.0);
  });
  for (const double value : largest) EXPECT_EQ(value, -1.0);
}

TEST(ControlTest, AllRanksIsFalseEverywhereWhenOneSaysSo) {
  for (const int against : {-1, 0, 2}) {
    std::array<bool, kRanks> all{};
    run_ranks(kRanks, [&](ThreadControl& control) {
      all.at(static_cast<std::size_t>(control.rank())) =
          all_ranks(control, control.rank() != against);
    });
    for (const bool value : all) EXPECT_EQ(value, against == -1);
  }
}

TEST(ControlTest, TheValueOfTheRootArrivesBitForBit) {
  const double third = std::nextafter(1.0 / 3.0, 1.0);  // no short decimal
  std::array<double, kRanks> values{};
  run_ranks(kRanks, [&](ThreadControl& control) {
    values.at(static_cast<std::size_t>(control.rank())) =
        value_of_root(control, control.rank() == 0 ? third : -1.0);
  });
  for (const double value : values) EXPECT_EQ(value, third);
}

}  // namespace
}  // namespace stepmark
