// SPDX-License-Identifier: Apache-2.0
// Environment variables as values. Nothing in the program changes the environment, so that reading
// it is safe from any thread.
#pragma once

#include <charconv>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

namespace stepmark {

[[nodiscard]] inline std::optional<std::string> environment_variable(const char* name) {
  const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): see above
  return value == nullptr ? std::nullopt : std::optional<std::string>(value);
}

// Nothing when unset or not a whole number.
[[nodiscard]] inline std::optional<int> environment_number(const char* name) {
  const std::optional<std::string> text = environment_variable(name);
  if (!text) return std::nullopt;
  int number = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), number);
  if (error != std::errc{} || end != text->data() + text->size()) return std::nullopt;
  return number;
}

}  // namespace stepmark
