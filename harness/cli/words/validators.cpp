// SPDX-License-Identifier: Apache-2.0
// CLI11 has a range check too, but that says the whole range of its type after an overflow.
#include "harness/cli/words/validators.h"

#include <fmt/format.h>

#include <charconv>

namespace stepmark {

CLI::Validator whole(std::int64_t least, std::int64_t most) {
  return CLI::Validator(
      [least, most](std::string& text) {
        std::int64_t value = 0;
        const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), value);
        const bool good = status == std::errc{} && end == text.data() + text.size() &&
                          value >= least && value <= most;
        return good ? std::string()
                    : fmt::format("'{}': expected a whole number from {} to {}", text, least, most);
      },
      "");
}

}  // namespace stepmark
