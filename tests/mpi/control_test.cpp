// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <array>
#include <set>

#include "collectives/mpi/mpi_runtime.h"
#include "core/error.h"

namespace stepmark {
namespace {

TEST(MpiControl, KnowsItsPlace) {
  const auto control = make_mpi_control();
  EXPECT_EQ(identity().rank, control->rank());
  EXPECT_EQ(identity().world_size, control->size());
  // mpirun started all ranks of the test on this host.
  EXPECT_EQ(control->size(), control->local_size());
  EXPECT_EQ(control->rank(), control->local_rank());
}

TEST(MpiControl, MaximumIsElementWiseAndOnEveryRank) {
  const auto control = make_mpi_control();
  const double rank = control->rank();
  std::array<double, 3> values{rank, -rank, 7.0};
  control->max_in_place(values);
  EXPECT_EQ(control->size() - 1, values[0]);
  EXPECT_EQ(0.0, values[1]);
  EXPECT_EQ(7.0, values[2]);
  control->max_in_place({});
}

TEST(MpiControl, BroadcastsTheTextOfRankZero) {
  const auto control = make_mpi_control();
  for (const std::size_t length : {0UL, 1UL, 100000UL}) {
    const std::string text(length, 'x');
    EXPECT_EQ(text, control->broadcast(control->rank() == 0 ? text : "of another rank"));
  }
}

TEST(MpiControl, GathersTextsOfDifferentLengthsInRankOrder) {
  const auto control = make_mpi_control();
  const auto text_of = [](int rank) {
    return std::string(static_cast<std::size_t>(rank) * 1000, static_cast<char>('a' + rank));
  };
  const auto texts = control->gather(text_of(control->rank()));
  if (control->rank() != 0) {
    EXPECT_TRUE(texts.empty());
    return;
  }
  ASSERT_EQ(static_cast<std::size_t>(control->size()), texts.size());
  for (int rank = 0; rank < control->size(); ++rank) {
    EXPECT_EQ(text_of(rank), texts[static_cast<std::size_t>(rank)]);
  }
}

TEST(MpiControl, InstancesDoNotMixTheirMessages) {
  const auto a = make_mpi_control();
  const auto b = make_mpi_control();
  std::array<double, 1> x{static_cast<double>(a->rank())};
  EXPECT_EQ("b", b->broadcast(b->rank() == 0 ? "b" : ""));
  a->max_in_place(x);
  b->barrier();
  EXPECT_EQ(a->size() - 1, x[0]);
}

}  // namespace
}  // namespace stepmark
