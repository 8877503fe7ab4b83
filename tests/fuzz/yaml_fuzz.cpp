// SPDX-License-Identifier: Apache-2.0
// Whatever the bytes, reading YAML either gives a map that can be asked anything or ends in an
// Error; nothing else is thrown and nothing hangs. A map that is a model or a plan is one whose
// figures can be counted. Depth, length and magnitude are mutations of their own; run it with
// -max_len=2000000 -rss_limit_mb=1024 -timeout=10 cluster-configs.
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "core/error.h"
#include "core/yaml.h"
#include "harness/spec/limits.h"
#include "harness/spec/plan.h"
#include "tests/fuzz/hostile_mutator.h"

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

// Sums and products of what was accepted: the sanitizer finds one that overflows.
void count(const Model& model, const Plan& base) {
  static_cast<void>(model.parameters());
  for (const std::int64_t ranks : {std::int64_t{1}, std::int64_t{8}, kMaxRanks}) {
    attempt([&] {
      const Plan plan = resolve(base, model, ranks);
      static_cast<void>(static_cast<double>(plan.tokens_per_step()) *
                        sliced(model, plan).model_flops_per_token(plan.seq));
      if (parse_plan(to_text(plan)) != plan) std::abort();
    });
  }
}

void read_specs(const YamlDocument& document) {
  Plan plan;
  attempt([&] {
    if (auto map = document.map().optional_map("plan")) plan = read_plan(*map);
  });
  attempt([&] { count(read_model(document.map().required_map("model"), "fuzz"), plan); });
}

}  // namespace
}  // namespace stepmark

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size,
                                               std::size_t max_size, unsigned int seed) {
  static constexpr std::array<std::string_view, 7> kOpenings{"[",     "{a: ",     "- ",  "? ",
                                                             "a:\n ", "&a [*a, ", "|\n "};
  return stepmark::fuzz::mutate(data, size, max_size, seed, kOpenings);
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  stepmark::attempt([&] {
    const auto document = stepmark::YamlDocument::read_text(text, "fuzz.yaml");
    stepmark::ask_everything(document.map(), 0);
    stepmark::read_specs(document);
  });
  return 0;
}
