// SPDX-License-Identifier: Apache-2.0
#include "core/number_text.h"

#include <gtest/gtest.h>

#include <limits>

namespace stepmark {
namespace {

TEST(NumberText, SaysWhatHasNoDigits) {
  EXPECT_EQ(number_text("{:.2f}", 1.234), "1.23");
  EXPECT_EQ(number_text("{:.2f}", -std::numeric_limits<double>::quiet_NaN()), "not a number");
  EXPECT_EQ(number_text("{}", std::numeric_limits<double>::quiet_NaN()), "not a number");
  EXPECT_EQ(number_text("{:.1e}", std::numeric_limits<double>::infinity()), "infinite");
  EXPECT_EQ(number_text("{:.1e}", -std::numeric_limits<double>::infinity()), "minus infinite");
}

}  // namespace
}  // namespace stepmark
