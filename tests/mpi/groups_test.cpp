// SPDX-License-Identifier: Apache-2.0
// Groups made by split: neighbours, every second rank, reversed order, and groups of groups.
#include "collectives/mpi/mpi_runtime.h"
#include "tests/mpi/run_case.h"
#include "tests/unit/collectives/all_dtypes.h"

namespace stepmark {
namespace {

// All members agree on the seed, different groups differ: a message that strays shows.
void verify_group(Comm& group, std::uint64_t seed) {
  test::ImmediateStream stream;
  for (const Collective* c : all_collectives()) {
    for (const DType dtype : {DType::f32, DType::bf16, DType::f8e4m3, DType::i32}) {
      test::for_each_form(*c, test::kAllReduceOps, [&](ReduceOp op, bool in_place) {
        test::run_case(group, stream, *c,
                       {.size_bytes = 10007,
                        .dtype = dtype,
                        .op = op,
                        .in_place = in_place,
                        .root = group.size() - 1,
                        .seed = seed});
      });
    }
  }
}

TEST(Groups, Pairs) {
  const auto world = make_mpi_comm();
  const auto pair = world->split(world->rank() / 2, world->rank());
  EXPECT_EQ(world->rank() % 2, pair->rank());
  verify_group(*pair, static_cast<std::uint64_t>(world->rank() / 2));
}

TEST(Groups, OddAndEven) {
  const auto world = make_mpi_comm();
  const auto half = world->split(world->rank() % 2, world->rank());
  EXPECT_EQ(world->rank() / 2, half->rank());
  verify_group(*half, static_cast<std::uint64_t>(world->rank() % 2));
}

TEST(Groups, KeyOrdersTheGroup) {
  const auto world = make_mpi_comm();
  const auto reversed = world->split(0, -world->rank());
  EXPECT_EQ(world->size() - 1 - world->rank(), reversed->rank());
  verify_group(*reversed, 3);
}

TEST(Groups, NegativeColourStaysOutAndGroupsSplitAgain) {
  const auto world = make_mpi_comm();
  const bool inside = world->rank() != 0 || world->size() == 1;
  const auto rest = world->split(inside ? 0 : -1, world->rank());
  ASSERT_EQ(inside, rest != nullptr);
  if (!inside) return;
  const auto alone = rest->split(rest->rank(), 0);
  EXPECT_EQ(1, alone->size());
  verify_group(*alone, 4);
}

}  // namespace
}  // namespace stepmark
