// SPDX-License-Identifier: Apache-2.0
// Programs with experts: what they send along the expert axis, over hundreds of drawn plans, equals
// the closed formulas; with w ranks that share E experts, m micro-steps, L layers, N tokens that a
// rank routes to k experts each, h the hidden size and p bytes of a parameter:
//   router         m L 4 (w-1) N min(k, E/w) h p              room for all that one rank may send
//   uniform, zipf  m L 2 (N k + R - 2 o) h p                  R rows of the rank's experts, o of
//   them
//                                                             its own tokens'
//   counts         m L 4 E (w-1)/w
// dispatch and combine, forward and backward; the forward pass's part once more where layers are
// computed again. Over the s ranks that split each expert, where these are fewer than split all
// else:
//   etp            m L (5, or 7 with recompute=full) N/s (s-1) h p
// Gradients of experts are summed over edp, or, as those of all else over data-parallel ranks, with
// x elements of experts, w of the n ranks that have the same ones in each of r groups, b = 4:
//   zero 0         2 x b (n-1)/n
//   zero 1, 2, 3   x (b or m b, + p) (w-1)/w; zero 3 with resharding 2 m p for p; and between
//   groups
//                  2 x/w b (r-1)/r
// Seeded choices are what is asked for, and rules name what is wrong.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "core/rng.h"
#include "harness/program/memory_plan.h"
#include "harness/program/routing.h"
#include "harness/program/step_facts.h"
#include "harness/program/step_roles.h"
#include "harness/program/validate.h"
#include "harness/program/validate_step.h"
#include "harness/spec/stages.h"
#include "kernels/ops/gemm.h"
#include "tests/unit/program/models.h"

