// SPDX-License-Identifier: Apache-2.0
// Steps of one rank: the model learns, accumulation is the same as a larger micro-batch, and
// numbers do not depend on when or how often a state is initialised.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "core/error.h"
#include "tests/equivalence_steps/optimizer_forms.h"
#include "tests/equivalence_steps/step_run.h"

namespace stepmark {
namespace {

class OneRank : public ::testing::TestWithParam<ModelFamily> {
 protected:
  [[nodiscard]] StepRun run(std::string_view plan) {
    return StepRun(*self_, model_, resolve(parse_plan(plan), model_, 1), 0);
  }
  Model model_ = equivalence_model(GetParam(), GetParam() == ModelFamily::gpt2);
  std::unique_ptr<Comm> self_ = make_self_comm();
};

TEST_P(OneRank, StartsAtTheEntropyOfTheVocabularyAndLearns) {
  for (const char* precision : {"precision=fp32", "precision=bf16"}) {
    StepRun steps = run(std::string("micro_batch=4,seq=16,lr=3e-3,") + precision);
    std::vector<double> losses;
    for (int i = 0; i < 20; ++i) {
      steps.step();
      losses.push_back(steps.state().loss());
    }
    EXPECT_NEAR(losses.front(), std::log(1001.0), 0.1) << precision;
    EXPECT_LT(losses.back(), losses.front() - 1.0) << precision;
    for (std::size_t i = 1; i < losses.size(); ++i) EXPECT_LT(losses[i], losses[i - 1]) << i;
  }
}

TEST_P(OneRank, Bf16StaysNearFp32) {
  StepRun narrow = run("micro_batch=4,seq=16,precision=bf16");
  StepRun wide = run("micro_batch=4,seq=16");
  narrow.step();
  wide.step();
  EXPECT_NEAR(narrow.state().loss(), wide.state().loss(), 2e-2);
  EXPECT_NEAR(narrow.state().gradient_norm() / wide.state().gradient_norm(), 1.0, 5e-2);
}

TEST_P(OneRank, RepeatsBitForBit) {
  StepRun a = run("micro_batch=2,seq=16");
  StepRun b = run("micro_batch=2,seq=16");
  for (int i = 0; i < 3; ++i) a.step();
  for (int i = 0; i < 5; ++i) b.step();
  EXPECT_NE(a.state().param_bytes(), b.state().param_bytes());
  b.state().initialise();
  for (int i = 0; i < 3; ++i) b.step();
  EXPECT_EQ(a.state().param_bytes(), b.state().param_bytes());
  EXPECT_EQ(a.state().loss(), b.state().loss());
}

// Pieces of logits change the order in which losses and gradients are added up, and nothing else.
TEST_P(OneRank, PiecesOfLogitsGiveWhatOneGives) {
  for (const char* text : {"micro_batch=12,seq=16", "micro_batch=12,seq=16,accumulation=2"}) {
    SCOPED_TRACE(text);
    StepRun whole = run(std::string(text) + ",loss_chunks=1");
    StepRun pieces = run(std::string(text) + ",loss_chunks=2");  // of 128 and 64 tokens
    for (int i = 0; i < 3; ++i) {
      whole.step();
      pieces.step();
      EXPECT_NEAR(pieces.state().loss() / whole.state().loss(), 1.0, 1e-6);
      EXPECT_NEAR(pieces.state().gradient_norm() / whole.state().gradient_norm(), 1.0, 1e-5);
    }
  }
}

TEST_P(OneRank, JoinedKernelsComputeWhatTheyDoApart) {
  for (const char* text :
       {"micro_batch=2,seq=16,accumulation=2", "micro_batch=4,seq=16,precision=bf16"}) {
    SCOPED_TRACE(text);
    const Plan plan = resolve(parse_plan(text), model_, 1);
    const Program apart = unfused_step_program(model_, plan, 0);
    ASSERT_GT(apart.ops.size(), step_program(model_, plan, 0).ops.size());
    StepRun one(*self_, model_, plan, 0);
    StepRun other(*self_, model_, plan, apart);
    for (int i = 0; i < 3; ++i) {
      one.step();
      other.step();
      EXPECT_NEAR(one.state().loss() / other.state().loss(), 1.0, 1e-5);
      for (const Param& param : one.state().layout().params()) {
        const std::vector<float> got = one.state().grad_values(param);
        const std::vector<float> want = other.state().grad_values(param);
        double difference = 0;
        double norm = 0;
        for (std::size_t k = 0; k < want.size(); ++k) {
          difference += std::pow(double{got[k]} - double{want[k]}, 2);
          norm += std::pow(double{want[k]}, 2);
        }
        EXPECT_GT(norm, 0.0) << param.name;
        EXPECT_LE(std::sqrt(difference / norm), 1e-5) << param.name << " in step " << i;
      }
    }
  }
}

TEST_P(OneRank, ClipScalesTheUpdateAndNotTheReportedNorm) {
  StepRun free = run("micro_batch=2,seq=16,clip=0,grad_norm=on");
  StepRun clipped = run("micro_batch=2,seq=16,clip=0.001");
  free.step();
  clipped.step();
  EXPECT_EQ(free.state().gradient_norm(), clipped.state().gradient_norm());
  EXPECT_GT(free.state().gradient_norm(), 0.1);
}

TEST_P(OneRank, NoNormIsComputedThatNothingUses) {
  StepRun with = run("micro_batch=2,seq=16,clip=0,grad_norm=on");
  StepRun without = run("micro_batch=2,seq=16,clip=0");
  for (const Op& op : without.runnable().program().ops) {
    ASSERT_NE(op.kernel->id, OpId::sum_squares) << op.label;
    ASSERT_NE(op.kernel->id, OpId::clip_scale) << op.label;
  }
  for (int i = 0; i < 2; ++i) {
    with.step();
    without.step();
    EXPECT_EQ(with.state().param_bytes(), without.state().param_bytes());
  }
  EXPECT_GT(with.state().gradient_norm(), 0.1);
  EXPECT_TRUE(std::isnan(without.state().gradient_norm()));
}

TEST_P(OneRank, OptimizerBesideBackwardIsTheSerialOneBitForBit) {
  const auto device = make_host_device(2);
  const auto executor = make_host_executor(*device);
  for (const char* text : {"accumulation=1", "accumulation=3,precision=bf16"}) {
    const Plan plan = resolve(
        parse_plan(std::string("micro_batch=2,seq=16,bucket_mib=0.05,lr=3e-3,") + text), model_, 1);
    for (const char* optimizer : {"clip=0", "clip=0,grad_norm=on", "clip=0.5"}) {
      expect_forms_agree(*executor, *self_, model_, plan, optimizer);
    }
  }
}

// Both forms may use one set of buffers in turns, as a run does that tries which is faster.
TEST_P(OneRank, FormsTakeTurnsOnTheSameBuffers) {
  Plan plan = resolve(parse_plan("micro_batch=2,seq=16,bucket_mib=0.05,clip=0"), model_, 1);
  StepRun all_serial(*self_, model_, plan, 0);
  StepRun turns(*self_, model_, plan, 0);
  plan.optimizer_overlap = OptimizerOverlap::on;
  const Program program = with_epsilon(step_program(model_, plan, 0), kWellConditioned);
  const auto executor = make_host_executor(turns.device());
  const auto comms = make_comm_set(*self_, program);
  const auto beside =
      executor->prepare(program, *comms, {.reuse = true, .buffers_of = &turns.runnable()});
  EXPECT_EQ(beside->buffer(2), turns.runnable().buffer(2));
  turns.state().initialise();
  for (int i = 0; i < 4; ++i) {
    all_serial.step();
    i % 2 == 0 ? beside->run() : turns.step();
    ASSERT_EQ(all_serial.state().param_bytes(), turns.state().param_bytes()) << i;
  }
  Program other = program;
  other.buffers.pop_back();
  other.ops.clear();
  EXPECT_THROW((void)executor->prepare(other, *comms, {.buffers_of = &turns.runnable()}), Error);
}

// Buffers that share memory change no number, whatever lies in them before.
TEST_P(OneRank, MemoryThatIsUsedAgainChangesNothing) {
  for (const char* text : {"accumulation=1", "accumulation=3,precision=bf16,loss_chunks=2"}) {
    const Plan plan = resolve(parse_plan(std::string("micro_batch=4,seq=16,") + text), model_, 1);
    const Program program = step_program(model_, plan, 0);
    StepRun apart(*self_, model_, plan, program, kHostTraits, {});
    StepRun together(*self_, model_, plan, program);
    EXPECT_LT(together.runnable().arena()->bytes(), apart.runnable().arena()->bytes());
    // Not a number, in every place that has no meaning yet.
    for (std::int32_t b = 0; b < std::ssize(program.buffers); ++b) {
      const BufferDecl& buffer = program.buffers[static_cast<std::size_t>(b)];
      if (buffer.kind != BufferKind::activation && buffer.kind != BufferKind::workspace) continue;
      const std::vector<std::byte> ones(
          static_cast<std::size_t>(buffer.elements) * size_of(buffer.dtype), std::byte{0xff});
      together.device().copy_to_device(together.runnable().buffer(b), ones.data(), ones.size());
    }
    for (int i = 0; i < 3; ++i) {
      apart.step();
      together.step();
      ASSERT_EQ(apart.state().param_bytes(), together.state().param_bytes()) << text << " " << i;
    }
  }
}

// GPipe on one stage adds up the same gradients in the same order as plain accumulation, with
// every micro-batch in flight.
TEST_P(OneRank, AnotherScheduleIsTheSameStep) {
  const Plan plan = resolve(parse_plan("micro_batch=2,seq=16,accumulation=3"), model_, 1);
  const auto slots = slots_of(find_schedule("gpipe"), {.micro_batches = 3});
  const Program all_in_flight = unfused_step_program(model_, plan, 0, kHostTraits, slots);
  EXPECT_GE(all_in_flight.buffer_index("set2.layer0.up"), 0);
  EXPECT_LT(all_in_flight.buffer_index("set3.layer0.up"), 0);
  StepRun gpipe(*self_, model_, plan, all_in_flight);
  StepRun plain(*self_, model_, plan, unfused_step_program(model_, plan, 0));
  EXPECT_GT(gpipe.runnable().arena()->bytes(), plain.runnable().arena()->bytes());
  for (int i = 0; i < 3; ++i) {
    gpipe.step();
    plain.step();
    ASSERT_EQ(gpipe.state().loss(), plain.state().loss());
    ASSERT_EQ(gpipe.state().param_bytes(), plain.state().param_bytes()) << i;
  }
  // A split backward pass adds the branches' gradients in an op of their own.
  const auto slots_apart =
      slots_of(find_schedule("zb-h1"), {.stage = 1, .stages = 2, .micro_batches = 3});
  StepRun split(*self_, model_, plan,
                unfused_step_program(model_, plan, 0, kHostTraits, slots_apart));
  StepRun whole(*self_, model_, plan, unfused_step_program(model_, plan, 0));
  for (int i = 0; i < 3; ++i) {
    split.step();
    whole.step();
    EXPECT_NEAR(split.state().loss() / whole.state().loss(), 1.0, 1e-6);
    EXPECT_NEAR(split.state().gradient_norm() / whole.state().gradient_norm(), 1.0, 1e-5);
  }
}

// What is computed again is what was there.
TEST_P(OneRank, RecomputationIsTheSameStepBitForBitInLessMemory) {
  for (const char* text :
       {"micro_batch=4,seq=16,accumulation=2", "micro_batch=4,seq=16,precision=bf16"}) {
    const Plan plan = resolve(parse_plan(text), model_, 1);
    StepRun kept(*self_, model_, plan, 0);
    for (int i = 0; i < 3; ++i) kept.step();
    for (const char* kind : {"selective", "full"}) {
      StepRun again(*self_, model_, parse_plan(std::string("recompute=") + kind, plan), 0);
      EXPECT_LT(again.runnable().arena()->bytes(), kept.runnable().arena()->bytes());
      for (int i = 0; i < 3; ++i) again.step();
      EXPECT_EQ(again.state().loss(), kept.state().loss());
      EXPECT_EQ(again.state().param_bytes(), kept.state().param_bytes()) << kind << " " << text;
    }
  }
}

TEST(StepState, RefusesAProgramOfAnotherPlan) {
  const Model model = equivalence_model(ModelFamily::gpt2, true);
  const auto self = make_self_comm();
  const Plan plan = resolve(parse_plan("micro_batch=2,seq=16"), model, 1);
  StepRun run(*self, model, plan, 0);
  Plan other = plan;
  other.precision = DType::bf16;
  EXPECT_THROW(StepState(run.runnable(), run.device(), model, other, 1), Error);
  EXPECT_THROW((void)run.state().layout().find("no such"), Error);
}

INSTANTIATE_TEST_SUITE_P(Families, OneRank,
                         ::testing::Values(ModelFamily::gpt2, ModelFamily::llama),
                         [](const auto& param_info) {
                           return param_info.param == ModelFamily::gpt2 ? "gpt2" : "llama";
                         });

}  // namespace
}  // namespace stepmark
