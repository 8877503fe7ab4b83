// SPDX-License-Identifier: Apache-2.0
#include "harness/spec/mesh.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "core/error.h"
#include "core/rng.h"

namespace stepmark {
namespace {

Mesh random_mesh(std::uint64_t seed) {
  static constexpr std::array kNames{"tp", "cp", "dp", "pp", "ep"};
  const Philox rng(11, seed);
  std::vector<MeshAxis> axes;
  const std::uint64_t count = 1 + seed % kNames.size();
  for (std::uint64_t i = 0; i < count; ++i) {
    axes.push_back({.name = kNames[i], .degree = 1 + static_cast<std::int32_t>(rng.below(i, 5))});
  }
  return Mesh(std::move(axes));
}

TEST(Mesh, RanksAndCoordinatesAreABijection) {
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    const Mesh mesh = random_mesh(seed);
    std::set<std::vector<std::int32_t>> seen;
    for (std::int32_t rank = 0; rank < mesh.size(); ++rank) {
      const auto at = mesh.coordinates(rank);
      for (std::size_t i = 0; i < at.size(); ++i) {
        ASSERT_GE(at[i], 0);
        ASSERT_LT(at[i], mesh.axes()[i].degree);
        ASSERT_EQ(at[i], mesh.coordinate(rank, mesh.axes()[i].name));
      }
      ASSERT_EQ(mesh.rank_at(at), rank);
      seen.insert(at);
    }
    ASSERT_EQ(static_cast<std::int32_t>(seen.size()), mesh.size());
  }
}

TEST(Mesh, GroupsOfAnAxisPartitionTheRanks) {
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    const Mesh mesh = random_mesh(seed);
    for (const MeshAxis& axis : mesh.axes()) {
      std::set<std::vector<std::int32_t>> groups;
      for (std::int32_t rank = 0; rank < mesh.size(); ++rank) {
        const auto group = mesh.group(rank, axis.name);
        ASSERT_EQ(static_cast<std::int32_t>(group.size()), axis.degree);
        ASSERT_EQ(group[static_cast<std::size_t>(mesh.coordinate(rank, axis.name))], rank);
        groups.insert(group);
      }
      std::vector<std::int32_t> all;
      for (const auto& group : groups) all.insert(all.end(), group.begin(), group.end());
      ASSERT_EQ(static_cast<std::int32_t>(all.size()), mesh.size());
      ASSERT_EQ(static_cast<std::int32_t>(std::set(all.begin(), all.end()).size()), mesh.size());
    }
  }
}

TEST(Mesh, FirstAxisVariesFastest) {
  const Mesh mesh({{.name = "tp", .degree = 2}, {.name = "dp", .degree = 3}});
  EXPECT_THAT(mesh.group(3, "tp"), ::testing::ElementsAre(2, 3));
  EXPECT_THAT(mesh.group(3, "dp"), ::testing::ElementsAre(1, 3, 5));
}

TEST(Mesh, RefusesWhatIsNoMesh) {
  EXPECT_THROW(Mesh({{.name = "tp", .degree = 0}}), Error);
  EXPECT_THROW(Mesh({{.name = "", .degree = 1}}), Error);
  EXPECT_THROW(Mesh({{.name = "tp", .degree = 1}, {.name = "tp", .degree = 2}}), Error);
  EXPECT_THROW(Mesh({{.name = "tp", .degree = 65536}, {.name = "dp", .degree = 65536}}), Error);
  const Mesh mesh({{.name = "tp", .degree = 2}});
  EXPECT_THROW((void)mesh.degree("dp"), Error);
  EXPECT_THROW((void)mesh.coordinates(2), Error);
  EXPECT_THROW((void)mesh.coordinates(-1), Error);
  EXPECT_THROW((void)mesh.rank_at({2}), Error);
  EXPECT_THROW((void)mesh.rank_at({0, 0}), Error);
}

}  // namespace
}  // namespace stepmark
