// SPDX-License-Identifier: Apache-2.0
// What the ranks of a step really put on the links, group by group, is what its program says, and
// with it what records, plans and lists say.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/equivalence_steps/counting_comm.h"
#include "tests/equivalence_steps/mixed_plans.h"
#include "tests/equivalence_steps/zero_fixture.h"

namespace stepmark {
namespace {

constexpr std::uint64_t kSeedOfDraws = 1, kPlans = 22;  // those of mixed_test.cpp

class CountedBytesTest : public ZeroFixture {
 protected:
  // Of one step.
  void expect_counted(const Model& model, const Plan& plan) {
    const auto bytes = std::make_shared<CountedBytes>();
    CountingComm world(make_mpi_comm(), bytes);
    const Program program = step_program(model, plan, world.rank());
    StepRun steps(world, model, plan, program);
    ASSERT_EQ(bytes->size(), program.groups.size());
    steps.step();
    for (std::size_t i = 0; i < program.groups.size(); ++i) {
      const double said = bus_bytes(program, program.groups[i]);
      EXPECT_NEAR((*bytes)[i], said, 1e-9 * said) << program.groups[i].axis;
      if (program.groups[i].ranks.size() > 1) moved_ += said;
    }
  }
  double moved_ = 0;
};

TEST_F(CountedBytesTest, AreThoseOfTheProgram) {
  for (std::uint64_t i = 0; i < kPlans; ++i) {
    const MixedPlan mixed = draw_mixed_plan(kSeedOfDraws, i, world_->size());
    SCOPED_TRACE(fmt::format("{} {}", mixed.model.name, to_text(mixed.plan)));
    expect_counted(mixed.model, mixed.plan);
  }
  EXPECT_GT(moved_, 0);
}

// That the test can fail: a program that says less than it does.
TEST_F(CountedBytesTest, AnOpLessIsSeen) {
  const Model model = model_of(true, 203);
  Plan plan = parse_plan("seq=16,micro_batch=1");
  plan.dp = world_->size();
  plan = resolve(plan, model, world_->size());
  const auto bytes = std::make_shared<CountedBytes>();
  CountingComm world(make_mpi_comm(), bytes);
  Program program = step_program(model, plan, world.rank());
  StepRun steps(world, model, plan, program);
  steps.step();
  Op* largest = nullptr;
  for (Op& op : program.ops) {
    if (op.comm && (largest == nullptr || op.comm->count > largest->comm->count)) largest = &op;
  }
  ASSERT_NE(largest, nullptr);
  largest->comm->count /= 2;
  EXPECT_GT(bytes->front(), 1.01 * bus_bytes(program, program.group("dp")));
}

}  // namespace
}  // namespace stepmark
