// SPDX-License-Identifier: Apache-2.0
// What of a step's communication may run beside which kernels, and what has to wait, by the keys of
// the plan that choose it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/program/memory_plan.h"
#include "harness/program/step_facts.h"
#include "harness/program/validate.h"
#include "tests/unit/program/models.h"
#include "tests/unit/program/ordering.h"

namespace stepmark {
namespace {

using ::testing::IsEmpty;

Program program_of(const Model& model, std::string_view text) {
  const Plan plan = parse_plan(text, parse_plan("dp=1"));
  return step_program(model, resolve(plan, model, plan.ranks()), 0);
}

std::size_t find_op(const Program& program, std::string_view label) {
  for (std::size_t i = 0; i < program.ops.size(); ++i) {
    if (program.ops[i].label.starts_with(label)) return i;
  }
  ADD_FAILURE() << "no op " << label;
  return 0;
}

// Ops of which neither has to end before the other begins.
bool beside(const Program& program, std::string_view a, std::string_view b) {
  const auto before = ended_before(program);
  const std::size_t one = find_op(program, a), other = find_op(program, b);
  return !before[one][other] && !before[other][one];
}

void expect_sound(const Model& model, std::string_view text) {
  const Plan plan = parse_plan(text, parse_plan("dp=1"));
  const auto programs = all_ranks(model, resolve(plan, model, plan.ranks()));
  EXPECT_THAT(problems(programs), IsEmpty());
  EXPECT_THAT(races(programs.front()), IsEmpty());
}

TEST(Overlap, SumsOfInputGradientsRunBesideWeightGradientsOrBehindThem) {
  for (const Model& model : {small_gpt2(), small_llama()}) {
    for (const std::string sp : {"off", "on"}) {
      const std::string plan = "tp=2,sp=" + sp;
      SCOPED_TRACE(model.name + " " + plan);
      const Program overlapped = program_of(model, plan);
      const Program waits = program_of(model, plan + ",tp_overlap=off");
      expect_sound(model, plan + ",tp_overlap=off");
      const std::string sum = sp == "on" ? ".dgrad.reduce_scatter" : ".dgrad.reduce";
      const std::string head = model.tied_embeddings ? "embedding" : "head";
      EXPECT_TRUE(beside(overlapped, "head" + sum, head + ".wgrad"));
      EXPECT_FALSE(beside(waits, "head" + sum, head + ".wgrad"));
      for (const std::string layer : {"layer1.mlp.up", "layer1.attn.qkv"}) {
        EXPECT_TRUE(beside(overlapped, layer + sum, layer + ".wgrad")) << layer;
        const auto before = ended_before(waits);
        EXPECT_TRUE(before[find_op(waits, layer + sum)][find_op(waits, layer + ".wgrad")]) << layer;
      }
      EXPECT_EQ(bus_bytes(waits, waits.group("tp")), bus_bytes(overlapped, waits.group("tp")));
    }
  }
}

double flops_of_gemms(const Program& program) {
  double flops = 0;
  for (const Op& op : program.ops) {
    if (op.kernel && info_of(op.kernel->id).unit == MathUnit::matrix) flops += flops_of(*op.kernel);
  }
  return flops;
}

// Each piece is gathered, and scattered, beside the GEMM of its neighbour; what is sent and
// computed stays what it was.
TEST(Overlap, PiecesOfTokensTravelBesideTheGemmsOfOthers) {
  for (const Model& model : {small_gpt2(), small_llama()}) {
    const std::string plan = "tp=2,sp=on,micro_batch=2";
    const Program whole = program_of(model, plan);
    const Program pieces = program_of(model, plan + ",tp_chunks=4");
    EXPECT_TRUE(beside(pieces, "layer1.attn.gather.c1", "layer1.attn.qkv.c0"));
    EXPECT_TRUE(beside(pieces, "layer1.mlp.gather.c3", "layer1.mlp.up.c2"));
    EXPECT_TRUE(beside(pieces, "layer1.attn.out.reduce_scatter.c0", "layer1.attn.out.c1"));
    EXPECT_TRUE(beside(pieces, "layer1.mlp.down.reduce_scatter.c2", "layer1.mlp.down.c3"));
    EXPECT_TRUE(beside(pieces, "layer1.mlp.down.bwd.gather.c1", "layer1.mlp.down.dgrad.c0"));
    EXPECT_TRUE(
        beside(pieces, "layer1.attn.qkv.dgrad.reduce_scatter.c0", "layer1.attn.qkv.dgrad.c1"));
    EXPECT_TRUE(beside(pieces, "layer1.attn.qkv.dgrad.reduce_scatter.c3", "layer1.attn.qkv.wgrad"));
    const auto before = ended_before(pieces);
    EXPECT_TRUE(
        before[find_op(pieces, "layer1.attn.qkv.c1")][find_op(pieces, "layer1.attn.gather.c1")]);
    EXPECT_EQ(bus_bytes(pieces, pieces.group("tp")), bus_bytes(whole, whole.group("tp")));
    EXPECT_EQ(flops_of_gemms(pieces), flops_of_gemms(whole));
  }
}

TEST(Overlap, ProgramsOfPiecesAreValidAndFreeOfRaces) {
  for (const char* text : {"tp=2,sp=on,tp_chunks=2",
                           "tp=4,sp=on,tp_chunks=8,micro_batch=2,accumulation=2,recompute=full",
                           "tp=2,sp=on,tp_chunks=3,seq=12,dp=2,zero=3,recompute=selective",
                           "tp=2,pp=2,sp=on,tp_chunks=2,schedule=zb-h1,accumulation=3",
                           "tp=2,cp=2,cp_kind=ulysses,sp=on,tp_chunks=2",
                           "tp=2,cp=2,cp_kind=ring,sp=on,tp_chunks=2"}) {
    for (const Model& model : {small_gpt2(), small_llama()}) {
      SCOPED_TRACE(model.name + " " + text);
      expect_sound(model, text);
    }
  }
}

// Nothing that is computed runs beside a gather, which has one place instead of two.
TEST(Overlap, WithoutPrefetchALayerIsGatheredWhenTheOneBeforeHasEnded) {
  Model model = small_llama();
  model.layers = 5;
  for (const std::string keep : {"", ",reshard=off"}) {
    const std::string plan = "dp=2,zero=3" + keep;
    SCOPED_TRACE(plan);
    const Program ahead = program_of(model, plan);
    const Program waits = program_of(model, plan + ",prefetch=off");
    expect_sound(model, plan + ",prefetch=off");
    EXPECT_TRUE(beside(ahead, "params.layer2", "layer1.mlp.down"));
    const auto before = ended_before(waits);
    for (std::size_t gather = 0; gather < waits.ops.size(); ++gather) {
      if (!waits.ops[gather].label.starts_with("params.")) continue;
      for (std::size_t i = 0; i < gather; ++i) {
        if (waits.streams[static_cast<std::size_t>(waits.ops[i].stream)] != "compute") continue;
        EXPECT_TRUE(before[gather][i]) << waits.ops[gather].label << " " << waits.ops[i].label;
      }
    }
    EXPECT_EQ(bus_bytes(waits, waits.group("dp")), bus_bytes(ahead, waits.group("dp")));
    if (keep.empty()) {
      EXPECT_LT(plan_memory(waits).bytes, plan_memory(ahead).bytes);
    }
  }
}

}  // namespace
}  // namespace stepmark
