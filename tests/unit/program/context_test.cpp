// SPDX-License-Identifier: Apache-2.0
// Programs of context parallelism: what they send along the context axis, over hundreds of drawn
// plans, equals the closed formulas; with b sequences of s tokens per micro-step, m micro-steps, L
// layers, widths q and kv of query and of key and value heads of a rank, c ranks, and p bytes of a
// parameter:
//   allgather, ring   m L b s 2 kv (2 p + 4) (c-1)/c    keys and values twice, their gradients once
//   ulysses           m L b s 4 (q + kv) p (c-1)/c      queries, keys, values and results, and back
// and the forward pass's part once more where layers are computed again (arXiv 2310.01889,
// 2309.14509); the sums of gradients are those of data parallelism over dp x cp
// ranks, and all ranks' programs fit together.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/rng.h"
#include "harness/program/memory_plan.h"
#include "harness/program/step_facts.h"
#include "harness/program/validate.h"
#include "harness/program/validate_step.h"
#include "harness/spec/stages.h"
#include "tests/unit/program/models.h"

namespace stepmark {
namespace {

using ::testing::IsEmpty;

constexpr std::uint64_t kPlans = 300;

struct Draw {
  Model model;
  Plan plan;
};

Draw draw_plan(std::uint64_t index) {
  const Philox rng(20251201, index);
  std::uint64_t next = 0;
  const auto one_of = [&](const auto&... values) {
    const std::array options{std::string(values)...};
    return options[rng.below(next++, options.size())];
  };
  Draw draw{.model = one_of("g", "l") == "g" ? small_gpt2() : small_llama(), .plan = {}};
  draw.model.layers = std::stoll(one_of("2", "3"));
  const std::string tp = one_of("1", "2"), pp = one_of("1", "1", "2");
  std::string text = fmt::format(
      "cp={},cp_kind={},dp={},tp={},pp={},zero={},accumulation={},micro_batch={},precision={}",
      one_of("2", "4"), one_of("allgather", "ring", "ulysses"), one_of("1", "2"), tp, pp,
      one_of("0", "1", "2", "3"), one_of("2", "3"), one_of("1", "2"), one_of("fp32", "bf16"));
  if (tp == "2") text += one_of("", ",sp=on");
  text += one_of("", ",recompute=selective", ",recompute=full");
  if (pp == "2") text += one_of("", ",schedule=gpipe");
  draw.plan = parse_plan(text);
  draw.plan = resolve(draw.plan, draw.model, draw.plan.ranks());
  return draw;
}

double formula(const Model& model, const Plan& plan, std::int64_t layers) {
  const auto c = static_cast<double>(plan.cp), p = static_cast<double>(size_of(plan.precision));
  const double tokens =
      static_cast<double>(plan.accumulation * layers * plan.micro_batch * plan.seq) * (c - 1) / c;
  const std::int64_t heads = model.heads / plan.tp, kv_heads = model.kv_heads / plan.tp;
  const auto q = static_cast<double>(heads * model.head_dim);
  const auto kv = static_cast<double>(kv_heads * model.head_dim);
  const double forwards = plan.recompute == Recompute::full ? 2 : 1;
  if (plan.cp_kind != ContextKind::ulysses) return tokens * 2 * kv * ((forwards + 1) * p + 4);
  // Of the tokens that a rank has, b s / c.
  return tokens / c * (forwards + 1) * 2 * (q + kv) * p;
}

TEST(Context, VolumesEqualTheClosedFormulas) {
  std::map<ContextKind, int> seen;
  for (std::uint64_t i = 0; i < kPlans; ++i) {
    const auto [model, plan] = draw_plan(i);
    SCOPED_TRACE(model.name + " " + to_text(plan));
    ++seen[plan.cp_kind];
    const StepMesh mesh(plan);
    for (std::int32_t stage = 0; stage < mesh.stages(); ++stage) {
      const std::int32_t rank = mesh.first_rank_of(stage);
      std::int64_t layers = 0;
      for (const ModelStage& part : model_stages(model, plan, stage)) {
        layers += part.end - part.begin;
      }
      const Program program = step_program(model, plan, rank);
      EXPECT_DOUBLE_EQ(bus_bytes(program, program.group("cp")), formula(model, plan, layers));
      if (plan.zero > 0 || stage + 1 < mesh.stages()) continue;
      const auto n = static_cast<double>(plan.dp * plan.cp);
      const auto elements = static_cast<double>(ParamLayout(model, plan, rank).elements());
      EXPECT_DOUBLE_EQ(bus_bytes(program, program.group("dp_cp")),
                       2 * 4 * (elements + 1) * (n - 1) / n);
    }
    if (i % 10 == 0) {
      EXPECT_THAT(problems(all_ranks(model, plan)), IsEmpty());
      EXPECT_TRUE(validate_step(model, plan).whole);
    }
  }
  for (const auto kind : {ContextKind::allgather, ContextKind::ring, ContextKind::ulysses}) {
    EXPECT_GT(seen[kind], 50);
  }
}

// Every rank of the context axis computes the same number of attention's products.
TEST(Context, AllRanksHaveTheSameWork) {
  for (const char* kind : {"allgather", "ring", "ulysses"}) {
    const Model model = small_llama();
    const Plan plan = resolve(parse_plan(fmt::format("cp=4,cp_kind={}", kind)), model, 4);
    std::vector<double> flops;
    for (const Program& program : all_ranks(model, plan)) {
      flops.push_back(0);
      for (const Op& op : program.ops) {
        if (op.kernel) flops.back() += flops_of(*op.kernel);
      }
    }
    for (const double of_rank : flops) EXPECT_EQ(of_rank, flops.front()) << kind;
  }
}

TEST(Context, MemoryIsThatOfEveryRank) {
  for (const char* text : {"cp=4", "cp=4,cp_kind=ring,precision=bf16", "cp=4,cp_kind=ulysses",
                           "cp=2,tp=2,sp=on,cp_kind=ring"}) {
    SCOPED_TRACE(text);
    const Model model = small_llama();
    const Plan plan = resolve(parse_plan(text), model, 4);
    const std::int64_t most = step_memory_bytes(model, plan, kHostTraits);
    for (const Program& program : all_ranks(model, plan)) {
      EXPECT_LE(plan_memory(program).bytes, most);
    }
  }
}

// A rank that sends its block the other way round.
TEST(Context, ARingTurnedRoundIsRefused) {
  const Model model = small_llama();
  const Plan plan = resolve(parse_plan("cp=4,cp_kind=ring"), model, 4);
  std::vector<Program> programs = all_ranks(model, plan);
  for (Op& op : programs[1].ops) {
    if (op.comm && op.comm->verb == Verb::send_recv) {
      std::swap(op.comm->send_peer, op.comm->recv_peer);
      break;
    }
  }
  EXPECT_THAT(problems(programs), ::testing::Not(IsEmpty()));
}

}  // namespace
}  // namespace stepmark
