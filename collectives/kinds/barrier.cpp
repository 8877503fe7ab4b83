// SPDX-License-Identifier: Apache-2.0
// Nobody leaves before everybody came. Moves no data: S = 0.
#include "collectives/kinds/kind.h"

namespace stepmark::kinds {
namespace {

CollectiveSizes sizes(const CollectiveSetup&, int) { return {}; }
double nothing(const CollectiveSetup&, int, int, std::size_t) { return kUntouched; }
CommShape shape(const CollectiveSetup&, int, int) { return {.verb = Verb::barrier}; }

}  // namespace

const Collective barrier = moving(CollectiveKind::barrier, sizes, nothing, shape, from_all_ranks);

}  // namespace stepmark::kinds