namespace stepmark {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr std::uint64_t kPlans = 300;

Model small_experts() {
  Model model = small_llama();
  model.name = "small-experts";
  model.experts = 8;
  model.top_k = 2;
  model.aux_loss = 0.01;
  return model;
}

struct Draw {
  Model model;
  Plan plan;
};

Draw draw_plan(std::uint64_t index) {
  for (std::uint64_t attempt = 0;; ++attempt) {
    const Philox rng(20251202, index * 1000 + attempt);
    std::uint64_t next = 0;
    const auto one_of = [&](const auto&... values) {
      const std::array options{std::string(values)...};
      return options[rng.below(next++, options.size())];
    };
    Draw draw{.model = small_experts(), .plan = {}};
    draw.model.layers = std::stoll(one_of("2", "3"));
    draw.model.top_k = std::stoll(one_of("1", "2", "3"));
    const std::string tp = one_of("1", "2", "4"), pp = one_of("1", "1", "2");
    std::string text = fmt::format(
        "ep={},cp={},dp={},tp={},pp={},accumulation={},micro_batch={},precision={},routing={}",
        one_of("2", "4", "8"), one_of("1", "2"), one_of("1", "2", "4"), tp, pp, one_of("2", "3"),
        one_of("1", "2"), one_of("fp32", "bf16"), one_of("router", "uniform", "zipf"));
    if (tp == "2") text += one_of("", ",sp=on", ",sp=on,etp=1");
    if (tp == "4") text += one_of(",sp=on", ",sp=on,etp=2");
    text += one_of("", ",recompute=selective", ",recompute=full");
    text += one_of("", ",clip=0");
    text += one_of("", ",zero=1", ",zero=1,gather=forward", ",zero=2", ",zero=3",
                   ",zero=3,reshard=off", ",zero=2,grad_sync=last", ",zero=3,prefetch=off");
    if (text.find("zero") != std::string::npos) text += one_of("", ",shard=2");
    draw.plan = parse_plan(text);
    draw.plan.seq = draw.model.max_seq;
    if (why_illegal(draw.plan, draw.model, draw.plan.ranks())) continue;
    draw.plan = resolve(draw.plan, draw.model, draw.plan.ranks());
    return draw;
  }
}

// Rows that a rank sends to others in a layer, of its own tokens and of those of its experts.
std::int64_t rows_of(const Model& model, const Plan& plan, std::int32_t rank, std::int64_t layer) {
  const StepMesh mesh(plan);
  const auto choices = seeded_choices(model, plan, layer);
  const std::int64_t experts = model.experts / plan.ep, first = mesh.expert_part(rank) * experts;
  std::int64_t rows = 0;
  for (const std::int32_t other : mesh.group(rank, StepGroup::expert)) {
    for (const std::int32_t expert : choices_of_rank(choices, model, plan, other)) {
      const bool stays = expert >= first && expert < first + experts;
      rows += stays != (other == rank) ? 1 : 0;
    }
  }
  return rows;
}

double formula(const Model& model, const Plan& plan, std::int32_t rank) {
  const auto w = static_cast<double>(plan.ep), p = static_cast<double>(size_of(plan.precision));
  const std::int64_t tokens = routed_tokens(plan, rank).tokens;
  const double forwards = plan.recompute == Recompute::full ? 2 : 1;
  double elements = 0, bytes_of_counts = 0;  // sent to others; of counts to all
  for (const ModelStage& part : model_stages(model, plan, StepMesh(plan).stage(rank))) {
    for (std::int64_t layer = part.begin; layer < part.end; ++layer) {
      const std::int64_t rows =  // there and back
          plan.routing == Routing::router
              ? 2 * (plan.ep - 1) * tokens * std::min(model.top_k, model.experts / plan.ep)
              : rows_of(model, plan, rank, layer);
      elements += static_cast<double>(rows * model.hidden) * (forwards + 1);
      bytes_of_counts += static_cast<double>(model.experts) * 4 * forwards;
    }
  }
  // Sums over ranks that share state are sums over those of all experts.
  const bool own_sum = StepMesh(plan).spreads_experts_beyond_tensor() && plan.shard_ways() == 1;
  const double norm = plan.computes_norm() && own_sum ? 2 * 4 : 0;
  const auto micro_steps = static_cast<double>(plan.accumulation);
  return micro_steps * elements * p + (micro_steps * bytes_of_counts + norm) * (w - 1) / w;
}

// Over ranks that have the same experts, by group.
std::map<std::string, double> formulas_of_state(const Model& model, const Plan& plan,
                                                std::int32_t rank) {
  double x = 0;
  const ParamLayout layout(model, plan, rank);
  for (const ParamSection& section : layout.sections()) {
    if (section.expert) x += static_cast<double>(section.elements);
  }
  EXPECT_GT(x, 0);
  const auto edp = static_cast<double>(plan.tp * plan.cp * plan.dp) /
                   static_cast<double>(plan.expert_tensor() * plan.ep);
  const bool hybrid = plan.shard > 0;
  const double w = plan.shard_ways() == 1 ? 1
                   : hybrid               ? edp / static_cast<double>(plan.shard_replicas())
                                          : edp;
  if (w == 1) return {{"edp", 2 * x * 4 * (edp - 1) / edp}};
  const auto m = static_cast<double>(plan.accumulation);
  const auto p = static_cast<double>(size_of(plan.precision));
  const double scatters = plan.reduces_every_pass() ? m : 1;
  const double gathers = plan.shards_parameters() && plan.reshard ? 2 * m : 1;
  const double in_shard = x * (scatters * 4 + gathers * p) * (w - 1) / w;
  if (!hybrid) return {{"edp", in_shard}};
  const double r = edp / w;
  return {{"edp.shard", in_shard}, {"edp.replicate", 2 * x / w * 4 * (r - 1) / r}};
}

double formula_of_split(const Model& model, const Plan& plan, std::int32_t rank) {
  const auto s = static_cast<double>(plan.expert_tensor());
  double layers = 0;
  for (const ModelStage& part : model_stages(model, plan, StepMesh(plan).stage(rank))) {
    layers += static_cast<double>(part.end - part.begin);
  }
  return static_cast<double>(plan.accumulation) * layers *
         (plan.recompute == Recompute::full ? 7 : 5) *
         static_cast<double>(routed_tokens(plan, rank).tokens * model.hidden) / s * (s - 1) *
         static_cast<double>(size_of(plan.precision));
}

TEST(Experts, VolumesEqualTheClosedFormulas) {
  std::set<std::string> seen, stages;
  for (std::uint64_t i = 0; i < kPlans; ++i) {
    const auto [model, plan] = draw_plan(i);
    SCOPED_TRACE(fmt::format("{} top_k={} {}", model.name, model.top_k, to_text(plan)));
    seen.insert(fmt::format("{} {}", name_of(plan.routing), plan.etp));
    stages.insert(fmt::format("{} {}", plan.zero, plan.shard > 0));
    const StepMesh mesh(plan);
    for (std::int32_t stage = 0; stage < mesh.stages(); ++stage) {
      const std::int32_t rank = mesh.first_rank_of(stage);
      const Program program = step_program(model, plan, rank);
      EXPECT_NEAR(bus_bytes(program, program.group("ep")) / formula(model, plan, rank), 1.0, 1e-12);
      for (const auto& [group, bytes] : formulas_of_state(model, plan, rank)) {
        if (bytes == 0) continue;
        EXPECT_DOUBLE_EQ(bus_bytes(program, program.group(group)), bytes) << group;
      }
      if (plan.etp > 1) {
        EXPECT_DOUBLE_EQ(bus_bytes(program, program.group("etp")),
                         formula_of_split(model, plan, rank));
      }
    }
    if (i % 10 == 0) {
      EXPECT_THAT(problems(all_ranks(model, plan)), IsEmpty());
      EXPECT_TRUE(validate_step(model, plan).whole);
    }
  }
  EXPECT_EQ(seen.size(), 9U);
  EXPECT_EQ(stages.size(), 7U);  // of ZeRO, with and without groups that have the same shards
}

TEST(Experts, MemoryIsThatOfEveryRank) {
  for (const char* text :
       {"ep=4", "ep=4,precision=bf16,recompute=full", "tp=2,ep=2", "tp=2,sp=on,etp=1,ep=4",
        "ep=2,cp=2", "ep=2,zero=3", "ep=2,zero=2,shard=2", "tp=4,sp=on,etp=2,ep=2"}) {
    SCOPED_TRACE(text);
    const Model model = small_experts();
    const Plan plan = resolve(parse_plan(text), model, 4);
    const std::int64_t most = step_memory_bytes(model, plan, kHostTraits);
    for (const Program& program : all_ranks(model, plan)) {
      EXPECT_LE(plan_memory(program).bytes, most);
    }
  }
}

// Experts of ranks follow each other, all of them are there, and each is counted once in the norm.
TEST(Experts, EachRankHasItsShareOfThem) {
  const Model model = small_experts();
  for (const char* text :
       {"ep=4,dp=8", "ep=2,tp=2,dp=4", "ep=8,tp=2,sp=on,etp=1,dp=4", "ep=2,tp=4,sp=on,etp=1,dp=2",
        "ep=2,cp=2,dp=2,tp=2", "tp=2,dp=4", "ep=4,dp=8,zero=1", "ep=2,cp=2,dp=2,tp=2,zero=1",
        "ep=2,tp=4,sp=on,etp=1,dp=2,zero=1", "ep=8,dp=8,zero=1", "ep=2,dp=8,zero=2",
        "ep=2,dp=8,zero=3,shard=4", "ep=4,dp=8,zero=3,shard=4", "ep=4,tp=2,sp=on,etp=1,dp=4,zero=3",
        "ep=2,tp=4,sp=on,etp=2,dp=2", "ep=4,tp=4,sp=on,etp=2,dp=2", "ep=1,tp=4,sp=on,etp=2,dp=2"}) {
    SCOPED_TRACE(text);
    const Plan plan = resolve(parse_plan(text), model, 8);
    double counted = 0;
    for (std::int32_t rank = 0; rank < 8; ++rank) {
      const ParamLayout layout(model, plan, rank);
      for (const Param& param : layout.params()) {
        const auto section = std::find_if(
            layout.sections().begin(), layout.sections().end(), [&](const ParamSection& s) {
              return param.offset >= s.offset && param.offset < s.offset + s.elements;
            });
        ASSERT_NE(section, layout.sections().end());
        counted += static_cast<double>(layout.owned(param).elements()) / section->copies;
      }
    }
    // Sums over tensor-parallel ranks and then over those that share experts, or state: every rank,
    // or every group of those that share state, has one.
    const StepMesh mesh(plan);
    const double sums = plan.shard_ways() > 1 ? static_cast<double>(plan.shard_replicas())
                        : mesh.spreads_experts_beyond_tensor()
                            ? 8.0 / (mesh.size_of(StepGroup::tensor) * mesh.expert_ways())
                            : 8.0 / mesh.size_of(StepGroup::tensor);
    EXPECT_NEAR(counted, sums * static_cast<double>(model.parameters()), 1e-6 * counted);
  }
}

TEST(Experts, SeededChoicesAreDistinctAndOfTheAskedSkew) {
  Model model = small_experts();
  model.experts = 64;
  model.top_k = 8;
  model.max_seq = 4096;
  const auto plan_of = [&](const char* text) {
    return resolve(parse_plan(fmt::format("ep=8,{}", text)), model, 8);
  };
  const Plan uniform = plan_of("routing=uniform"), zipf = plan_of("routing=zipf");
  const auto choices = seeded_choices(model, uniform, 1);
  ASSERT_EQ(std::ssize(choices), 4096 * 8);
  for (auto at = choices.begin(); at != choices.end(); at += 8) {
    EXPECT_EQ(std::set(at, at + 8).size(), 8U);
  }
  EXPECT_NE(seeded_choices(model, uniform, 0), choices);
  EXPECT_NE(seeded_choices(model, plan_of("routing=uniform,routing_seed=2"), 1), choices);
  EXPECT_EQ(seeded_choices(model, plan_of("routing=uniform"), 1), choices);
  const RoutingLoad alike = routing_load(model, uniform), skewed = routing_load(model, zipf);
  EXPECT_LT(alike.of_expert, 1.2);
  EXPECT_LT(alike.of_rank, 1.1);
  EXPECT_GT(skewed.of_expert, 4);
  EXPECT_GT(skewed.of_rank, 1.3);
  EXPECT_LT(routing_load(model, plan_of("routing=zipf,routing_exponent=0.2")).of_expert,
            skewed.of_expert);
}

// All ranks of the same share of experts and positions play one role.
TEST(Experts, RolesAreThoseOfSharesOfExperts) {
  const Model model = small_experts();
  const auto roles = [&](const char* text, std::int64_t ranks) {
    return std::ssize(step_roles(model, resolve(parse_plan(text), model, ranks)).ranks);
  };
  EXPECT_EQ(roles("ep=4", 64), 1);
  EXPECT_EQ(roles("ep=4,routing=zipf", 64), 4);
  EXPECT_EQ(roles("ep=2,cp=2,routing=zipf", 64), 2);
  EXPECT_EQ(roles("ep=4,cp=2,pp=2,accumulation=2,routing=zipf", 64), 8);
}

TEST(Experts, FlopsCountTheExpertsOfAToken) {
  const Model model = small_experts();
  Model dense = small_llama();
  EXPECT_EQ(model.matmul_parameters() - dense.matmul_parameters(),
            model.layers * (3 * model.hidden * model.ffn + model.hidden * model.experts));
  EXPECT_EQ(model.parameters() - dense.parameters(),
            model.layers *
                (std::int64_t{7} * 3 * model.hidden * model.ffn + model.hidden * model.experts));
  // Room for what never comes is no work.
  const auto flops = [&](const char* text) {
    double of_matrices = 0;
    const Program program = step_program(model, resolve(parse_plan(text), model, 4), 0);
    for (const Op& op : program.ops) {
      if (op.kernel && info_of(op.kernel->id).unit == MathUnit::matrix) {
        of_matrices += flops_of(*op.kernel);
      }
    }
    return of_matrices;
  };
  EXPECT_DOUBLE_EQ(flops("ep=4"), flops("dp=4"));
}

std::string illegal(const Model& model, const char* text, std::int64_t world) {
  Plan plan = filled(parse_plan(text), world);
  if (plan.seq == 0) plan.seq = model.max_seq;
  return why_illegal(plan, model, world).value_or("legal");
}

TEST(Experts, RulesNameWhatIsWrongAndWhatGoes) {
  const Model model = small_experts();
  EXPECT_THAT(illegal(small_llama(), "ep=2", 2), HasSubstr("has none; leave it out"));
  EXPECT_THAT(illegal(small_llama(), "routing=zipf", 2), HasSubstr("routing=zipf"));
  EXPECT_THAT(illegal(model, "ep=3", 3), AllOf(HasSubstr("8 experts"), HasSubstr("ep=1 does")));
  EXPECT_THAT(illegal(model, "ep=4", 2), AllOf(HasSubstr("dp=2"), HasSubstr("ep=2 does")));
  EXPECT_THAT(illegal(model, "tp=2,etp=1", 2), HasSubstr("give sp=on"));
  EXPECT_THAT(illegal(model, "tp=4,sp=on,etp=3", 4),
              AllOf(HasSubstr("does not divide tp=4"), HasSubstr("etp=2 does")));
  EXPECT_EQ(illegal(model, "tp=4,sp=on,etp=2", 4), "legal");
  EXPECT_EQ(illegal(model, "ep=2,zero=2", 2), "legal");
  EXPECT_EQ(illegal(model, "ep=2,zero=3,shard=2", 4), "legal");
  EXPECT_THAT(illegal(model, "ep=4,zero=1,shard=2", 8),
              AllOf(HasSubstr("shard=2 x tp=1 is no multiple of the etp=1 x ep=4 ranks"),
                    HasSubstr("shard=4 does")));
  EXPECT_THAT(illegal(model, "ep=8,zero=1,shard=2", 8), HasSubstr("leave it out"));
  EXPECT_EQ(illegal(model, "ep=2,zero=1,gather=forward", 4), "legal");
  EXPECT_EQ(illegal(model, "tp=2,sp=on,tp_chunks=2", 2), "legal");
  EXPECT_EQ(illegal(model, "zero=3", 2), "legal");
  EXPECT_EQ(illegal(model, "tp=2,sp=on,etp=1,ep=4", 4), "legal");
  Model shared = model;
  shared.shared_ffn = 16;
  EXPECT_EQ(illegal(shared, "tp=2,sp=on,etp=1", 2), "legal");
}

// Labels and shapes of what multiplies with experts' matrices, in order.
std::vector<std::pair<std::string, OpShape>> expert_gemms(const Program& program) {
  std::vector<std::pair<std::string, OpShape>> gemms;
  for (const Op& op : program.ops) {
    const bool multiplies = op.kernel && info_of(op.kernel->id).unit == MathUnit::matrix;
    if (multiplies && op.label.find(".experts.") != std::string::npos) {
      gemms.emplace_back(op.label, *op.kernel);
    }
  }
  return gemms;
}

// Where a seed routes to few experts, each is a GEMM of the rows that it gets from all ranks.
TEST(Experts, AreGemmsOfTheirOwnWhereRowsAreKnown) {
  const Model model = small_experts();
  for (const char* text :
       {"ep=2,routing=zipf,routing_exponent=2", "dp=2,routing=zipf", "ep=2,cp=2,routing=uniform"}) {
    SCOPED_TRACE(text);
    const Plan plan = resolve(parse_plan(text), model, parse_plan(text).cp * 2);
    const StepMesh mesh(plan);
    for (std::int32_t rank = 0; rank < static_cast<std::int32_t>(plan.ranks()); ++rank) {
      std::vector<std::int64_t> counts(static_cast<std::size_t>(model.experts), 0);
      const auto choices = seeded_choices(model, plan, 0);
      for (const std::int32_t other : mesh.group(rank, StepGroup::expert)) {
        for (const auto expert : choices_of_rank(choices, model, plan, other)) {
          ++counts[static_cast<std::size_t>(expert)];
        }
      }
      std::map<std::string, GemmShape> gemms;
      for (const auto& [label, shape] : expert_gemms(step_program(model, plan, rank))) {
        ASSERT_EQ(shape.id, OpId::gemm) << label;
        EXPECT_TRUE(gemms.emplace(label, unpack<GemmShape>(shape)).second) << label;
      }
      const std::int64_t own = model.experts / plan.ep, first = mesh.expert_part(rank) * own;
      for (std::int64_t expert = first; expert < first + own; ++expert) {
        const std::int64_t rows = counts[static_cast<std::size_t>(expert)];
        for (const char* name : {"up", "down"}) {
          const auto of = [&](const char* kind) {
            return gemms.find(fmt::format("layer0.experts.{}{}.expert{}", name, kind, expert));
          };
          ASSERT_NE(of(".wgrad"), gemms.end()) << expert << ": a gradient is written, be it zero";
          EXPECT_EQ(of(".wgrad")->second.k, rows);
          for (const char* kind : {"", ".dgrad"}) {
            ASSERT_EQ(of(kind) != gemms.end(), rows > 0) << expert << kind;
            if (rows > 0) {
              EXPECT_EQ(of(kind)->second.m, rows);
            }
          }
        }
      }
    }
  }
}

TEST(Experts, AreOneOpWhereTheyAreManyOrOnlyTheDeviceKnows) {
  Model many = small_experts();
  many.experts = 18;
  const auto expect_one_op = [](const Model& model, const char* text) {
    const Plan plan = resolve(parse_plan(text), model, 2);
    const auto gemms = expert_gemms(step_program(model, plan, 0));
    EXPECT_EQ(gemms.size(), static_cast<std::size_t>(6 * model.layers)) << text;
    for (const auto& [label, shape] : gemms) EXPECT_NE(shape.id, OpId::gemm) << label;
  };
  expect_one_op(many, "ep=2,routing=uniform");
  expect_one_op(small_experts(), "ep=2,routing=router");
}

// Beside the backward pass of attention, which follows.
TEST(Experts, GiveTheirGradientsUpBeforeAttentionIsDifferentiated) {
  const Model model = small_experts();
  for (const char* text : {"ep=2,dp=4,bucket_mib=0.01", "ep=2,dp=4,zero=2", "ep=2,dp=4,zero=3"}) {
    SCOPED_TRACE(text);
    const Plan plan = resolve(parse_plan(text), model, 4);
    const Program program = step_program(model, plan, 0);
    const auto first = [&](const auto& is) {
      return std::find_if(program.ops.begin(), program.ops.end(), is) - program.ops.begin();
    };
    const auto reduced = first([](const Op& op) { return op.comm && op.comm->axis == "edp"; });
    const auto attention =
        first([](const Op& op) { return op.label.find("attention.bwd") != std::string::npos; });
    EXPECT_LT(reduced, attention);
    EXPECT_LT(attention, std::ssize(program.ops));
  }
}

}  // namespace
}  // namespace stepmark
