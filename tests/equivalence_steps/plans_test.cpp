// SPDX-License-Identifier: Apache-2.0
// Every parallel plan that fits the number of ranks at hand computes what one rank computes: loss,
// gradient norm and all gradients, put together from the shards. The global batch is the same 8
// sequences for all plans.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <string>

#include "collectives/mpi/mpi_runtime.h"
#include "tests/equivalence_steps/optimizer_forms.h"
#include "tests/equivalence_steps/step_run.h"

namespace stepmark {
namespace {

constexpr std::int64_t kGlobalBatch = 8;
constexpr double kTolerance = 1e-5;  // 2-norm of the difference over the 2-norm, per tensor

struct Case {
  Model model;
  Plan plan;
  DeviceTraits traits = kHostTraits;
};

Plan plan_of(const std::string& text, const Model& model, std::int64_t world,
             std::int64_t accumulation) {
  Plan plan = parse_plan(text + ",seq=16,bucket_mib=0.05,lr=3e-3");
  plan.accumulation = accumulation;
  plan.dp = world / plan.tp;
  plan.micro_batch = kGlobalBatch / (plan.dp * accumulation);
  return resolve(plan, model, world);
}

// All plans for `world` ranks, on both families.
std::vector<Case> cases(std::int64_t world) {
  static const std::map<std::int64_t, std::vector<std::string>> kPlans{
      {2, {"tp=2", "tp=2,sp=on", "tp=1"}},
      {4, {"tp=4", "tp=4,sp=on", "tp=1", "tp=2", "tp=2,sp=on"}},
      {8, {"tp=8", "tp=8,sp=on", "tp=2", "tp=2,sp=on", "tp=4", "tp=4,sp=on"}}};
  std::vector<Case> result;
  for (const ModelFamily family : {ModelFamily::gpt2, ModelFamily::llama}) {
    const Model model = equivalence_model(family, family == ModelFamily::gpt2);
    for (const std::string& text : kPlans.at(world)) {
      for (const std::int64_t accumulation : {1, 2}) {
        result.push_back({model, plan_of(text, model, world, accumulation)});
        // 128 tokens in two pieces, where a replica has them all.
        if (result.back().plan.micro_batch == kGlobalBatch) result.back().plan.loss_chunks = 2;
      }
    }
  }
  return result;
}

double relative_error(const std::vector<float>& got, const std::vector<float>& expected) {
  double difference = 0;
  double norm = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    difference += std::pow(double{got[i]} - double{expected[i]}, 2);
    norm += std::pow(double{expected[i]}, 2);
  }
  return std::sqrt(difference / norm);
}

// Tensor-parallel plans of models with nothing even about them, on devices that ask for padding.
std::vector<Case> padded_cases(std::int64_t world) {
  static const std::map<std::int64_t, std::vector<std::string>> kPlans{
      {2, {"tp=2"}}, {4, {"tp=4,sp=on", "tp=2"}}, {8, {"tp=4"}}};
  std::vector<Case> result;
  for (const std::int64_t vocab : kOddVocabularies) {
    for (const bool llama : {false, true}) {
      // Tied in one family and not in the other, and the other way around for the next vocabulary.
      const Model model = odd_model(llama ? ModelFamily::llama : ModelFamily::gpt2,
                                    llama == (vocab % 2 == 0), vocab);
      for (const std::string& text : kPlans.at(world)) {
        const DeviceTraits traits{.dimension_multiple = text == "tp=2" ? 8 : 64};
        result.push_back({model, plan_of(text, model, world, 1), traits});
      }
    }
  }
  return result;
}

class Plans : public ::testing::Test {
 protected:
  [[nodiscard]] StepRun run(const Model& model, const Plan& plan,
                            const DeviceTraits& traits = kHostTraits) {
    return StepRun(*world_, model, plan, world_->rank(), traits);
  }
  [[nodiscard]] std::int32_t tp_rank(const Plan& plan) const {
    return step_mesh(plan).coordinate(world_->rank(), "tp");
  }
  [[nodiscard]] std::int32_t dp_rank(const Plan& plan) const {
    return step_mesh(plan).coordinate(world_->rank(), "dp");
  }

