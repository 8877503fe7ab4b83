// SPDX-License-Identifier: Apache-2.0
// Recomputation in step programs: what a layer keeps is the closed formula, what is computed and
// sent again is counted, and nothing else changes.
//
// With T = b s tokens of a micro-batch, p bytes of a number, t ranks of the tensor axis, h hidden,
// a q heads, g kv heads, k head dim, f MLP width, u = f or (gated) 2 f, and S = t with sequence
// parallelism, else 1, a layer keeps (after arXiv 2205.05198, without what is not there: masks of
// dropout, and scores, which the attention kernel never writes)
//   none       p T (4 h / S + ((a + 2 g) k + a k + u + f) / t) + 4 T (a / t + n / S)
//   selective  p T (2 h / S + ((a + 2 g) k + a k + u) / t)     + 4 T (a / t + n / S)
//   full       p T h / S
// where n is the number of statistics of its norms: 2, or 4 with means.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "harness/program/activation_facts.h"
#include "harness/program/step_facts.h"
#include "harness/program/text.h"
#include "harness/program/validate.h"
#include "tests/unit/program/models.h"
#include "tests/unit/program/ordering.h"

namespace stepmark {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

Plan plan_of(const Model& model, const std::string& text) {
  const Plan plan = parse_plan(text, parse_plan("micro_batch=2"));
  return resolve(plan, model, plan.ranks());
}

const std::vector<std::string> kDegrees{
    "dp=1,accumulation=2",
    "tp=2,dp=1",
    "tp=2,dp=2,sp=on,zero=1,accumulation=2",
    "dp=2,zero=2,accumulation=2",
    "dp=2,zero=3,precision=bf16,accumulation=2",
    "dp=4,zero=3,shard=2,reshard=off,clip=0,optimizer_overlap=on",
    "pp=2,dp=1,accumulation=3,schedule=gpipe",
    "pp=2,dp=2,zero=3,accumulation=4",
    "pp=2,tp=2,dp=1,sp=on,accumulation=4,schedule=zb-h1",
    "pp=2,dp=1,chunks=2,schedule=interleaved,accumulation=4"};

Model deep(Model model) {
  model.layers = 4;
  return model;
}

TEST(Recompute, ProgramsAreValidAndFreeOfRacesAndReadBack) {
  for (const Model& model : {deep(small_gpt2()), deep(small_llama())}) {
    for (const std::string& degrees : kDegrees) {
      for (const char* kind : {"selective", "full"}) {
        const Plan plan = plan_of(model, fmt::format("{},recompute={}", degrees, kind));
        SCOPED_TRACE(model.name + " " + to_text(plan));
        const std::vector<Program> programs = all_ranks(model, plan);
        ASSERT_THAT(problems(programs), IsEmpty());
        EXPECT_THAT(races(programs.front()), IsEmpty());
        EXPECT_THAT(races(programs.back()), IsEmpty());
        EXPECT_EQ(parse_program(to_text(programs.back())), programs.back());
      }
    }
  }
}

std::int64_t kept_by_formula(const Model& m, const Plan& plan) {
  const std::int64_t tokens = plan.micro_batch * plan.seq, t = plan.tp;
  const std::int64_t s = plan.sequence_parallel ? t : 1;
  const auto p = static_cast<std::int64_t>(size_of(plan.precision));
  const std::int64_t stream = tokens * m.hidden / s;
  if (plan.recompute == Recompute::full) return p * stream;
  const bool selective = plan.recompute == Recompute::selective;
  const std::int64_t split =
      m.qkv_width() + m.q_width() + m.mlp_in_width() + (selective ? 0 : m.ffn);
  const std::int64_t statistics = m.family == ModelFamily::gpt2 ? 4 : 2;
  return p * ((selective ? 2 : 4) * stream + tokens * split / t) + 4 * tokens * m.heads / t +
         4 * tokens * statistics / s;
}

TEST(Recompute, WhatALayerKeepsIsTheClosedFormula) {
  for (const Model& model : {deep(small_gpt2()), deep(small_llama())}) {
    for (const std::string& degrees : kDegrees) {
      for (const char* kind : {"none", "selective", "full"}) {
        const Plan plan = plan_of(model, fmt::format("{},recompute={}", degrees, kind));
        SCOPED_TRACE(model.name + " " + to_text(plan));
        const StepMesh mesh(plan);
        for (std::int32_t stage = 0; stage < mesh.stages(); ++stage) {
          const Program program = step_program(model, plan, mesh.first_rank_of(stage));
          const ActivationFacts facts = activation_facts(program);
          ASSERT_EQ(std::ssize(facts.kept_bytes), model.layers / plan.pp);
          for (const auto& [layer, bytes] : facts.kept_bytes) {
            EXPECT_EQ(bytes, kept_by_formula(model, plan)) << layer;
          }
        }
      }
    }
  }
}

// 34 s b h bytes per layer of a GPT in 16 bits, 10 + 24 / t over tensor-parallel ranks, 34 / t with
// sequence parallelism, less 2 s b h of dropout masks.
TEST(Recompute, AgreesWithThePublishedCount) {
  Model model = deep(small_gpt2());
  model.ffn = 4 * model.hidden;
  const auto sbh = [&](const char* text) {
    const Plan plan = plan_of(model, std::string("precision=bf16,") + text);
    const std::int64_t tokens = plan.micro_batch * plan.seq;
    const std::int64_t statistics =
        4 * tokens * (model.heads / plan.tp + 4 / (plan.sequence_parallel ? plan.tp : 1));
    const std::int64_t kept = activation_facts(step_program(model, plan, 0)).most_kept_bytes();
    return static_cast<double>(kept - (plan.recompute == Recompute::full ? 0 : statistics)) /
           static_cast<double>(tokens * model.hidden);
  };
  EXPECT_DOUBLE_EQ(sbh("dp=1"), 34 - 2);
  EXPECT_DOUBLE_EQ(sbh("dp=1,tp=4"), 10 - 2 + 24.0 / 4);
  EXPECT_DOUBLE_EQ(sbh("dp=1,tp=4,sp=on"), (34 - 2) / 4.0);
  EXPECT_DOUBLE_EQ(sbh("dp=1,recompute=selective"), 34 - 2 - 4 - 8);
  EXPECT_DOUBLE_EQ(sbh("dp=1,recompute=full"), 2);
  EXPECT_DOUBLE_EQ(sbh("dp=1,tp=4,sp=on,recompute=full"), 2 / 4.0);
}

// The planned peak of further layers: what they keep, in each set that is in flight.
TEST(Recompute, AFurtherLayerTakesWhatItKeeps) {
  for (Model model : {small_gpt2(), small_llama()}) {
    model.hidden = model.heads * 32;  // every buffer is a multiple of the arena's alignment
    model.head_dim = 32;
    model.ffn = 2 * model.hidden;
    for (const char* text : {"dp=1,micro_batch=4", "dp=1,tp=2,sp=on,micro_batch=8,precision=bf16",
                             "dp=2,zero=3,micro_batch=4,accumulation=2"}) {
      for (const char* kind : {"none", "selective", "full"}) {
        const Plan plan = plan_of(model, fmt::format("{},recompute={}", text, kind));
        SCOPED_TRACE(model.name + " " + to_text(plan));
        const auto passing = [&](std::int64_t layers) {
          Model of = model;
          of.layers = layers;
          const Program program = step_program(of, plan, 0);
          std::int64_t stays = 0;
          for (const BufferKind kept :
               {BufferKind::param, BufferKind::grad, BufferKind::optimizer}) {
            stays += memory_bytes(program, kept);
          }
          return step_memory_bytes(of, plan) - stays;
        };
        // Statistics may find room between workspaces.
        const std::int64_t kept = kept_by_formula(model, plan), more = passing(6) - passing(5);
        EXPECT_LE(more, kept);
        EXPECT_GE(more, kept - (plan.zero == 3 ? kept / 500 : 0));
      }
    }
  }
}

// A layer's forward pass once more: of 3 forward equivalents of layers 4 are done.
TEST(Recompute, FlopsOfAFullRecomputationAreThoseOfTheForwardPass) {
  for (const Model& model : {deep(small_gpt2()), deep(small_llama())}) {
    for (const char* degrees : {"dp=1,accumulation=2", "tp=2,dp=1,sp=on", "dp=2,zero=3"}) {
      const Plan plan = plan_of(model, degrees);
      SCOPED_TRACE(model.name + " " + to_text(plan));
      double forward = 0, gemms = 0;
      const Program none = step_program(model, plan, 0);
      for (const Op& op : none.ops) {
        if (!op.kernel || op.phase != Phase::forward || !op.label.starts_with("layer")) continue;
        forward += flops_of(*op.kernel);
        if (op.kernel->id == OpId::gemm) gemms += flops_of(*op.kernel);
      }
      Plan again = plan;
      again.recompute = Recompute::full;
      const Program full = step_program(model, again, 0);
      const ActivationFacts facts = activation_facts(full);
      // The norm behind a residual sum is one op with it, of the layer before or of the head.
      EXPECT_NEAR(facts.recomputed_flops / forward, 1, 0.01);
      EXPECT_DOUBLE_EQ(kernel_flops(full) - kernel_flops(none), facts.recomputed_flops);
      EXPECT_EQ(activation_facts(none).recomputed_flops, 0);
      again.recompute = Recompute::selective;
      const Program selective = step_program(model, again, 0);
      const double cheap = activation_facts(selective).recomputed_flops;
      EXPECT_GT(cheap, 0);
      EXPECT_LT(cheap, forward - gemms);
      EXPECT_DOUBLE_EQ(kernel_flops(selective) - kernel_flops(none), cheap);
      EXPECT_EQ(model_flops(model, plan), model_flops(model, again));
    }
  }
}

std::map<Verb, std::int64_t> calls(const Program& program, std::string_view axis) {
  std::map<Verb, std::int64_t> result;
  for (const Op& op : program.ops) {
    if (op.comm && axis_of(op.comm->axis) == axis) ++result[op.comm->verb];
  }
  return result;
}

// Between tensor-parallel ranks the forward pass' communication of a layer once more, and no other
// axis sees anything of it: parameters that are gathered for a backward pass are there for both.
TEST(Recompute, SendsAForwardPassOfTheTensorAxisAgainAndNothingElse) {
  const Model model = deep(small_llama());
  for (const std::string& degrees : kDegrees) {
    const Plan plan = plan_of(model, degrees);
    const std::int64_t passes = model.layers / plan.pp * plan.accumulation;
    const Program none = step_program(model, plan, 0);
    for (const char* kind : {"selective", "full"}) {
      Plan again = parse_plan(fmt::format("recompute={}", kind), plan);
      SCOPED_TRACE(to_text(again));
      const Program program = step_program(model, again, 0);
      for (const char* axis : {"dp", "pp"}) EXPECT_EQ(calls(program, axis), calls(none, axis));
      auto expected = calls(none, "tp");
      if (again.recompute == Recompute::full && plan.tp > 1) {
        if (plan.sequence_parallel) {
          expected[Verb::all_gather] += 2 * passes;
          expected[Verb::reduce_scatter] += 2 * passes;
        } else {
          expected[Verb::all_reduce] += 2 * passes;
        }
      }
      EXPECT_EQ(calls(program, "tp"), expected);
    }
  }
}

// Once for each layer and micro-batch, before the first of its gradients.
TEST(Recompute, ComesOnceBeforeALayersBackwardPass) {
  const Model model = deep(small_gpt2());
  for (const char* degrees :
       {"dp=2,zero=3,accumulation=2", "pp=2,dp=1,accumulation=4,schedule=zb-h1"}) {
    const Plan plan = plan_of(model, std::string(degrees) + ",recompute=full");
    const Program program = step_program(model, plan, 0);
    std::map<std::string, std::int64_t> again;
    std::string latest;
    for (const Op& op : program.ops) {
      if (!op.kernel) continue;
      if (op.label.find(".recompute.attn.qkv") != std::string::npos) {
        latest = op.label.substr(0, op.label.find('.'));
        ++again[latest];
      }
      if (op.label.find(".mlp.down.dgrad") == std::string::npos) continue;
      EXPECT_EQ(op.label.substr(0, op.label.find('.')), latest);
    }
    EXPECT_EQ(std::ssize(again), model.layers / plan.pp);
    for (const auto& [layer, times] : again) EXPECT_EQ(times, plan.accumulation) << layer;
  }
}

}  // namespace
}  // namespace stepmark
