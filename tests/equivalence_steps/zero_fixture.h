// SPDX-License-Identifier: Apache-2.0
// Steps under a plan and of one rank alone in every process, and how far they are apart: the loop
// over steps that tests of sharded and of mixed plans share.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "collectives/mpi/mpi_runtime.h"
#include "tests/equivalence_steps/step_run.h"

namespace stepmark {

inline constexpr int kSteps = 5;
inline constexpr double kLossTolerance = 1e-5;
inline constexpr double kNormTolerance = 1e-4;
inline constexpr double kGradientTolerance = 1e-5;  // relative 2-norm, per parameter
inline constexpr double kParamTolerance = 1e-4;     // the same, after kSteps steps

inline Model model_of(bool llama, std::int64_t vocab = 1001) {
  Model model = equivalence_model(llama ? ModelFamily::llama : ModelFamily::gpt2, !llama);
  model.vocab = vocab;
  return model;
}

// Values of whole parameters, or of their gradients, by name.
using WholeValues = std::map<std::string, std::vector<float>>;
inline WholeValues whole_params(const StepState& whole) {
  WholeValues values;
  for (const Param& param : whole.layout().params()) {
    values[param.name] = whole.param_values(param);
  }
  return values;
}
inline WholeValues whole_gradients(const StepState& whole) {
  WholeValues values;
  for (const Param& param : whole.layout().params()) {
    values[param.name] = whole.grad_values(param);
  }
  return values;
}

// What one rank computes in kSteps steps.
struct OneRankSteps {
  std::vector<double> losses, norms;  // by step
  WholeValues gradients;              // of the first
  WholeValues params;                 // after the last
};

class ZeroFixture : public ::testing::Test {
 protected:
  [[nodiscard]] std::unique_ptr<StepRun> run(const Model& model, const Plan& plan) {
    return std::make_unique<StepRun>(*world_, model, plan, world_->rank());
  }
  // One rank on its own in every process.
  [[nodiscard]] std::unique_ptr<StepRun> alone(const Model& model, const Plan& plan) {
    return std::make_unique<StepRun>(*self_, model, plan_alone(model, plan), 0);
  }
  [[nodiscard]] static Plan plan_alone(const Model& model, const Plan& plan) {
    Plan one = plan.on_one_rank();
    one.micro_batch = plan.global_batch();
    one.accumulation = 1;
    one.bucket_mib = Plan().bucket_mib;
    one.loss_chunks = 0;
    one.optimizer_overlap = OptimizerOverlap::off;
    return resolve(one, model, 1);
  }
  // What `alone` computes, once for all plans of the same work.
  [[nodiscard]] const OneRankSteps& steps_alone(const Model& model, const Plan& plan) {
    const std::string work = model.name + (model.tied_embeddings ? " tied " : " ") +
                             std::to_string(model.layers) + " " + std::to_string(model.vocab) +
                             " " + to_text(plan_alone(model, plan));
    const auto [found, fresh] = steps_alone_.try_emplace(work);
    OneRankSteps& steps = found->second;
    if (!fresh) return steps;
    const auto one = alone(model, plan);
    for (int i = 0; i < kSteps; ++i) {
      one->step();
      steps.losses.push_back(one->state().loss());
      steps.norms.push_back(one->state().gradient_norm());
      if (i == 0) steps.gradients = whole_gradients(one->state());
    }
    steps.params = whole_params(one->state());
    return steps;
  }

  // Steps under the plan against those of one rank: loss and gradient norm of each, the gradients
  // of the first, the parameters that the last one leaves. Collective.
  void expect_equals_one_rank(const Model& model, const Plan& plan) {
    const OneRankSteps& one = steps_alone(model, plan);
    const auto steps = run(model, plan);
    const StepState& state = steps->state();
    for (std::size_t i = 0; i < kSteps; ++i) {
      steps->step();
      if (state.has_loss()) {
        EXPECT_NEAR(state.loss() / one.losses[i], 1.0, kLossTolerance) << i;
      }
      if (plan.computes_norm()) {
        EXPECT_NEAR(state.gradient_norm() / one.norms[i], 1.0, kNormTolerance) << i;
      }
      if (i == 0) {
        EXPECT_LT(gradient_error(state, one.gradients), kGradientTolerance);
      }
    }
    EXPECT_LT(param_error(state, one.params), kParamTolerance);
    EXPECT_TRUE(replicas_agree(state));
    EXPECT_EQ(state.largest_between(), 0);
  }

  // Over all parameters of this rank and then over ranks, the largest relative 2-norm of the
  // difference to the same elements of the whole parameters; where a step leaves shards, of those.
  double param_error(const StepState& own, const StepState& whole) {
    return param_error(own, whole_params(whole));
  }
  double param_error(const StepState& own, const WholeValues& whole) {
    float worst = 0;
    for (const Param& param : own.layout().params()) {
      const std::vector<float>& expected = whole.at(param.name);
      const std::vector<bool> known =
          own.whole_after_step()
              ? std::vector<bool>(static_cast<std::size_t>(param.elements()), true)
              : own.updated_here(param);
      worst = std::max(worst, error_of(param, own.param_values(param), known, expected));
    }
    return largest(worst);
  }
  // The same of gradients, of what each rank updates.
  double gradient_error(const StepState& own, const StepState& whole) {
    return gradient_error(own, whole_gradients(whole));
  }
  double gradient_error(const StepState& own, const WholeValues& whole) {
    float worst = 0;
    for (const Param& param : own.layout().params()) {
      const std::vector<float>& expected = whole.at(param.name);
      // Of the whole difference a rank sees a part: at most as if each had as much.
      const auto ways = static_cast<float>(own.layout().state().ways);
      worst = std::max(worst, std::sqrt(ways) * error_of(param, own.grad_values(param),
                                                         own.updated_here(param), expected));
    }
    return largest(worst);
  }
  // Over the elements that are known, relative to all.
  static float error_of(const Param& param, const std::vector<float>& got,
                        const std::vector<bool>& known, const std::vector<float>& expected) {
    double error = 0, norm = 0;
    std::size_t next = 0;
    for (const RowRange& range : param.rows) {
      for (std::int64_t row = range.begin; row < range.begin + range.count; ++row) {
        for (std::int64_t col = 0; col < param.cols; ++col, ++next) {
          const double want =
              expected[static_cast<std::size_t>(row * param.global_cols + param.col_begin + col)];
          if (known[next]) error += std::pow(double{got[next]} - want, 2);
          norm += want * want;
        }
      }
    }
    return static_cast<float>(std::sqrt(error / norm));
  }
  double largest(float worst) {
    world_->all_reduce(&worst, &worst, 1, DType::f32, ReduceOp::max, *stream_);
    stream_->synchronize();
    return worst;
  }

  // Whether all ranks that hold the same parameters hold the same bytes.
  bool replicas_agree(const StepState& state) {
    const auto group = world_->split(state.replicas(world_->rank()).front(), world_->rank());
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
  std::map<std::string, OneRankSteps> steps_alone_;  // by work
};

}  // namespace stepmark