  // The whole gradient from all shards, on every rank. Each element comes from exactly one rank, so
  // the sum over ranks is exact.
  std::vector<float> whole_gradient(StepRun& steps, const Plan& plan, const Param& param) {
    std::vector<float> whole(static_cast<std::size_t>(param.global_rows * param.global_cols), 0.0F);
    if (dp_rank(plan) == 0 && (!param.replicated || tp_rank(plan) == 0)) {
      const std::vector<float> local = steps.state().grad_values(param);
      std::size_t next = 0;
      for (const RowRange& range : param.rows) {
        for (std::int64_t row = range.begin; row < range.begin + range.count; ++row) {
          for (std::int64_t col = 0; col < param.cols; ++col) {
            whole[static_cast<std::size_t>(row * param.global_cols + param.col_begin + col)] =
                local[next++];
          }
        }
      }
    }
    world_->all_reduce(whole.data(), whole.data(), whole.size(), DType::f32, ReduceOp::sum,
                       *stream_);
    stream_->synchronize();
    return whole;
  }

  // One step of the plan against `one`, which ran one step of the same model.
  void expect_as_one_rank(StepState& one, const Model& model, const Plan& plan,
                          const DeviceTraits& traits) {
    StepRun steps = run(model, plan, traits);
    steps.step();
    EXPECT_NEAR(steps.state().loss() / one.loss(), 1.0, kTolerance);
    EXPECT_NEAR(steps.state().gradient_norm() / one.gradient_norm(), 1.0, kTolerance);
    std::int64_t padding = 0;
    for (const Param& param : steps.state().layout().params()) {
      const auto whole = whole_gradient(steps, plan, param);
      const auto expected = one.grad_values(one.layout().find(param.name));
      EXPECT_LT(relative_error(whole, expected), kTolerance) << param.name;
      EXPECT_EQ(steps.state().largest_padding(param), 0) << param.name;
      padding += param.stored_elements() - param.elements();
    }
    EXPECT_EQ(padding > 0, traits.dimension_multiple > 1);
  }

  // Whether `bytes` are the same on all ranks of equal color.
  bool same_on(int color, const std::vector<std::byte>& bytes) {
    const auto group = world_->split(color, world_->rank());
    std::vector<std::byte> all(bytes.size() * static_cast<std::size_t>(group->size()));
    group->all_gather(bytes.data(), all.data(), bytes.size(), DType::u8, *stream_);
    stream_->synchronize();
    for (std::size_t i = 0; i < all.size(); ++i) {
      if (all[i] != bytes[i % bytes.size()]) return false;
    }
    return true;
  }

