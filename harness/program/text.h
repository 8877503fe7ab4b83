// SPDX-License-Identifier: Apache-2.0
// A program as text: one line per group, buffer and op. parse_program(to_text(p)) == p.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "harness/program/program.h"

namespace stepmark {

[[nodiscard]] std::string to_text(const Program& program);
[[nodiscard]] std::string to_text(const CommShape& shape);
// ConfigError "name:line:column: what was expected" on anything that to_text would not print.
[[nodiscard]] Program parse_program(std::string_view text, std::string_view name = "program");
// Lines that differ, as "- old" / "+ new" with their line numbers; empty when equal.
[[nodiscard]] std::vector<std::string> diff(const Program& a, const Program& b);

}  // namespace stepmark
