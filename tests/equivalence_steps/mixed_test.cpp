// SPDX-License-Identifier: Apache-2.0
// Forms mixed as chance has it compute what one rank computes: loss, gradient norm and all
// gradients, and parameters after several steps.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>
#include <string_view>

#include "tests/equivalence_steps/mixed_plans.h"
#include "tests/equivalence_steps/zero_fixture.h"

namespace stepmark {
namespace {

// Of few plans one that draws every value of every axis.
constexpr std::uint64_t kSeedOfFew = 1, kSeedOfMany = 100;
constexpr std::uint64_t kFew = 22, kMany = 70;  // on each of 2, 4 and 8 ranks
constexpr std::int64_t kWorlds[] = {2, 4, 8};

// Every value that an axis can have is drawn, and hardly a plan twice.
TEST(MixedPlans, DrawnUseEveryValueOfEveryAxis) {
  std::map<std::string, int> seen;
  std::set<std::string> plans;
  for (const std::int64_t world : kWorlds) {
    for (std::uint64_t i = 0; i < kFew; ++i) {
      const MixedPlan mixed = draw_mixed_plan(kSeedOfFew, i, world);
      EXPECT_EQ(why_illegal(mixed.plan, mixed.model, world), std::nullopt) << mixed.text;
      EXPECT_EQ(mixed.plan.global_batch(), 8) << mixed.text;
      plans.insert(fmt::format("{} {} {}", mixed.model.name, mixed.model.tied_embeddings,
                               to_text(mixed.plan)));
      for (std::size_t axis = 0; axis < drawn_axes().size(); ++axis) {
        ++seen[fmt::format("{}={}", drawn_axes()[axis].key, mixed.drawn[axis])];
      }
    }
  }
  EXPECT_GE(plans.size(), 60U);
  for (const DrawnAxis& axis : drawn_axes()) {
    for (const std::string_view value : axis.values) {
      EXPECT_GE(seen[fmt::format("{}={}", axis.key, value)], 1) << axis.key << "=" << value;
    }
  }
}

class Mixed : public ZeroFixture {
 protected:
  void expect_drawn_equal_one_rank(std::uint64_t seed, std::uint64_t plans) {
    for (std::uint64_t i = 0; i < plans; ++i) {
      const MixedPlan mixed = draw_mixed_plan(seed, i, world_->size());
      SCOPED_TRACE(fmt::format("draw {} of seed {} on {} ranks: {}, layers={}, tied={}: {}", i,
                               seed, world_->size(), mixed.model.name, mixed.model.layers,
                               mixed.model.tied_embeddings, mixed.text));
      expect_equals_one_rank(mixed.model, mixed.plan);
      // What follows would only say so again.
      if (largest(HasFailure() ? 1 : 0) > 0) return;
    }
  }
};

TEST_F(Mixed, DrawnPlansEqualOneRank) { expect_drawn_equal_one_rank(kSeedOfFew, kFew); }
// Of a night: not run with the others (CMakeLists.txt).
TEST_F(Mixed, ManyDrawnPlansEqualOneRank) { expect_drawn_equal_one_rank(kSeedOfMany, kMany); }

}  // namespace
}  // namespace stepmark
