// SPDX-License-Identifier: Apache-2.0
// ZeRO-1 over MPI: losses and parameters of several steps equal those of one rank, and, where a sum
// has one order only, those of plain data parallelism bit for bit.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "collectives/mpi/mpi_runtime.h"
#include "tests/equivalence_steps/optimizer_forms.h"
#include "tests/equivalence_steps/step_run.h"

namespace stepmark {
namespace {

constexpr int kSteps = 5;
constexpr double kLossTolerance = 1e-5;
constexpr double kParamTolerance = 1e-4;  // relative 2-norm
constexpr const char* kCommon = "seq=16,lr=1e-3,zero=1";

using ::testing::Ge;

// Plans of 8 sequences per step: degrees, and what else is to vary.
std::vector<std::string> plans_for(std::int64_t world) {
  static const std::map<std::int64_t, std::vector<std::string>> kPlans{
      {2, {"tp=1", "tp=1,accumulation=2,clip=0", "tp=1,clip=0.5,optimizer_overlap=on"}},
      {4,
       {"tp=1,clip=0,optimizer_overlap=on", "tp=2,clip=0.5", "tp=2,sp=on,accumulation=2,clip=0",
        "tp=2,sp=on,optimizer_overlap=on,bucket_mib=0.003", "pp=2,accumulation=2,clip=0.5"}},
      {8,
       {"tp=1", "tp=2,sp=on,accumulation=2,clip=0.5", "tp=4,sp=on,clip=0,optimizer_overlap=on",
        "tp=2,bucket_mib=1000", "pp=2,tp=2,sp=on,accumulation=4,schedule=zb-h1"}}};
  return kPlans.at(world);
}

Plan plan_of(const std::string& text, const Model& model, std::int64_t world) {
  Plan plan = parse_plan(text, parse_plan(std::string("bucket_mib=0.05,") + kCommon));
  plan.dp = world / (plan.tp * plan.pp);
  plan.micro_batch = 8 / (plan.dp * plan.accumulation);
  return resolve(plan, model, world);
}

Model model_of(bool llama, std::int64_t vocab = 1001) {
  Model model = equivalence_model(llama ? ModelFamily::llama : ModelFamily::gpt2, !llama);
  model.vocab = vocab;
  return model;
}

// Removes op `index`, or (`again`) has it done once more right behind.
Program with_fault(const Program& program, std::int32_t index, bool again) {
  Program faulty = program;
  const auto at = faulty.ops.begin() + index;
  if (again) {
    faulty.ops.insert(at, *at);
  } else {
    faulty.ops.erase(at);
  }
  for (Op& op : faulty.ops) {
    std::erase_if(op.deps, [&](std::int32_t dep) { return !again && dep == index; });
    for (std::int32_t& dep : op.deps) {
      if (dep >= index) dep += again ? 1 : -1;
    }
  }
  return faulty;
}

class Zero : public ::testing::Test {
 protected:
  [[nodiscard]] std::unique_ptr<StepRun> run(const Model& model, const Plan& plan) {
    return std::make_unique<StepRun>(*world_, model, plan, world_->rank());
  }
  // One rank on its own in every process.
  [[nodiscard]] std::unique_ptr<StepRun> alone(const Model& model, const Plan& plan) {
    Plan one = plan.on_one_rank();
    one.micro_batch = 8;
    one.accumulation = 1;
    one.optimizer_overlap = OptimizerOverlap::off;
    return std::make_unique<StepRun>(*self_, model, resolve(one, model, 1), 0);
  }

  // Over all parameters of this rank and then over ranks, the largest relative 2-norm of the
  // difference to the same elements of the whole parameters.
  double param_error(const StepState& own, const StepState& whole) {
    float worst = 0;
    for (const Param& param : own.layout().params()) {
      const std::vector<float> got = own.param_values(param);
      const std::vector<float> expected = whole.param_values(whole.layout().find(param.name));
      double error = 0, norm = 0;
      std::size_t next = 0;
      for (const RowRange& range : param.rows) {
        for (std::int64_t row = range.begin; row < range.begin + range.count; ++row) {
          for (std::int64_t col = 0; col < param.cols; ++col, ++next) {
            const double want =
                expected[static_cast<std::size_t>(row * param.global_cols + param.col_begin + col)];
            error += std::pow(double{got[next]} - want, 2);
            norm += want * want;
          }
        }
      }
      worst = std::max(worst, static_cast<float>(std::sqrt(error / norm)));
    }
    world_->all_reduce(&worst, &worst, 1, DType::f32, ReduceOp::max, *stream_);
    stream_->synchronize();
    return worst;
  }

  // Whether all ranks that hold the same parameters hold the same bytes.
  bool replicas_agree(const Plan& plan, const StepState& state) {
    const auto group = world_->split(StepMesh(plan).group(world_->rank(), StepGroup::data).front(),
                                     world_->rank());
    const std::uint64_t own = state.param_digest();
    std::vector<std::uint64_t> all(static_cast<std::size_t>(group->size()));
    group->all_gather(&own, all.data(), sizeof(own), DType::u8, *stream_);
    stream_->synchronize();
    float differ = std::any_of(all.begin(), all.end(), [&](auto d) { return d != own; }) ? 1 : 0;
    world_->all_reduce(&differ, &differ, 1, DType::f32, ReduceOp::max, *stream_);
    stream_->synchronize();
    return differ == 0;
  }