  std::unique_ptr<Comm> world_ = make_mpi_comm();
  std::unique_ptr<Device> device_ = make_host_device(1);
  std::unique_ptr<Stream> stream_ = device_->create_stream("test");
};

// One rank computes on its own in every process: the reference needs no communication.
struct Reference {
  explicit Reference(const Model& model)
      : run(*self, model, resolve(parse_plan("micro_batch=8,seq=16"), model, 1), 0) {
    run.step();
  }
  std::unique_ptr<Comm> self = make_self_comm();
  StepRun run;
};

TEST_F(Plans, LossAndGradientsEqualOneRank) {
  std::map<std::string, std::unique_ptr<Reference>> references;
  for (const auto& [model, plan, traits] : cases(world_->size())) {
    SCOPED_TRACE(model.name + " " + to_text(plan));
    auto& reference = references[model.name];
    if (!reference) reference = std::make_unique<Reference>(model);
    expect_as_one_rank(reference->run.state(), model, plan, traits);
  }
}

// The reference is not padded.
TEST_F(Plans, PaddedLossAndGradientsEqualOneRank) {
  for (const auto& [model, plan, traits] : padded_cases(world_->size())) {
    SCOPED_TRACE(fmt::format("{} vocab={} multiple={} {}", model.name, model.vocab,
                             traits.dimension_multiple, to_text(plan)));
    Reference reference(model);
    expect_as_one_rank(reference.run.state(), model, plan, traits);
  }
}

TEST_F(Plans, ReplicasStayBitIdenticalOverSteps) {
  for (const auto& [model, plan, traits] : cases(world_->size())) {
    SCOPED_TRACE(model.name + " " + to_text(plan));
    StepRun steps = run(model, plan, traits);
    for (int i = 0; i < 3; ++i) steps.step();
    const std::vector<std::byte> params = steps.state().param_bytes();
    EXPECT_TRUE(same_on(tp_rank(plan), params)) << "between data-parallel ranks";
    std::vector<std::byte> replicated;
    for (const ParamSection& section : steps.state().layout().sections()) {
      if (!section.replicated) continue;
      const auto begin = params.begin() + section.offset * std::int64_t{sizeof(float)};
      replicated.insert(replicated.end(), begin,
                        begin + section.elements * std::int64_t{sizeof(float)});
    }
    ASSERT_FALSE(replicated.empty());
    EXPECT_TRUE(same_on(dp_rank(plan), replicated)) << "between tensor-parallel ranks";
  }
}

TEST_F(Plans, OptimizerBesideBackwardIsTheSerialOneBitForBit) {
  const std::vector<std::string> optimizers{"clip=0", "clip=0.5", "clip=0,grad_norm=on"};
  std::size_t turn = 0;
  for (const auto& [model, plan, traits] : cases(world_->size())) {
    const auto device = make_host_device(1, traits);
    const auto executor = make_host_executor(*device);
    const bool narrow = plan.accumulation > 1;
    expect_forms_agree(*executor, *world_, model, plan,
                       optimizers[turn++ % optimizers.size()] + (narrow ? ",precision=bf16" : ""));
  }
}

TEST_F(Plans, LearnsAsOneRankDoes) {
  if (world_->size() != 4) GTEST_SKIP() << "tp=2 x dp=2 needs 4 ranks";
  for (const ModelFamily family : {ModelFamily::gpt2, ModelFamily::llama}) {
    const Model model = equivalence_model(family, family == ModelFamily::gpt2);
    const auto self = make_self_comm();
    StepRun one(*self, model, resolve(parse_plan("micro_batch=8,seq=16,lr=3e-3"), model, 1), 0);
    StepRun four = run(model, plan_of("tp=2", model, 4, 1));
    double first = 0;
    for (int i = 0; i < 20; ++i) {
      one.step();
      four.step();
      if (i == 0) first = four.state().loss();
      // Rounding differs between plans and grows from step to step.
      EXPECT_NEAR(four.state().loss(), one.state().loss(), 1e-3) << model.name << " step " << i;
    }
    EXPECT_LT(four.state().loss(), first - 1.0) << model.name;
  }
}

TEST_F(Plans, Bf16StaysNearFp32AndLearns) {
  for (const ModelFamily family : {ModelFamily::gpt2, ModelFamily::llama}) {
    const Model model = equivalence_model(family, family == ModelFamily::gpt2);
    const Plan plan = plan_of("tp=2,sp=on,precision=bf16", model, world_->size(), 1);
    const auto self = make_self_comm();
    StepRun one(*self, model, resolve(parse_plan("micro_batch=8,seq=16"), model, 1), 0);
    one.step();
    StepRun steps = run(model, plan);
    steps.step();
    const double first = steps.state().loss();
    EXPECT_NEAR(first, one.state().loss(), 2e-2) << model.name;
    for (int i = 1; i < 10; ++i) steps.step();
    EXPECT_LT(steps.state().loss(), first - 0.5) << model.name;
    EXPECT_TRUE(same_on(tp_rank(plan), steps.state().param_bytes()));
  }
}

}  // namespace
}  // namespace stepmark
