// SPDX-License-Identifier: Apache-2.0
// ZeRO-1 in step programs: every element is updated by one rank of its data-parallel group and
// reaches the others, in programs that are valid, free of races, and no larger than their shards.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/program/step_facts.h"
#include "harness/program/text.h"
#include "harness/program/validate.h"
#include "tests/unit/program/models.h"
#include "tests/unit/program/ordering.h"

namespace stepmark {
namespace {

using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

Plan plan_of(const Model& model, std::string_view text) {
  Plan plan = parse_plan(text, parse_plan("micro_batch=2,bucket_mib=0.01,zero=1"));
  return resolve(plan, model, plan.ranks());
}

bool is(const Op& op, OpId id) { return op.kernel && op.kernel->id == id; }
bool is(const Op& op, Verb verb) { return op.comm && op.comm->verb == verb; }

// What is wrong with who updates what, over the ranks of one data-parallel group: empty when each
// element's gradient is scattered to one rank, which then updates it once and sends it to all.
std::string update_problem(const std::vector<Program>& programs) {
  const Program& first = programs.front();
  const std::int32_t params = first.buffer_index(kParamBuffer);
  const auto size =
      static_cast<std::size_t>(first.buffers[static_cast<std::size_t>(params)].elements);
  std::vector<int> updates(size, 0);
  for (const Program& program : programs) {
    enum class Stage { scattered = 1, updated, gathered };
    std::vector<int> stage(size, 0);
    const auto advance = [&](const BufferSlice& slice, Stage to) {
      bool in_order = true;
      for (std::int64_t i = slice.offset; i < slice.offset + slice.elements; ++i) {
        in_order = in_order && std::exchange(stage[static_cast<std::size_t>(i)],
                                             static_cast<int>(to)) == static_cast<int>(to) - 1;
      }
      return in_order;
    };
    for (const Op& op : program.ops) {
      bool fine = true;
      if (op.comm && op.comm->axis != "dp") continue;
      if (is(op, Verb::reduce_scatter)) fine = advance(op.operands[1], Stage::scattered);
      if (is(op, OpId::adamw)) {
        const BufferSlice& slice = op.operands[6];
        fine = advance(slice, Stage::updated);
        for (std::int64_t i = slice.offset; i < slice.offset + slice.elements; ++i) {
          ++updates[static_cast<std::size_t>(i)];
        }
      }
      if (is(op, Verb::all_gather)) {
        fine = advance(op.operands[0], Stage::gathered);
        const BufferSlice& whole = op.operands[1];
        const auto begin = stage.begin() + whole.offset;
        std::fill(begin, begin + whole.elements, static_cast<int>(Stage::gathered));
      }
      if (!fine) return fmt::format("rank {}: '{}' is out of turn", program.rank, op.label);
    }
    const auto old = std::find_if(stage.begin(), stage.end(), [](int s) { return s != 3; });
    if (old != stage.end()) {
      return fmt::format("rank {} keeps an old element {}", program.rank, old - stage.begin());
    }
  }
  const auto odd = std::find_if(updates.begin(), updates.end(), [](int n) { return n != 1; });
  if (odd == updates.end()) return "";
  return fmt::format("element {} is updated by {} ranks", odd - updates.begin(), *odd);
}

std::vector<Program> group_of(const Model& model, const Plan& plan, std::int32_t rank) {
  std::vector<Program> programs;
  for (const std::int32_t member : StepMesh(plan).group(rank, StepGroup::data)) {
    programs.push_back(step_program(model, plan, member));
  }
  return programs;
}

const std::vector<std::string> kPlans{"dp=2",
                                      "dp=4,clip=0",
                                      "dp=3,optimizer_overlap=on",
                                      "dp=2,clip=0,optimizer_overlap=on",
                                      "tp=2,dp=2,precision=bf16",
                                      "tp=2,dp=4,sp=on,accumulation=2,clip=0,optimizer_overlap=on",
                                      "tp=4,dp=2,sp=on,clip=0,grad_norm=on",
                                      "dp=8,bucket_mib=0.0001",
                                      "dp=2,bucket_mib=1000",
                                      "pp=2,dp=2,accumulation=2,clip=0,optimizer_overlap=on",
                                      "pp=2,tp=2,dp=2,sp=on,accumulation=3,schedule=zb-h1"};

TEST(Zero, EachElementIsUpdatedByOneRankAndReachesAll) {
  for (const Model& model : {small_gpt2(), small_llama()}) {
    for (const std::string& text : kPlans) {
      SCOPED_TRACE(model.name + " " + text);
      const Plan plan = plan_of(model, text);
      for (std::int32_t rank = 0; rank < plan.ranks(); ++rank) {
        if (StepMesh(plan).data_share(rank) > 0) continue;
        ASSERT_EQ(update_problem(group_of(model, plan, rank)), "");
      }
    }
  }
}

TEST(Zero, ProgramsAreValidAndFreeOfRacesAndReadBack) {
  for (const Model& model : {small_gpt2(), small_llama()}) {
    for (const std::string& text : kPlans) {
      SCOPED_TRACE(model.name + " " + text);
      const Plan plan = plan_of(model, text);
      const std::vector<Program> programs = all_ranks(model, plan);
      ASSERT_THAT(problems(programs), IsEmpty());
      EXPECT_THAT(races(programs.back()), IsEmpty());
      EXPECT_EQ(parse_program(to_text(programs.back())), programs.back());
    }
  }
}

// A shard that is updated twice, a gather that is left out, a shard of another rank: each is seen.
TEST(Zero, PlantedFaultsAreFound) {
  const Model model = small_llama();
  const std::vector<Program> sound = group_of(model, plan_of(model, "dp=2"), 0);
  const auto index_of = [&](auto what) {
    const auto& ops = sound[1].ops;
    return std::find_if(ops.begin(), ops.end(), [&](const Op& op) { return is(op, what); }) -
           ops.begin();
  };
  std::vector<Program> twice = sound;
  const auto adamw = index_of(OpId::adamw);
  twice[1].ops.insert(twice[1].ops.begin() + adamw, twice[1].ops[static_cast<std::size_t>(adamw)]);
  EXPECT_THAT(update_problem(twice), HasSubstr("out of turn"));

  std::vector<Program> missing = sound;
  for (Program& program : missing)
    program.ops.erase(program.ops.begin() + index_of(Verb::all_gather));
  EXPECT_THAT(update_problem(missing), HasSubstr("keeps an old element"));

  std::vector<Program> stale = sound;
  stale[1] = stale[0];
  EXPECT_THAT(update_problem(stale), HasSubstr("is updated by"));

  std::vector<Program> elsewhere = all_ranks(model, plan_of(model, "dp=2"));
  for (Op& op : elsewhere[1].ops) {
    if (is(op, Verb::all_gather)) op.operands[0].offset = op.operands[1].offset;
  }
  EXPECT_THAT(problems(elsewhere), Each(HasSubstr("operands overlap but not as in place")));
}

// Moments, and the master copy of bf16, of this rank's shards; all else as without sharding.
TEST(Zero, StateIsTheShardsAndNoMore) {
  for (const Model& model : {small_gpt2(), small_llama()}) {
    for (const char* text : {"dp=2", "dp=4,precision=bf16", "tp=2,dp=4,sp=on,precision=bf16"}) {
      SCOPED_TRACE(text);
      Plan plan = plan_of(model, text);
      const ParamLayout layout(model, plan, 1);
      const Program program = step_program(model, plan, 1);
      const std::int64_t per_element = plan.precision == DType::f32 ? 8 : 12;
      const std::int64_t state = memory_bytes(program, BufferKind::optimizer);
      EXPECT_EQ(state, per_element * layout.elements() / plan.dp);
      EXPECT_EQ(facts_of_step(model, plan, program, {}).optimizer_bytes, state);
      plan.zero = 0;
      const Program whole = step_program(model, plan, 1);
      const std::int64_t padding = layout.elements() - ParamLayout(model, plan, 1).elements();
      const auto width = static_cast<std::int64_t>(size_of(plan.precision));
      EXPECT_EQ(memory_bytes(program, BufferKind::param),
                memory_bytes(whole, BufferKind::param) + width * padding);
      EXPECT_EQ(memory_bytes(program, BufferKind::grad),
                memory_bytes(whole, BufferKind::grad) + 4 * padding);
    }
  }
  const Model model = small_llama();
  EXPECT_LT(step_memory_bytes(model, plan_of(model, "dp=4")),
            step_memory_bytes(model, plan_of(model, "dp=4,zero=0")));
}

TEST(Zero, OneRankShardsNothing) {
  for (const char* text : {"dp=1", "dp=1,tp=2,clip=0"}) {
    Plan plan = plan_of(small_gpt2(), text);
    Program sharded = step_program(small_gpt2(), plan, 0);
    plan.zero = 0;
    sharded.name = step_program(small_gpt2(), plan, 0).name;
    EXPECT_EQ(sharded, step_program(small_gpt2(), plan, 0));
  }
}

// Scatters go while earlier layers still compute, gathers while the next bucket is updated; no
// scatter waits behind a gather.
TEST(Zero, CommunicationOverlapsWithWork) {
  const Model model = small_gpt2();
  for (const char* text :
       {"dp=2", "dp=2,clip=0,optimizer_overlap=on", "dp=2,optimizer_overlap=on"}) {
    SCOPED_TRACE(text);
    const Program program = step_program(model, plan_of(model, text), 0);
    const auto& ops = program.ops;
    std::size_t first_scatter = ops.size(), last_scatter = 0, last_backward = 0;
    std::size_t first_gather = ops.size(), last_update = 0;
    for (std::size_t i = 0; i < ops.size(); ++i) {
      if (ops[i].phase == Phase::backward) last_backward = i;
      if (is(ops[i], OpId::adamw)) last_update = i;
      if (is(ops[i], Verb::all_gather)) first_gather = std::min(first_gather, i);
      if (!is(ops[i], Verb::reduce_scatter)) continue;
      last_scatter = i;
      first_scatter = std::min(first_scatter, i);
    }
    EXPECT_LT(first_scatter + 15, last_backward);
    EXPECT_LT(last_scatter, first_gather);
    EXPECT_LT(first_gather, last_update);
    for (std::size_t i = first_scatter; i < ops.size(); ++i) {
      const bool waits =
          i <= last_backward ? ops[i].phase == Phase::backward : is(ops[i], OpId::adamw);
      if (!waits) continue;
      for (const std::int32_t dep : ops[i].deps) {
        EXPECT_FALSE(is(ops[static_cast<std::size_t>(dep)], Verb::all_gather)) << ops[i].label;
      }
      if (ops[i].phase == Phase::optimizer) continue;
      EXPECT_THAT(ops[i].deps, IsEmpty()) << ops[i].label;
    }
  }
}

// Both forms add the same parts of the norm in the same order, and update the same shards.
TEST(Zero, FormsOfTheOptimizerDoTheSameWork) {
  for (const char* clip : {"0", "1"}) {
    Plan plan = plan_of(small_llama(), fmt::format("tp=2,dp=2,sp=on,clip={}", clip));
    const Program serial = step_program(small_llama(), plan, 1);
    plan.optimizer_overlap = OptimizerOverlap::on;
    const Program beside = step_program(small_llama(), plan, 1);
    EXPECT_EQ(serial.buffers, beside.buffers);
    EXPECT_TRUE(optimizer_beside_backward(beside));
    const auto squares = [](const Program& program) {
      std::vector<std::pair<OpShape, std::vector<BufferSlice>>> found;
      for (const Op& op : program.ops) {
        if (is(op, OpId::sum_squares)) found.emplace_back(*op.kernel, op.operands);
      }
      return found;
    };
    EXPECT_EQ(squares(serial), squares(beside));
  }
}

}  // namespace
}  // namespace stepmark
