// SPDX-License-Identifier: Apache-2.0
// Each direction has data of its own, drawn from a seed that both ends know.
#include "collectives/message.h"

#include "collectives/kinds/kind.h"

namespace stepmark {
namespace {

CollectiveSizes sizes(const CollectiveSetup& setup, int ranks) {
  CollectiveSizes sizes = kinds::sizes_per_rank(setup, ranks);
  if (setup.send_peer < 0) sizes.send_count = 0;
  if (setup.recv_peer < 0) sizes.recv_count = 0;
  return sizes;
}

double value(const CollectiveSetup& setup, int from, int to, std::size_t index) {
  CollectiveSetup pair = setup;
  pair.seed = mix_bits(
      setup.seed ^ (static_cast<std::uint64_t>(from) * kMaxRanks + static_cast<std::uint64_t>(to)));
  return moved_value(pair, from, index);
}

double input(const CollectiveSetup& setup, int, int rank, std::size_t index) {
  return value(setup, rank, setup.send_peer, index);
}

double expected(const CollectiveSetup& setup, int, int rank, std::size_t index) {
  return value(setup, setup.recv_peer, rank, index);
}

CommShape shape(const CollectiveSetup& setup, int ranks, int) {
  CommShape shape = kinds::shape_of(Verb::send_recv, setup, kinds::sizes_per_rank(setup, ranks));
  shape.send_peer = setup.send_peer;
  shape.recv_peer = setup.recv_peer;
  return shape;
}

int origin(const CollectiveSetup& setup, int, int, std::size_t) { return setup.recv_peer; }

}  // namespace

const Collective kMessage{.kind = CollectiveKind::send_recv,
                          .reduces = false,
                          .supports_in_place = false,
                          .sizes = sizes,
                          .input = input,
                          .expected = expected,
                          .shape = shape,
                          .origin = origin};

}  // namespace stepmark
