// SPDX-License-Identifier: Apache-2.0
// Output pinned in tests/golden/results. STEPMARK_UPDATE_GOLDEN=1 in the environment writes the
// files anew instead of comparing.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

namespace stepmark {

inline void expect_golden(const std::string& name, const std::string& text) {
  const auto path = std::filesystem::path(STEPMARK_GOLDEN_DIR) / name;
  // NOLINTNEXTLINE(concurrency-mt-unsafe): nobody sets variables in a test
  if (std::getenv("STEPMARK_UPDATE_GOLDEN") != nullptr) {
    std::ofstream(path, std::ios::binary) << text;
    return;
  }
  std::ostringstream expected;
  expected << std::ifstream(path, std::ios::binary).rdbuf();
  EXPECT_EQ(text, expected.str()) << "differs from " << path
                                  << " (STEPMARK_UPDATE_GOLDEN=1 accepts it)";
}

}  // namespace stepmark
