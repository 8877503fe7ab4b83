// SPDX-License-Identifier: Apache-2.0
// Tables of kernels by generated extern "C" names, one per instruction set, which is all that each
// set's object exports. The last set that CPUID allows is the best.
#include "kernels/host/sets.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <vector>

#include "core/error.h"
#include "kernels/host/cpu/cpu.h"
#include "kernels/host_set_list.h"  // generated: #define STEPMARK_HOST_SET_LIST(X) X(id, "name") ...

#define STEPMARK_DECLARE(id, name) \
  extern "C" const stepmark::HostKernel stepmark_host_kernels_##id[];
STEPMARK_HOST_SET_LIST(STEPMARK_DECLARE)
#undef STEPMARK_DECLARE

namespace stepmark {
namespace {

std::string names_of(std::span<const HostSet> sets, bool only_here) {
  std::string names;
  for (const HostSet& set : sets) {
    if (only_here && !set.runs_here) continue;
    names += (names.empty() ? "" : ", ") + std::string(set.name);
  }
  return names.empty() ? "none" : names;
}

std::optional<std::string> wanted_set() {
  const char* value = std::getenv("STEPMARK_INSTRUCTION_SET");  // NOLINT(concurrency-mt-unsafe)
  return value == nullptr ? std::nullopt : std::optional<std::string>(value);
}

}  // namespace

std::span<const HostSet> host_sets() {
#define STEPMARK_ENTRY(id, text) \
  HostSet{.name = (text), .runs_here = cpu_has(text), .kernels = stepmark_host_kernels_##id},
  static const std::vector<HostSet> sets{STEPMARK_HOST_SET_LIST(STEPMARK_ENTRY)};
#undef STEPMARK_ENTRY
  return sets;
}

const HostSet& choose_set(std::span<const HostSet> sets, const std::optional<std::string>& wanted) {
  if (wanted) {
    const auto named = [&](const HostSet& set) { return set.name == *wanted; };
    const auto set = std::find_if(sets.begin(), sets.end(), named);
    STEPMARK_REQUIRE(set != sets.end(),
                     "STEPMARK_INSTRUCTION_SET={}: this binary has no host kernels for it; it has "
                     "{}, of which run here: {}",
                     *wanted, names_of(sets, false), names_of(sets, true));
    STEPMARK_REQUIRE(set->runs_here,
                     "STEPMARK_INSTRUCTION_SET={}: this processor does not have it; of what the "
                     "binary has, run here: {}. Unset the variable to take the best",
                     *wanted, names_of(sets, true));
    return *set;
  }
  const auto best =
      std::find_if(sets.rbegin(), sets.rend(), [](const HostSet& set) { return set.runs_here; });
  if (best == sets.rend()) {
    throw Error(ExitCode::kEnvironment,
                fmt::format("host kernels were built for {}, and this processor has none of them; "
                            "build with -DSTEPMARK_HOST_SETS=... for one that it has",
                            names_of(sets, false)));
  }
  return *best;
}

const HostSet& host_set() {
  static const HostSet& chosen = choose_set(host_sets(), wanted_set());
  return chosen;
}

HostKernel host_kernel(OpId id) { return host_set().kernels[static_cast<std::size_t>(id)]; }

}  // namespace stepmark
