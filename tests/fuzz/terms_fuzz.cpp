// SPDX-License-Identifier: Apache-2.0
// Terms from anything: only Error may come out, and what was read can be held against runs.
#include <array>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "core/error.h"
#include "hostile_mutator.h"
#include "results/contract/check.h"
#include "results/contract/terms.h"

namespace {

using namespace stepmark;

// Nothing was measured: no floor may be called anything else, and every cell must be there.
void judge_nothing(const Terms& terms) {
  const ContractCheck check = check_contract(terms, {});
  for (const FloorResult& one : check.floors) {
    if (one.verdict != FloorVerdict::not_measured || one.cells.empty()) std::abort();
  }
  if (terms.valid.seconds() <= 0 || terms.nodes < 1) std::abort();
}

}  // namespace

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size,
                                               std::size_t max_size, unsigned int seed) {
  static constexpr std::array<std::string_view, 7> kOpenings{
      "[", "{from: ", "- ", "floors:\n  - ", "2026-12-31", "%", "|\n "};
  return stepmark::fuzz::mutate(data, size, max_size, seed, kOpenings);
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    judge_nothing(read_terms_text(text, "fuzz.yaml"));
  } catch (const Error&) {
    // Refusing the input is one of the two right answers.
  }
  return 0;
}
