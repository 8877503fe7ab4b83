// SPDX-License-Identifier: Apache-2.0
#include "core/build_info.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace stepmark {
namespace {

TEST(BuildInfo, IsFilled) {
  const BuildInfo& info = build_info();
  EXPECT_THAT(std::string(info.version), testing::MatchesRegex("[0-9]+\\.[0-9]+\\.[0-9]+"));
  EXPECT_THAT(std::string(info.git_revision), testing::MatchesRegex("[0-9a-f]{40}|unknown"));
  EXPECT_FALSE(info.build_type.empty());
  EXPECT_THAT(std::string(info.compiler), testing::MatchesRegex("(GNU|Clang) [0-9.]+"));
}

}  // namespace
}  // namespace stepmark
