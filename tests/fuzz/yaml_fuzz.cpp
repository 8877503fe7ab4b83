// SPDX-License-Identifier: Apache-2.0
// Whatever the bytes, reading YAML either gives a map that can be asked anything or ends in an
// Error; nothing else is thrown and nothing hangs.
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/error.h"
#include "core/yaml.h"

namespace stepmark {
namespace {

template <class Read>
void attempt(Read read) {
  try {
    read();
  } catch (const Error&) {
    // Refusing the input is one of the two right answers.
  }
}

void ask_everything(YamlMap map, int depth) {
  constexpr std::array<std::string_view, 2> kChoices{"gelu", "swiglu"};
  for (const std::string& key : map.keys()) {
    attempt([&] { static_cast<void>(map.required_int(key, {.min = 0, .max = 9})); });
    attempt([&] { static_cast<void>(map.optional_double(key, 0)); });
    attempt([&] { static_cast<void>(map.optional_bool(key, false)); });
    attempt([&] { static_cast<void>(map.optional_choice(key, "gelu", kChoices)); });
    attempt([&] { static_cast<void>(map.optional_strings(key)); });
    attempt([&] { static_cast<void>(map.optional_ints(key)); });
    attempt([&] {
      for (const YamlMap& inner : map.optional_maps(key)) {
        if (depth < 8) ask_everything(inner, depth + 1);
      }
    });
  }
  attempt([&] { static_cast<void>(map.required_string("layers")); });
  attempt([&] { map.finish(); });
}

}  // namespace
}  // namespace stepmark

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  stepmark::attempt([&] {
    const auto document = stepmark::YamlDocument::read_text(text, "fuzz.yaml");
    stepmark::ask_everything(document.map(), 0);
  });
  return 0;
}
