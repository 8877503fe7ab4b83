// SPDX-License-Identifier: Apache-2.0
#include "core/error.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <source_location>
#include <string>

#include "core/control.h"
#include "core/log.h"

namespace stepmark {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

// The identity is process-wide: put it back.
class Named : public testing::Test {
 protected:
  void SetUp() override { set_identity(3, 8); }
  void TearDown() override { set_identity(-1, 1); }
};

TEST_F(Named, WhatNamesExpressionRankHostAndPlace) {
  const int got = 7;
  std::string text;
  int line = 0;
  try {
    line = __LINE__ + 1;
    STEPMARK_CHECK(got == 4, "wanted {} ranks, got {}", 4, got);
  } catch (const Error& error) {
    text = error.what();
    EXPECT_EQ(error.message(), "wanted 4 ranks, got 7");
    EXPECT_EQ(error.expression(), "got == 4");
    EXPECT_EQ(error.rank(), 3);
    EXPECT_EQ(error.code(), ExitCode::kEnvironment);
  }
  std::array<char, 256> host{};
  ASSERT_EQ(gethostname(host.data(), host.size() - 1), 0);
  EXPECT_EQ(text, fmt::format("wanted 4 ranks, got 7 [got == 4] (rank 3 on {}, "
                              "tests/unit/core/error_test.cpp:{})",
                              host.data(), line));
}

TEST_F(Named, UsageErrorsAreTheMessageOnly) {
  try {
    STEPMARK_REQUIRE(1 > 2, "dp={} does not divide {}", 3, 8);
    FAIL();
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "dp=3 does not divide 8");
    EXPECT_EQ(error.code(), ExitCode::kUsage);
  }
}

TEST(Error, UnknownRankSaysSo) {
  EXPECT_THAT(Error(ExitCode::kEnvironment, "gone").what(), StartsWith("gone (rank unknown on "));
}

TEST(Error, ConfigErrorsCarryThePlaceInTheFile) {
  const ConfigError error("a.yaml", 3, 7, "no such key");
  EXPECT_STREQ(error.what(), "a.yaml:3:7: no such key");
  EXPECT_EQ(error.code(), ExitCode::kUsage);
  EXPECT_STREQ(ConfigError("a.yaml", 0, 0, "cannot read").what(), "a.yaml: cannot read");
}

TEST_F(Named, LogLinesAreWholeAndNamed) {
  testing::internal::CaptureStderr();
  log_info("not shown away from rank {}", 0);
  log_warning("disk {} is full", "a");
  log_check_failure("close(fd) == 0", "cannot close", std::source_location::current());
  const std::string text = testing::internal::GetCapturedStderr();
  EXPECT_THAT(text, StartsWith("[rank 3] warning: disk a is full\n[rank 3] error: cannot close"));
  EXPECT_THAT(text, HasSubstr("[close(fd) == 0] (tests/unit/core/error_test.cpp:"));
  EXPECT_THAT(text, EndsWith("\n"));
}

TEST(SoloControl, IsAWorldOfOne) {
  const auto control = make_solo_control();
  EXPECT_EQ(control->rank(), 0);
  EXPECT_EQ(control->size(), 1);
  EXPECT_EQ(control->local_rank(), 0);
  EXPECT_EQ(control->local_size(), 1);
  control->barrier();
  std::array<double, 2> values{1, -2};
  control->max_in_place(values);
  EXPECT_THAT(values, testing::ElementsAre(1, -2));
  EXPECT_EQ(control->broadcast("go"), "go");
  EXPECT_THAT(control->gather("me"), testing::ElementsAre("me"));
}

}  // namespace
}  // namespace stepmark
