// SPDX-License-Identifier: Apache-2.0
// The sample of terms, whole or with a passage replaced.
#pragma once

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <string>
#include <string_view>

#include "core/error.h"
#include "results/contract/terms.h"

namespace stepmark {

inline std::string sample_text() {
  std::ifstream file(std::string(STEPMARK_SAMPLES) + "/renewal.yaml");
  EXPECT_TRUE(file.is_open());
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// `from` must be there: a mistake that is not made proves nothing.
inline std::string sample_with(std::string_view from, std::string_view to) {
  std::string text = sample_text();
  const auto at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return at == std::string::npos ? text : text.replace(at, from.size(), to);
}

inline std::string error_of_terms(const std::string& text) {
  try {
    static_cast<void>(read_terms_text(text, "terms.yaml"));
  } catch (const ConfigError& error) {
    return error.message();
  }
  return "no error";
}

}  // namespace stepmark
