// SPDX-License-Identifier: Apache-2.0
// Step programs of both families under many plans: valid across ranks, text that reads back.
#include "harness/program/step.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "harness/program/text.h"
#include "harness/program/validate.h"
#include "harness/spec/workload.h"
#include "tests/unit/program/models.h"

namespace stepmark {
namespace {

using ::testing::IsEmpty;

std::vector<Plan> plans(const Model& model) {
  std::vector<Plan> result;
  for (const std::int64_t tp : {1, 2, 4, 8}) {
    for (const std::int64_t dp : {1, 2, 4}) {
      for (const bool sp : {false, true}) {
        if (sp && tp == 1) continue;
        for (const std::int64_t accumulation : {1, 2}) {
          for (const DType precision : {DType::f32, DType::bf16}) {
            Plan plan;
            plan.tp = tp;
            plan.dp = dp;
            plan.sequence_parallel = sp;
            plan.accumulation = accumulation;
            plan.precision = precision;
            plan.micro_batch = 2;
            plan.bucket_mib = 0.02;
            plan.optimizer_overlap = dp > 1 ? OptimizerOverlap::on : OptimizerOverlap::automatic;
            plan.clip = accumulation > 1 ? 1.0 : 0.0;
            result.push_back(resolve(plan, model, tp * dp));
          }
        }
      }
    }
  }
  return result;
}

TEST(StepProgram, IsValidUnderEveryPlanAndReadsBackFromText) {
  for (const Model& model : {small_gpt2(), small_llama()}) {
    for (const Plan& plan : plans(model)) {
      const std::vector<Program> programs = all_ranks(model, plan);
      ASSERT_THAT(problems(programs), IsEmpty()) << model.name << " " << to_text(plan);
      const std::string text = to_text(programs.back());
      ASSERT_EQ(parse_program(text), programs.back()) << model.name << " " << to_text(plan);
    }
  }
}

TEST(StepProgram, OfShippedTinyWorkloadsIsValid) {
  for (const char* name : {"tiny", "tiny-llama"}) {
    const Workload workload =
        read_workload(fmt::format("{}/workloads/{}.yaml", STEPMARK_CONFIGS, name));
    for (Plan plan : plans(workload.model)) {
      plan.micro_batch = workload.plan.micro_batch;
      plan.seq = workload.plan.seq;
      ASSERT_THAT(problems(all_ranks(workload.model, plan)), IsEmpty()) << name << to_text(plan);
    }
  }
}

TEST(StepProgram, TiedAndUntiedHeadsAreValidInBothFamilies) {
  for (Model model : {small_gpt2(), small_llama()}) {
    model.tied_embeddings = !model.tied_embeddings;
    const Plan plan = resolve(parse_plan("tp=2,dp=2,sp=on,micro_batch=2"), model, 4);
    EXPECT_THAT(problems(all_ranks(model, plan)), IsEmpty()) << model.name;
  }
}

TEST(StepProgram, OneRankHasOneStreamAndNoCommunication) {
  const Model model = small_gpt2();
  const Program program = step_program(model, resolve(Plan{}, model, 1), 0);
  EXPECT_THAT(program.streams, ::testing::ElementsAre("compute"));
  EXPECT_THAT(program.groups, IsEmpty());
  for (const Op& op : program.ops) EXPECT_THAT(op.deps, IsEmpty());
}

// Gradients travel while earlier layers still compute: what data parallelism is measured for.
TEST(StepProgram, GradientBucketsOverlapBackward) {
  const Model model = small_gpt2();
  Plan plan = resolve(parse_plan("dp=2,bucket_mib=0.01"), model, 2);
  const Program program = step_program(model, plan, 0);
  std::size_t first_bucket = program.ops.size();
  std::size_t last_backward = 0;
  for (std::size_t i = 0; i < program.ops.size(); ++i) {
    if (program.ops[i].comm) first_bucket = std::min(first_bucket, i);
    if (program.ops[i].phase == Phase::backward) last_backward = i;
  }
  EXPECT_LT(first_bucket + 15, last_backward);
  // And none of the backward ops in between waits for it.
  for (std::size_t i = first_bucket; i <= last_backward; ++i) {
    if (!program.ops[i].kernel) continue;
    EXPECT_THAT(program.ops[i].deps, IsEmpty()) << program.ops[i].label;
  }
}

std::vector<OpShape> kernels_of(const Program& program, OpId id) {
  std::vector<OpShape> found;
  for (const Op& op : program.ops) {
    if (op.kernel && op.kernel->id == id) found.push_back(*op.kernel);
  }
  return found;
}

TEST(StepProgram, OneRankReadsItsLogitsOnce) {
  const Model model = small_gpt2();
  const Program alone = step_program(model, resolve(Plan{}, model, 1), 0);
  EXPECT_EQ(kernels_of(alone, OpId::ce_fwd_bwd).size(), 1U);
  for (const OpId id : {OpId::ce_max, OpId::ce_sum, OpId::ce_bwd}) {
    EXPECT_THAT(kernels_of(alone, id), IsEmpty());
  }
  const Program sharded = step_program(model, resolve(parse_plan("tp=2"), model, 2), 0);
  EXPECT_THAT(kernels_of(sharded, OpId::ce_fwd_bwd), IsEmpty());
  EXPECT_EQ(kernels_of(sharded, OpId::ce_bwd).size(), 1U);
}

// The head's memory falls to a piece's, and nothing else changes but ops per piece.
TEST(StepProgram, LogitsComeInPieces) {
  const Model model = small_gpt2();
  for (const char* text : {"micro_batch=16,seq=16", "micro_batch=16,seq=16,tp=2,sp=on"}) {
    SCOPED_TRACE(text);
    const Plan whole = parse_plan(text);
    const Plan pieces = resolve(parse_plan("loss_chunks=4", whole), model, whole.tp);
    ASSERT_EQ(pieces.loss_tokens(), 64);
    const auto one = all_ranks(model, resolve(whole, model, whole.tp));
    const auto four = all_ranks(model, pieces);
    ASSERT_THAT(problems(four), IsEmpty());
    const auto logits = [](const Program& program) {
      return program.buffers[static_cast<std::size_t>(program.buffer_index("logits"))].elements;
    };
    EXPECT_EQ(4 * logits(four[0]), logits(one[0]));
    EXPECT_LE(
        memory_bytes(four[0]),
        memory_bytes(one[0]) - 3 * logits(four[0]) * static_cast<std::int64_t>(sizeof(float)));
    const OpId loss = whole.tp > 1 ? OpId::ce_bwd : OpId::ce_fwd_bwd;
    const auto parts = kernels_of(four[0], loss);
    ASSERT_EQ(parts.size(), 4U);
    for (std::size_t i = 0; i < 4; ++i) EXPECT_EQ(dim_of(parts[i], "accumulate"), i > 0 ? 1 : 0);
  }
}

TEST(Plan, PiecesOfLogitsAreFewAndCoverAllTokens) {
  const auto tokens = [](const char* text) { return parse_plan(text).loss_tokens(); };
  EXPECT_EQ(tokens("micro_batch=8,seq=1024"), 8192) << "one piece";
  EXPECT_EQ(tokens("micro_batch=3,seq=8192"), 8192);
  EXPECT_EQ(tokens("micro_batch=9,seq=1024"), 4608) << "two alike";
  EXPECT_EQ(tokens("micro_batch=3,seq=8192,loss_chunks=1"), 24576);
  EXPECT_EQ(tokens("micro_batch=1,seq=100,loss_chunks=3"), 64) << "whole rows of GEMMs";
  EXPECT_EQ(tokens("micro_batch=1,seq=16"), 16);
}

// Gradients of weights are written by the first micro-step, not zeroed and added to.
TEST(StepProgram, FirstGradientsAreWrittenNotAddedTo) {
  const Model model = small_gpt2();
  for (const char* text : {"micro_batch=8,seq=16", "micro_batch=8,seq=16,accumulation=2",
                           "micro_batch=8,seq=16,loss_chunks=2"}) {
    const Program program = step_program(model, resolve(parse_plan(text), model, 1), 0);
    std::set<std::pair<std::int64_t, std::int64_t>> written;  // slices of the gradient buffer
    const std::int32_t grads = program.buffer_index(kGradBuffer);
    for (const Op& op : program.ops) {
      if (!op.kernel) continue;
      EXPECT_NE(op.kernel->id, OpId::zero);
      for (std::size_t i = 0; i < op.operands.size(); ++i) {
        const BufferSlice& slice = op.operands[i];
        if (slice.buffer != grads || access_of(*op.kernel, i) == Access::in) continue;
        const bool first = written.emplace(slice.offset, slice.elements).second;
        // The table's gradient as an embedding is added to that as a head.
        EXPECT_EQ(access_of(*op.kernel, i), first ? Access::out : Access::inout) << op.label;
      }
    }
    EXPECT_GT(written.size(), 10U);
  }
}

std::size_t last_of(const Program& program, Phase phase) {
  std::size_t last = 0;
  for (std::size_t i = 0; i < program.ops.size(); ++i) {
    if (program.ops[i].phase == phase) last = i;
  }
  return last;
}

// Updates go on while earlier layers still compute, wait for their own reduction alone, and no
// backward op waits for them.
TEST(StepProgram, OptimizerRunsBesideBackward) {
  const Model model = small_gpt2();
  for (const char* text : {"", "dp=2,"}) {
    const Plan base = parse_plan(std::string(text) + "bucket_mib=0.01,clip=0,optimizer_overlap=on");
    const Plan plan = resolve(base, model, std::max<std::int64_t>(1, base.dp));
    const Program program = step_program(model, plan, 0);
    ASSERT_TRUE(optimizer_beside_backward(program));
    EXPECT_EQ(program.streams.front(), "compute");
    const std::size_t backward_end = last_of(program, Phase::backward);
    std::int64_t early = 0;
    std::int64_t updated = 0;
    for (std::size_t i = 0; i < program.ops.size(); ++i) {
      const Op& op = program.ops[i];
      if (op.phase == Phase::backward) {
        EXPECT_THAT(op.deps, IsEmpty()) << op.label;
      }
      if (!op.kernel || op.kernel->id != OpId::adamw) continue;
      EXPECT_EQ(dim_of(*op.kernel, "unscaled"), 1);
      const std::int64_t elements = dim_of(*op.kernel, "elements");
      updated += elements;
      const std::string& stream = program.streams[static_cast<std::size_t>(op.stream)];
      EXPECT_EQ(stream, i < backward_end ? "optimizer-low" : "compute") << op.label;
      if (i < backward_end) early += elements;
    }
    const std::int64_t all = ParamLayout(model, plan, 0).elements();
    EXPECT_EQ(updated, all);
    EXPECT_GT(early * 3, all) << text;  // the embedding's share is final in the end
  }
}

// With clipping nothing can be updated before the norm is known; its parts are added beside the
// backward pass, and then the scale is next.
TEST(StepProgram, NormIsAddedUpBesideBackward) {
  const Model model = small_gpt2();
  const Plan plan =
      resolve(parse_plan("dp=2,bucket_mib=0.01,clip=1,optimizer_overlap=on"), model, 2);
  const Program program = step_program(model, plan, 0);
  const std::size_t backward_end = last_of(program, Phase::backward);
  std::int64_t early = 0;
  std::size_t clip = 0;
  for (std::size_t i = 0; i < program.ops.size(); ++i) {
    const Op& op = program.ops[i];
    if (!op.kernel) continue;
    if (op.kernel->id == OpId::sum_squares && i < backward_end) ++early;
    if (op.kernel->id == OpId::clip_scale) clip = i;
    if (op.kernel->id == OpId::adamw) {
      EXPECT_EQ(dim_of(*op.kernel, "unscaled"), 0);
      EXPECT_GT(clip, backward_end);
    }
  }
  EXPECT_GT(early, 3);
}

// Both forms add the same parts of the norm in the same order: rounding may not differ.
TEST(StepProgram, FormsOfTheOptimizerDoTheSameWork) {
  for (const Model& model : {small_gpt2(), small_llama()}) {
    for (const char* clip : {"0", "1"}) {
      Plan plan = resolve(parse_plan(fmt::format("tp=2,dp=2,sp=on,bucket_mib=0.01,clip={}", clip)),
                          model, 4);
      const Program serial = step_program(model, plan, 1);
      plan.optimizer_overlap = OptimizerOverlap::on;
      const Program beside = step_program(model, plan, 1);
      EXPECT_EQ(serial.buffers, beside.buffers);
      const auto squares = [](const Program& program) {
        std::vector<std::pair<OpShape, std::vector<BufferSlice>>> found;
        for (const Op& op : program.ops) {
          if (!op.kernel || op.kernel->id != OpId::sum_squares) continue;
          found.emplace_back(*op.kernel, op.operands);
        }
        return found;
      };
      EXPECT_EQ(squares(serial), squares(beside)) << model.name;
      EXPECT_EQ(squares(serial).empty(), plan.clip == 0);
    }
  }
}

TEST(StepProgram, FlopsFollowTheModel) {
  for (const Model& model : {small_gpt2(), small_llama()}) {
    const Plan plan = resolve(parse_plan("micro_batch=2,accumulation=2"), model, 1);
    double gemm_flops = 0;
    for (const Op& op : step_program(model, plan, 0).ops) {
      // Alone or with a neighbour: the GEMM's own FLOPs.
      if (!info_of(op.kernel->id).name.starts_with("gemm")) continue;
      gemm_flops += 2.0 * static_cast<double>(dim_of(*op.kernel, "m") * dim_of(*op.kernel, "n") *
                                              dim_of(*op.kernel, "k"));
    }
    const double tokens = static_cast<double>(plan.tokens_per_step());
    EXPECT_NEAR(gemm_flops / (6.0 * static_cast<double>(model.matmul_parameters()) * tokens), 1.0,
                1e-12);
  }
}

TEST(SyntheticToken, CoversTheVocabularyAndIsAFunctionOfItsPlace) {
  const Model model = small_gpt2();
  std::set<std::int32_t> seen;
  for (std::int64_t position = 0; position < 2000; ++position) {
    const std::int32_t token = synthetic_token(model, 1, 3, position);
    ASSERT_GE(token, 0);
    ASSERT_LT(token, model.vocab);
    ASSERT_EQ(token, synthetic_token(model, 1, 3, position));
    seen.insert(token);
  }
  EXPECT_EQ(static_cast<std::int64_t>(seen.size()), model.vocab);
  EXPECT_NE(synthetic_token(model, 1, 3, 0), synthetic_token(model, 1, 4, 0));
}

TEST(StepMesh, PutsTensorRanksSideBySide) {
  Plan plan;
  plan.tp = 2;
  plan.dp = 2;
  EXPECT_THAT(step_mesh(plan).group(0, "tp"), ::testing::ElementsAre(0, 1));
  EXPECT_THAT(step_mesh(plan).group(0, "dp"), ::testing::ElementsAre(0, 2));
}

}  // namespace
}  // namespace stepmark
