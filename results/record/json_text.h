// SPDX-License-Identifier: Apache-2.0
// JSON as text that any reader accepts, whatever bytes came in from outside.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace stepmark {

struct JsonStyle {
  int indent = -1;          // -1: one line
  bool ascii_only = false;  // everything else as \uXXXX
};

// json.dump(), but never an exception for bytes that are no UTF-8: they are shown as \xHH, in keys
// too (core/utf8.h).
[[nodiscard]] std::string json_text(const nlohmann::json& json, const JsonStyle& style = {});

}  // namespace stepmark