  std::unique_ptr<Comm> world_ = make_mpi_comm();
  std::unique_ptr<Comm> self_ = make_self_comm();
  std::unique_ptr<Device> device_ = make_host_device(1);
  std::unique_ptr<Stream> stream_ = device_->create_stream("test");
};

TEST_F(Zero, LossAndParametersEqualOneRankOverSteps) {
  bool llama = false;
  for (const std::string& text : plans_for(world_->size())) {
    const Model model = model_of(std::exchange(llama, !llama));
    const Plan plan = plan_of(text, model, world_->size());
    SCOPED_TRACE(model.name + " " + to_text(plan));
    const auto one = alone(model, plan);
    const auto steps = run(model, plan);
    for (int i = 0; i < kSteps; ++i) {
      one->step();
      steps->step();
      if (steps->state().has_loss()) {
        EXPECT_NEAR(steps->state().loss() / one->state().loss(), 1.0, kLossTolerance) << i;
      }
      if (!plan.computes_norm()) continue;
      EXPECT_NEAR(steps->state().gradient_norm() / one->state().gradient_norm(), 1.0, 1e-4) << i;
    }
    EXPECT_LT(param_error(steps->state(), one->state()), kParamTolerance);
    EXPECT_TRUE(replicas_agree(plan, steps->state()));
    EXPECT_EQ(steps->state().largest_between(), 0);
  }
}

// With two data-parallel ranks each gradient is a sum of two numbers: scattered or not, the bits
// are the same.
TEST_F(Zero, IsPlainDataParallelismBitForBit) {
  for (const std::int64_t vocab : {1001, 7}) {
    for (const char* text : {"clip=0", "clip=0,precision=bf16", "clip=0,accumulation=2"}) {
      const Model model = model_of(vocab == 7, vocab);
      Plan plan = plan_of(fmt::format("tp={},{}", world_->size() / 2, text), model, world_->size());
      plan.sequence_parallel = plan.tp > 2;
      SCOPED_TRACE(model.name + " " + to_text(plan));
      const auto sharded = run(model, plan);
      plan.zero = 0;
      const auto plain = run(model, plan);
      for (int i = 0; i < kSteps; ++i) {
        sharded->step();
        plain->step();
      }
      EXPECT_EQ(sharded->state().loss(), plain->state().loss());
      for (const Param& param : sharded->state().layout().params()) {
        const Param& same = plain->state().layout().find(param.name);
        EXPECT_EQ(sharded->state().param_values(param), plain->state().param_values(same))
            << param.name;
      }
      EXPECT_EQ(sharded->state().largest_between(), 0);
    }
  }
}

TEST_F(Zero, Bf16LearnsAndReplicasAgree) {
  const Model model = model_of(true);
  const Plan plan = plan_of("tp=1,precision=bf16,lr=3e-3", model, world_->size());
  const auto steps = run(model, plan);
  steps->step();
  const double first = steps->state().loss();
  for (int i = 1; i < 10; ++i) steps->step();
  EXPECT_LT(steps->state().loss(), first - 0.5);
  EXPECT_TRUE(replicas_agree(plan, steps->state()));
  EXPECT_EQ(steps->state().largest_between(), 0);
}

TEST_F(Zero, OptimizerBesideBackwardIsTheSerialOneBitForBit) {
  const auto executor = make_host_executor(*device_);
  for (const char* text :
       {"tp=1,clip=0", "tp=1,clip=0.5,precision=bf16", "tp=2,clip=0,grad_norm=on"}) {
    const Model model = model_of(true);
    if (world_->size() == 2 && text[3] == '2') continue;  // no data-parallel ranks are left
    expect_forms_agree(*executor, *world_, model, plan_of(text, model, world_->size()), text);
  }
}

// What the comparisons are for: a shard that is updated twice, and one that does not reach the
// others.
TEST_F(Zero, PlantedFaultsAreSeen) {
  const Model model = model_of(true);
  const Plan plan = plan_of("tp=1,clip=0", model, world_->size());
  const Program program = step_program(model, plan, world_->rank());
  const auto one = alone(model, plan);
  const auto steps_of = [&](Program faulty) {
    auto steps = std::make_unique<StepRun>(*world_, model, plan, std::move(faulty));
    for (int i = 0; i < 2; ++i) steps->step();
    return steps;
  };
  for (int i = 0; i < 2; ++i) one->step();
  ASSERT_LT(param_error(steps_of(program)->state(), one->state()), kParamTolerance);
  std::int32_t update = 0, gather = 0;
  for (std::int32_t i = 0; i < std::ssize(program.ops); ++i) {
    const Op& op = program.ops[static_cast<std::size_t>(i)];
    if (op.kernel && op.kernel->id == OpId::adamw && update == 0) update = i;
    if (op.comm && op.comm->verb == Verb::all_gather && gather == 0) gather = i;
  }
  const auto twice = steps_of(with_fault(program, update, true));
  EXPECT_THAT(param_error(twice->state(), one->state()), Ge(kParamTolerance));
  const auto stale = steps_of(with_fault(program, gather, false));
  EXPECT_THAT(param_error(stale->state(), one->state()), Ge(kParamTolerance));
  EXPECT_FALSE(replicas_agree(plan, stale->state()));
}

}  // namespace
}  // namespace stepmark
