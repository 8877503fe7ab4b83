// SPDX-License-Identifier: Apache-2.0
// Whatever the bytes, reading a program either ends in a ConfigError or gives a program that prints
// exactly those bytes, and that can be checked and compared. Length and magnitude are mutations of
// their own; run it with -max_len=2000000 -rss_limit_mb=2048 -timeout=10 docs/forms.
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string_view>

#include "core/error.h"
#include "harness/program/text.h"
#include "harness/program/validate.h"
#include "tests/fuzz/hostile_mutator.h"

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size,
                                               std::size_t max_size, unsigned int seed) {
  static constexpr std::array<std::string_view, 5> kPieces{"stream s\n", "0,", " 0", "x[0+1] ",
                                                           "- "};
  return stepmark::fuzz::mutate(data, size, max_size, seed, kPieces);
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    const stepmark::Program program = stepmark::parse_program(text, "fuzz");
    if (stepmark::to_text(program) != text) std::abort();
    if (!stepmark::diff(program, program).empty()) std::abort();
    if (stepmark::problems(std::span(&program, 1)).empty()) {
      static_cast<void>(stepmark::memory_bytes(program));
      for (const stepmark::Group& group : program.groups) {
        static_cast<void>(stepmark::bus_bytes(program, group));
      }
    }
  } catch (const stepmark::ConfigError&) {
    // Refusing the input is the other right answer.
  }
  return 0;
}
