// SPDX-License-Identifier: Apache-2.0
// Environment variables as values. Nothing in the program changes the environment, so that reading
// it is safe from any thread.
#pragma once

#include <unistd.h>

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

// Calls use(name, value) for each variable; what has no "=" is none.
template <class Use>
void for_each_environment_variable(Use use) {
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const std::size_t name = text.find('=');
    if (name != std::string_view::npos) use(text.substr(0, name), text.substr(name + 1));
  }
}

}  // namespace stepmark
