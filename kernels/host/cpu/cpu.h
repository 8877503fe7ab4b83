// SPDX-License-Identifier: Apache-2.0
// What the processor can execute. One source per architecture, chosen by CMake.
#pragma once

#include <string_view>

namespace stepmark {

// Whether the processor, and the operating system that must save its registers, have the
// instruction set of that name (a value of -march); false for names that are not known.
[[nodiscard]] bool cpu_has(std::string_view instruction_set);

}  // namespace stepmark
