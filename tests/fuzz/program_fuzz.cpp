// SPDX-License-Identifier: Apache-2.0
// Whatever the bytes, reading a program either ends in a ConfigError or gives a program that prints
// exactly those bytes, and that can be checked and compared.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string_view>

#include "core/error.h"
#include "harness/program/text.h"
#include "harness/program/validate.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    const stepmark::Program program = stepmark::parse_program(text, "fuzz");
    if (stepmark::to_text(program) != text) std::abort();
    if (!stepmark::diff(program, program).empty()) std::abort();
    static_cast<void>(stepmark::problems(std::span(&program, 1)));
  } catch (const stepmark::ConfigError&) {
    // Refusing the input is the other right answer.
  }
  return 0;
}
