// SPDX-License-Identifier: Apache-2.0
// Lowered pipelines against closed formulas: what is sent, what is in flight, what memory that
// takes. And faults planted in them, which validation must find.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "core/error.h"
#include "harness/program/memory_plan.h"
#include "harness/program/step_facts.h"
#include "harness/program/text.h"
#include "harness/program/validate.h"
#include "harness/program/validate_step.h"
#include "tests/unit/program/models.h"
#include "tests/unit/program/ordering.h"

namespace stepmark {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

Model deep(Model model, std::int64_t layers) {
  model.layers = layers;
  return model;
}

Plan plan_of(const std::string& text, const Model& model) {
  const Plan plan = parse_plan(text);
  return resolve(plan, model, plan.tp * plan.pp * std::max<std::int64_t>(plan.dp, 1));
}

std::vector<std::string> plans() {
  std::vector<std::string> result;
  for (const int stages : {2, 3, 4}) {
    for (const int micro_batches : {1, stages, 2 * stages, 2 * stages + 1}) {
      for (const char* schedule : {"gpipe", "1f1b", "zb-h1"}) {
        result.push_back(
            fmt::format("pp={},accumulation={},schedule={}", stages, micro_batches, schedule));
      }
      if (micro_batches % stages != 0) continue;
      for (const int chunks : {2, 3}) {
        result.push_back(fmt::format("pp={},accumulation={},schedule=interleaved,chunks={}", stages,
                                     micro_batches, chunks));
      }
    }
  }
  return result;
}

// arXiv 2104.04473 section 2.2: per micro-batch and boundary between stages of the model, the
// residual stream one way and its gradient the other.
TEST(PipelineVolume, IsThatOfTheBoundaries) {
  const Model model = deep(small_llama(), 13);
  std::size_t checked = 0;
  for (const std::string& text : plans()) {
    for (const char* more : {"", ",tp=2", ",tp=2,sp=on,micro_batch=2", ",dp=2,precision=bf16"}) {
      const Plan plan = plan_of(text + more, model);
      const StepMesh mesh(plan);
      const std::int64_t message = plan.micro_batch * plan.seq * model.hidden /
                                   (plan.sequence_parallel ? plan.tp : 1) *
                                   static_cast<std::int64_t>(size_of(plan.precision));
      for (std::int32_t stage = 0; stage < mesh.stages(); ++stage) {
        const Program program = step_program(model, plan, mesh.first_rank_of(stage));
        const StepFacts facts = facts_of_step(model, plan, program, {});
        const std::int64_t ends = (stage == 0 ? 1 : 0) + (stage + 1 == mesh.stages() ? 1 : 0);
        const std::int64_t messages = plan.accumulation * (2 * plan.chunks - ends);
        EXPECT_EQ(facts.traffic.at("pp").bus_bytes, static_cast<double>(messages * message))
            << text << more << " stage " << stage;
        // As many are received.
        EXPECT_EQ(facts.traffic.at("pp").calls.at("send_recv"), 2 * messages);
        EXPECT_EQ(facts.traffic.at("pp").ranks, plan.pp);
        ++checked;
      }
    }
  }
  EXPECT_GT(checked, 300U);
}

// What a slot sends and the next one begins with are one call: no schedule comes to a standstill by
// it, and as much is sent.
TEST(Pipeline, BatchedMessagesEndAndAreTheSameOnes) {
  const Model model = deep(small_llama(), 13);
  std::size_t pairs = 0;
  for (const std::string& text : plans()) {
    if (text.find("chunks") != std::string::npos) continue;  // refused
    SCOPED_TRACE(text);
    const Plan single = plan_of(text, model), batched = plan_of(text + ",p2p=batched", model);
    const std::vector<Program> programs = all_ranks(model, batched);
    EXPECT_THAT(problems(programs), IsEmpty());
    EXPECT_TRUE(validate_step(model, batched).whole);
    EXPECT_THAT(races(programs.front()), IsEmpty());
    for (std::int32_t rank = 0; rank < std::ssize(programs); ++rank) {
      const Program& program = programs[static_cast<std::size_t>(rank)];
      const auto bytes = [&](const Program& of, const Plan& plan) {
        return facts_of_step(model, plan, of, {}).traffic.at("pp").bus_bytes;
      };
      EXPECT_EQ(bytes(program, batched), bytes(step_program(model, single, rank), single));
      for (const Op& op : program.ops) {
        pairs += op.comm && op.comm->send_peer >= 0 && op.comm->recv_peer >= 0 ? 1 : 0;
      }
    }
  }
  EXPECT_GT(pairs, 400U);
}

TEST(PipelineVolume, TiedTablesAreSummedOnceAndTheNormOverTheModel) {
  const Model model = deep(small_gpt2(), 4);
  const Plan plan = plan_of("pp=4,tp=2,accumulation=4", model);
  for (std::int32_t rank = 0; rank < 8; ++rank) {
    const Program program = step_program(model, plan, rank);
    std::int64_t table = 0, norm = 0;
    for (const Op& op : program.ops) {
      if (!op.comm) continue;
      if (op.comm->axis == "embedding") table += op.comm->count;
      if (op.comm->axis == "pp_tp") norm += op.comm->count;
    }
    const bool end = rank < 2 || rank >= 6;
    const std::int64_t stored = end ? ParamLayout(model, plan, rank).sections().back().elements : 0;
    EXPECT_EQ(table, stored) << rank;
    EXPECT_EQ(norm, 1) << rank;
  }
}

std::int64_t sets_of(const Program& program, const std::string& name) {
  std::int64_t sets = program.buffer_index(name) >= 0 ? 1 : 0;
  while (program.buffer_index(fmt::format("set{}.{}", sets, name)) >= 0) ++sets;
  return sets;
}

TEST(PipelineMemory, HasASetOfActivationsForEachMicroBatchInFlight) {
  const Model model = deep(small_llama(), 4);
  for (const char* schedule : {"gpipe", "1f1b", "zb-h1"}) {
    const Plan plan = plan_of(fmt::format("pp=4,accumulation=8,schedule={}", schedule), model);
    for (std::int32_t stage = 0; stage < 4; ++stage) {
      const Program program = step_program(model, plan, stage);
      const std::int64_t expected = std::string_view(schedule) == "gpipe"   ? 8
                                    : std::string_view(schedule) == "zb-h1" ? 4
                                                                            : 4 - stage;
      EXPECT_EQ(sets_of(program, fmt::format("layer{}.up", stage)), expected) << schedule << stage;
      EXPECT_EQ(sets_in_flight(plan, stage), expected);
    }
  }
}

TEST(PipelineMemory, GrowsWithWhatIsInFlight) {
  const Model model = deep(small_llama(), 8);
  const auto peak = [&](const char* schedule, std::int32_t stage) {
    const Plan plan = plan_of(fmt::format("pp=4,accumulation=8,micro_batch=4,{}", schedule), model);
    return plan_memory(step_program(model, plan, stage)).bytes;
  };
  EXPECT_GT(peak("schedule=gpipe", 1), peak("schedule=1f1b", 1));
  EXPECT_GT(peak("schedule=1f1b", 1), peak("schedule=1f1b", 2));
  EXPECT_GT(peak("schedule=zb-h1", 2), peak("schedule=1f1b", 2));
  EXPECT_GT(peak("schedule=interleaved,chunks=2", 1), peak("schedule=1f1b", 1));
  // What is said of a stage is what it takes.
  for (const char* schedule : {"1f1b", "zb-h1", "interleaved,chunks=2"}) {
    const Plan plan = plan_of(
        fmt::format("pp=2,accumulation=16,optimizer_overlap=off,schedule={}", schedule), model);
    for (std::int32_t stage = 0; stage < 2; ++stage) {
      EXPECT_EQ(rank_memory_bytes(model, plan, {}, stage),
                plan_memory(step_program(model, plan, stage)).bytes)
          << schedule << " stage " << stage;
    }
  }
}

TEST(PipelinePrograms, AreValidAndWithoutRaces) {
  for (const std::string& text : plans()) {
    SCOPED_TRACE(text);
    const Model model = deep(text.size() % 2 == 0 ? small_gpt2() : small_llama(), 13);
    const Plan plan = plan_of(text, model);
    const StepValidation done = validate_step(model, plan);
    EXPECT_TRUE(done.whole);
    EXPECT_EQ(done.roles, plan.pp);
    EXPECT_THAT(problems(all_ranks(model, plan)), IsEmpty());
  }
  const Model model = deep(small_gpt2(), 4);
  for (const char* text : {"pp=2,accumulation=2", "pp=2,accumulation=2,schedule=zb-h1,tp=2,sp=on",
                           "pp=2,accumulation=2,schedule=interleaved,chunks=2"}) {
    for (const Program& program : all_ranks(model, plan_of(text, model))) {
      EXPECT_THAT(races(program), IsEmpty()) << text;
    }
  }
}

// The printed programs of docs/forms/pipeline_step.md are those that are built.
TEST(PipelinePrograms, ArePrintedInTheForms) {
  const Model model = deep(small_llama(), 2);
  const Plan plan = plan_of("pp=2,schedule=zb-h1,accumulation=2,optimizer_overlap=off", model);
  for (std::int32_t rank = 0; rank < 2; ++rank) {
    const std::string path =
        fmt::format("{}/../docs/forms/pipeline_step.rank{}.txt", STEPMARK_CONFIGS, rank);
    std::ostringstream printed;
    printed << std::ifstream(path).rdbuf();
    EXPECT_EQ(printed.str(), to_text(step_program(model, plan, rank))) << path;
  }
}

// A transfer that nothing of the slot before needs runs beside it.
TEST(PipelinePrograms, ReceiveASlotAhead) {
  const Model model = deep(small_llama(), 4);
  const Program program = step_program(model, plan_of("pp=2,accumulation=4", model), 1);
  const auto before = ended_before(program);
  const auto index_of = [&](std::string_view label, int times) {
    for (std::size_t i = 0; i < program.ops.size(); ++i) {
      if (program.ops[i].label == label && times-- == 0) return i;
    }
    ADD_FAILURE() << label;
    return std::size_t{0};
  };
  const std::size_t receive = index_of("recv.F2.s1", 0);
  // Forward of micro-batch 2 is received while the backward pass of micro-batch 1 runs.
  const std::size_t last_of_pass = index_of("layer2.attn_norm.bwd", 1);
  EXPECT_FALSE(before[receive][last_of_pass]);
  EXPECT_FALSE(before[last_of_pass][receive]);
}

// Two stages with slots of their own: what a mistaken schedule would do.
std::vector<Program> two_stages(const std::vector<Slot>& first, const std::vector<Slot>& second) {
  const Model model = deep(small_llama(), 2);
  const Plan plan = plan_of("pp=2,accumulation=2,clip=0", model);
  return {unfused_step_program(model, plan, 0, {}, first),
          unfused_step_program(model, plan, 1, {}, second)};
}

std::vector<Slot> slots(std::string_view text) {  // "F0 F1 B0 B1"
  std::vector<Slot> result;
  for (std::size_t i = 0; i + 1 < text.size(); i += 3) {
    if (text[i] == 'F') result.push_back({.micro = text[i + 1] - '0'});
    if (text[i] == 'B') push_backward(result, text[i + 1] - '0');
  }
  return result;
}

TEST(PipelineFaults, AReorderedSlotIsNamedOnBothSides) {
  EXPECT_THAT(problems(two_stages(slots("F0 F1 B0 B1"), slots("F0 B0 F1 B1"))), IsEmpty());
  EXPECT_THAT(problems(two_stages(slots("F0 F1 B1 B0"), slots("F0 B0 F1 B1"))),
              ElementsAre(AllOf(HasSubstr("message 0 from rank 1 to rank 0 does not match"),
                                HasSubstr("'send.B0.s0'"), HasSubstr("'recv.B1.s0'"),
                                HasSubstr("rank 1 sends:    [B0.s0] B1.s0"),
                                HasSubstr("rank 0 receives: [B1.s0] B0.s0"))));
  EXPECT_THAT(problems(two_stages(slots("F0 F1 B0 B1"), slots("F1 F0 B0 B1"))),
              ElementsAre(AllOf(HasSubstr("'send.F0.s1'"), HasSubstr("'recv.F1.s1'"))));
}

TEST(PipelineFaults, SchedulesThatWaitForEachOtherAreADeadlock) {
  EXPECT_THAT(problems(two_stages(slots("F0 B0 F1 B1"), slots("F0 F1 B0 B1"))),
              ElementsAre(AllOf(HasSubstr("deadlock"), HasSubstr("'recv.B0.s0'"),
                                HasSubstr("in the order [recv.B0.s0] recv.B1.s0\n"),
                                HasSubstr("'recv.F1.s1'"),
                                HasSubstr("in the order recv.F0.s1 [recv.F1.s1]\n"))));
}

TEST(PipelineFaults, AMessageOfAnotherSizeIsNamed) {
  auto programs = two_stages(slots("F0 F1 B0 B1"), slots("F0 B0 F1 B1"));
  auto& ops = programs[0].ops;
  const auto send =
      std::find_if(ops.begin(), ops.end(), [](const Op& op) { return op.label == "send.F1.s1"; });
  ASSERT_NE(send, ops.end());
  send->comm->count -= 1;
  send->operands[0].elements -= 1;
  EXPECT_THAT(problems(programs), Contains(AllOf(HasSubstr("message 1 from rank 0 to rank 1"),
                                                 HasSubstr("'send.F1.s1'"))));
}

// A role that stands for a rank of another stage.
TEST(PipelineFaults, AStageThatPlaysAnothersRoleIsFound) {
  const Model model = deep(small_llama(), 4);
  const Plan plan = plan_of("pp=4,accumulation=4", model);
  const std::vector<Program> programs = all_ranks(model, plan);
  Cast cast{.programs = {&programs[0], &programs[1], &programs[3]},
            .role_of = {0, 1, 1, 2},
            .axes = groups_of(StepGroups(model, plan))};
  EXPECT_THAT(problems(cast), ::testing::Not(IsEmpty()));
}

// Without its wait an op may run while its input is still on the way.
TEST(PipelineFaults, AMissingWaitIsARace) {
  const Model model = deep(small_llama(), 2);
  Program program = step_program(model, plan_of("pp=2,accumulation=2", model), 1);
  ASSERT_THAT(races(program), IsEmpty());
  for (Op& op : program.ops) {
    if (op.label == "layer1.attn_norm") op.deps.clear();
  }
  EXPECT_THAT(races(program), Contains(HasSubstr("recv.F0.s1 and layer1.attn_norm")));
}

// Ops of which none is known to end before the other begins, and that use the same bytes of the
// arena through different buffers, one of them writing.
std::vector<std::string> collisions(const Program& program, const MemoryPlan& plan) {
  const auto before = ended_before(program);
  const auto bytes_of = [&](const BufferSlice& slice) {
    const auto buffer = static_cast<std::size_t>(slice.buffer);
    const auto size = static_cast<std::int64_t>(size_of(program.buffers[buffer].dtype));
    const std::int64_t begin = plan.offsets_bytes[buffer] + slice.offset * size;
    return std::pair{begin, begin + slice.elements * size};
  };
  const auto collide = [&](const Op& a, std::size_t i, const Op& b, std::size_t j) {
    const BufferSlice &x = a.operands[i], &y = b.operands[j];
    if (x.buffer < 0 || y.buffer < 0 || x.buffer == y.buffer) return false;
    if (!writes(a, i) && !writes(b, j)) return false;
    const auto [x_begin, x_end] = bytes_of(x);
    const auto [y_begin, y_end] = bytes_of(y);
    return x_begin < y_end && y_begin < x_end;
  };
  std::vector<std::string> found;
  for (std::size_t p = 0; p < program.ops.size(); ++p) {
    for (std::size_t q = 0; q < p; ++q) {
      if (before[p][q]) continue;
      const Op &later = program.ops[p], &earlier = program.ops[q];
      for (std::size_t i = 0; i < later.operands.size(); ++i) {
        for (std::size_t j = 0; j < earlier.operands.size(); ++j) {
          if (collide(later, i, earlier, j)) found.push_back(earlier.label + " and " + later.label);
        }
      }
    }
  }
  return found;
}

TEST(PipelineMemory, NothingIsReceivedOverWhatIsInUse) {
  const Model model = deep(small_gpt2(), 4);
  for (const char* text : {"pp=2,accumulation=3", "pp=2,accumulation=3,schedule=zb-h1",
                           "pp=2,accumulation=2,schedule=interleaved,chunks=2,tp=2,sp=on"}) {
    for (const Program& program : all_ranks(model, plan_of(text, model))) {
      EXPECT_THAT(collisions(program, plan_memory(program)), IsEmpty()) << text;
    }
  }
}

// What is received ahead, laid over what the slot before works with.
TEST(PipelineFaults, APlaceThatIsInUseIsACollision) {
  const Model model = deep(small_llama(), 2);
  const Program program = step_program(model, plan_of("pp=2,accumulation=2", model), 1);
  MemoryPlan plan = plan_memory(program);
  const auto offset = [&](std::string_view buffer) -> std::int64_t& {
    return plan.offsets_bytes[static_cast<std::size_t>(program.buffer_index(buffer))];
  };
  offset("set1.x1") = offset("dpartial");
  EXPECT_THAT(collisions(program, plan), Contains(HasSubstr("recv.F1.s1")));
}

TEST(ValidateStep, APipelineOfManyRanksIsCheckedByItsRounds) {
  const Model model = deep(small_llama(), 6000);
  const Plan plan =
      resolve(parse_plan("tp=8,pp=4,accumulation=8,schedule=interleaved,chunks=2"), model, 1 << 12);
  const StepValidation done = validate_step(model, plan);
  EXPECT_FALSE(done.whole);
  EXPECT_EQ(done.ranks, 1 << 12);
  EXPECT_EQ(done.roles, 8) << "two sizes of vocabulary shards on each of four stages";
  EXPECT_EQ(done.micro_steps, 8);
  EXPECT_GE(done.layers, 16);
  EXPECT_LT(done.layers, 6000);
}

}  // namespace
}  // namespace stepmark
