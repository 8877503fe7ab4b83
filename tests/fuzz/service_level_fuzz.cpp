// SPDX-License-Identifier: Apache-2.0
// Published availabilities from anything: only Error may come out, and what was read becomes terms.
#include <array>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "core/error.h"
#include "hostile_mutator.h"
#include "results/contract/service_level.h"

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size,
                                               std::size_t max_size, unsigned int seed) {
  static constexpr std::array<std::string_view, 5> kOpenings{"[", "- ", "tiers:\n  - ", "%",
                                                             "|\n "};
  return stepmark::fuzz::mutate(data, size, max_size, seed, kOpenings);
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace stepmark;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  std::string part;
  try {
    part = service_level_yaml(read_service_level_text(text, "fuzz.yaml"));
  } catch (const Error&) {
    return 0;  // refusing the input is one of the two right answers
  }
  // What comes out must read, whatever was in the notes.
  const Terms terms = read_terms_text(
      "terms: t\nparties: {provider: p, customer: c}\nvalid: {from: 2026-12-01, until: "
      "2026-12-31}\n"
      "quantity: {nodes: 1, gpus_per_node: 1}\n" +
          part,
      "draft.yaml");
  if (!terms.availability) std::abort();
  return 0;
}
