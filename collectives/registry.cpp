// SPDX-License-Identifier: Apache-2.0
// The table of collectives, from the list in collectives/CMakeLists.txt.
#include <array>

#include "collectives/exact_data.h"
#include "collectives/kinds/kind.h"
#include "core/error.h"

namespace stepmark {
namespace {

#define STEPMARK_COLLECTIVE_ADDRESS(name, factor) &kinds::name,
constexpr std::array kCollectives{STEPMARK_COLLECTIVES(STEPMARK_COLLECTIVE_ADDRESS)};
#undef STEPMARK_COLLECTIVE_ADDRESS

}  // namespace

std::span<const Collective* const> all_collectives() { return kCollectives; }

const Collective& collective(CollectiveKind kind) {
  for (const Collective* c : kCollectives) {
    if (c->kind == kind) return *c;
  }
  STEPMARK_CHECK(false, "collective {} is not in the list", name_of(kind));
}

double kinds::own_data(const CollectiveSetup& setup, int, int rank, std::size_t index) {
  return moved_value(setup, rank, index);
}

}  // namespace stepmark
