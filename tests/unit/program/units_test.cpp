// SPDX-License-Identifier: Apache-2.0
// ZeRO-2 and ZeRO-3 in step programs: valid, free of races, of the memory that they are for, with
// gathers one layer ahead and one reduce-scatter in flight.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "harness/program/memory_plan.h"
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
using ::testing::Not;

Plan plan_of(const Model& model, std::string_view text) {
  const Plan plan = parse_plan(text, parse_plan("micro_batch=2"));
  return resolve(plan, model, plan.ranks());
}

bool is(const Op& op, OpId id) { return op.kernel && op.kernel->id == id; }
bool is(const Op& op, Verb verb) { return op.comm && op.comm->verb == verb; }

const std::vector<std::string> kPlans{"dp=2,zero=2",
                                      "dp=3,zero=2,accumulation=3,clip=0,optimizer_overlap=on",
                                      "dp=2,zero=3",
                                      "tp=2,dp=4,sp=on,zero=3",
                                      "dp=4,zero=3,shard=2,accumulation=2",
                                      "dp=3,zero=3,reshard=off,accumulation=2,precision=bf16",
                                      "tp=2,dp=2,sp=on,zero=3,reduce=bf16,accumulation=2",
                                      "tp=2,dp=4,sp=on,zero=2,shard=2,gather=forward",
                                      "dp=4,zero=1,shard=2,gather=forward,reduce=bf16",
                                      "pp=2,dp=2,zero=3,accumulation=3,clip=0,optimizer_overlap=on",
                                      "pp=2,tp=2,dp=2,sp=on,zero=2,accumulation=2,schedule=gpipe",
                                      "dp=2,zero=3,accumulation=2,grad_sync=last,reduce=bf16"};

TEST(Units, ProgramsAreValidAndFreeOfRacesAndReadBack) {
  for (const Model& model : {small_gpt2(), small_llama()}) {
    for (const std::string& text : kPlans) {
      SCOPED_TRACE(model.name + " " + text);
      const Plan plan = plan_of(model, text);
      const std::vector<Program> programs = all_ranks(model, plan);
      ASSERT_THAT(problems(programs), IsEmpty());
      for (const Program& program : {programs.front(), programs.back()}) {
        EXPECT_THAT(races(program), IsEmpty());
        EXPECT_EQ(parse_program(to_text(program)), program);
      }
    }
  }
}

// Over the ranks of a shard group every element is updated by one, each with its section's decay.
TEST(Units, EachElementIsUpdatedOnceWithItsDecay) {
  for (const Model& model : {small_gpt2(), small_llama()}) {
    for (const std::string& text : kPlans) {
      SCOPED_TRACE(model.name + " " + text);
      const Plan plan = plan_of(model, text);
      const StepMesh mesh(plan);
      std::vector<int> updates;
      const auto last = static_cast<std::int32_t>(plan.ranks()) - 1;
      for (const std::int32_t rank : mesh.group(last, mesh.shard_group())) {
        const ParamLayout layout(model, plan, rank);
        updates.resize(static_cast<std::size_t>(layout.elements()), 0);
        for (const Op& op : step_program(model, plan, rank).ops) {
          if (!is(op, OpId::adamw)) continue;
          const BufferSlice& moment = op.operands[3];
          const auto owner = std::find_if(
              layout.buckets().begin(), layout.buckets().end(), [&](const auto& bucket) {
                return bucket.own.state <= moment.offset &&
                       moment.offset < bucket.own.state + bucket.own.elements();
              });
          ASSERT_NE(owner, layout.buckets().end());
          const std::int64_t begin = owner->own.begin + moment.offset - owner->own.state;
          for (std::int64_t i = begin; i < begin + moment.elements; ++i) {
            ++updates[static_cast<std::size_t>(i)];
          }
          const bool decays = op.kernel->scalars[4] > 0;
          for (const Param& param : layout.params()) {
            const bool touched = param.offset < begin + moment.elements &&
                                 begin < param.offset + param.stored_elements();
            if (!touched) continue;
            EXPECT_EQ(decays, param.decay) << param.name;
          }
        }
      }
      EXPECT_THAT(updates, Each(1));
    }
  }
}

// Shards of all that keeps its content, and of gathered layers and whole gradients two each.
TEST(Units, MemoryIsShardsAndTwoLayers) {
  Model model = small_llama();
  model.layers = 6;
  for (const char* text : {"dp=2,zero=2", "dp=4,zero=3,precision=bf16", "dp=4,zero=3,shard=2",
                           "tp=2,dp=4,sp=on,zero=3,accumulation=2"}) {
    SCOPED_TRACE(text);
    const Plan plan = plan_of(model, text);
    const ParamLayout layout(model, plan, 1);
    const Program program = step_program(model, plan, 1);
    const std::int64_t width = static_cast<std::int64_t>(size_of(plan.precision));
    const std::int64_t shard = layout.elements() / plan.shard_ways();
    EXPECT_EQ(layout.state_elements(), shard);
    EXPECT_EQ(memory_bytes(program, BufferKind::grad), 4 * shard);
    EXPECT_EQ(memory_bytes(program, BufferKind::param),
              width * (plan.zero == 3 ? shard : layout.elements()));
    EXPECT_EQ(memory_bytes(program, BufferKind::optimizer), shard * (width == 4 ? 8 : 12));
    std::set<std::string> whole;
    for (const BufferDecl& buffer : program.buffers) {
      const bool of_unit = buffer.name.starts_with("params.") || buffer.name.starts_with("grads.");
      if (of_unit && buffer.name != "grads.arrived") whole.insert(buffer.name);
    }
    std::set<std::string> expected{"grads.even", "grads.odd", "grads.head", "grads.embedding"};
    if (plan.zero == 3) {
      expected.insert({"params.even", "params.odd", "params.head", "params.embedding"});
    }
    EXPECT_EQ(whole, expected);
  }
  const auto peak = [&](const char* text) {
    return step_memory_bytes(model, plan_of(model, text));
  };
  EXPECT_LT(peak("dp=4,zero=2"), peak("dp=4,zero=1"));
  EXPECT_LT(peak("dp=4,zero=3"), peak("dp=4,zero=2"));
  EXPECT_LT(peak("dp=4,zero=3"), peak("dp=4,zero=3,shard=2"));
  EXPECT_LT(peak("dp=4,zero=3"), peak("dp=4,zero=3,reshard=off"));
}

std::int32_t find_op(const Program& program, std::string_view label, std::int32_t from = 0) {
  for (std::int32_t i = from; i < std::ssize(program.ops); ++i) {
    if (program.ops[static_cast<std::size_t>(i)].label.starts_with(label)) return i;
  }
  return -1;
}

// The next layer's parameters are asked for before a layer begins, which waits for its own alone.
TEST(Units, GathersRunOneLayerAhead) {
  Model model = small_llama();
  model.layers = 5;
  const Program program = step_program(model, plan_of(model, "dp=2,zero=3"), 0);
  const auto before = ended_before(program);
  for (int layer = 1; layer < 4; ++layer) {
    const std::int32_t gather = find_op(program, fmt::format("params.layer{}", layer + 1));
    const std::int32_t own = find_op(program, fmt::format("params.layer{}", layer));
    const std::int32_t begins = find_op(program, fmt::format("layer{}.attn.qkv", layer));
    const std::int32_t next = find_op(program, fmt::format("layer{}.attn.qkv", layer + 1));
    ASSERT_LT(gather, begins);
    const auto ended = [&](std::int32_t at, std::int32_t what) {
      return before[static_cast<std::size_t>(at)][static_cast<std::size_t>(what)];
    };
    EXPECT_TRUE(ended(begins, own));
    EXPECT_FALSE(ended(begins, gather)) << layer;
    EXPECT_TRUE(ended(next, gather));
    // Not two ahead: its place is free when the layer before has ended.
    EXPECT_TRUE(ended(gather, find_op(program, fmt::format("layer{}.attn.qkv", layer - 1))));
    EXPECT_FALSE(ended(gather, begins));
  }
}

// A layer's gradients leave while the layer before computes its own; the one before that waits.
TEST(Units, OneReduceScatterIsInFlight) {
  Model model = small_llama();
  model.layers = 5;
  for (const char* text : {"dp=2,zero=2", "dp=2,zero=3"}) {
    const Program program = step_program(model, plan_of(model, text), 0);
    const auto before = ended_before(program);
    for (int layer = 4; layer > 1; --layer) {
      const auto scatter =
          static_cast<std::size_t>(find_op(program, fmt::format("grads.layer{}", layer)));
      const auto wgrad = [&](int of) {
        return static_cast<std::size_t>(
            find_op(program, fmt::format("layer{}.mlp.down.wgrad", of)));
      };
      ASSERT_TRUE(is(program.ops[scatter], Verb::reduce_scatter));
      EXPECT_TRUE(before[scatter][wgrad(layer)]);
      EXPECT_FALSE(before[wgrad(layer - 1)][scatter]) << layer;
      EXPECT_TRUE(before[wgrad(layer - 2)][scatter]) << layer;
    }
  }
}

// What fills a unit up is zeroed wherever the backward pass does not write it.
TEST(Units, EveryElementThatIsReducedIsWrittenBefore) {
  for (const Model& model : {small_gpt2(), small_llama()}) {
    for (const std::string& text : kPlans) {
      const Plan plan = plan_of(model, text + ",seq=8");
      if (!plan.shards_gradients()) continue;
      SCOPED_TRACE(model.name + " " + text);
      for (const std::int32_t rank : {0, static_cast<std::int32_t>(plan.ranks()) - 1}) {
        const Program program =
            step_program(model, plan, rank, DeviceTraits{.dimension_multiple = 16});
        std::map<std::int32_t, std::vector<bool>> written;
        for (const Op& op : program.ops) {
          const bool scatters = is(op, Verb::reduce_scatter) && op.label.starts_with("grads.");
          const bool narrows = is(op, OpId::cast) && op.label.ends_with(".narrow");
          if (op.comm ? scatters : narrows) {
            const BufferSlice& slice = op.operands[0];
            auto& of = written[slice.buffer];
            ASSERT_GE(std::ssize(of), slice.offset + slice.elements);
            for (std::int64_t i = slice.offset; i < slice.offset + slice.elements; ++i) {
              ASSERT_TRUE(of[static_cast<std::size_t>(i)]) << op.label << " " << i;
            }
            std::fill(of.begin(), of.end(), false);
          }
          if (!op.kernel) continue;
          for (std::size_t k = 0; k < op.operands.size(); ++k) {
            const BufferSlice& slice = op.operands[k];
            if (slice.buffer < 0 || access_of(op, k) == Access::in) continue;
            auto& of = written[slice.buffer];
            of.resize(std::max<std::size_t>(
                of.size(), static_cast<std::size_t>(slice.offset + slice.elements)));
            std::fill_n(of.begin() + slice.offset, slice.elements, true);
          }
        }
      }
    }
  }
}

// With m micro-batches, n ranks and P parameters reduced: 4 P (n-1)/n bytes once instead of m
// times, for 4 P bytes of whole gradients.
TEST(Units, GradientsThatAreReducedLastTravelOnceAndLieWhole) {
  for (const Model& model : {small_gpt2(), small_llama()}) {
    for (const char* text : {"dp=2,zero=2", "dp=4,zero=3", "tp=2,dp=2,sp=on,zero=3",
                             "dp=4,zero=3,shard=2", "pp=2,dp=2,zero=2"}) {
      SCOPED_TRACE(model.name + " " + text);
      const std::string several = fmt::format("{},accumulation=3", text);
      const Plan every = plan_of(model, several),
                 last = plan_of(model, several + ",grad_sync=last");
      const std::vector<Program> programs = all_ranks(model, last);
      ASSERT_THAT(problems(programs), IsEmpty());
      EXPECT_THAT(races(programs.front()), IsEmpty());
      const Program& program = programs.front();
      const Program reference = step_program(model, every, 0);
      const ParamLayout layout(model, last, 0);
      const auto scattered = [&](const Program& of) {
        std::int64_t elements = 0;
        for (const Op& op : of.ops) {
          if (is(op, Verb::reduce_scatter) && op.label.starts_with("grads.")) {
            elements += op.comm->count;
          }
        }
        return elements;
      };
      EXPECT_EQ(scattered(program), layout.state_elements());
      EXPECT_EQ(scattered(reference), 3 * layout.state_elements());
      EXPECT_EQ(memory_bytes(program, BufferKind::grad),
                4 * (layout.state_elements() + layout.elements()));
      EXPECT_EQ(memory_bytes(reference, BufferKind::grad), 4 * layout.state_elements());
    }
  }
}

TEST(Units, OneRankShardsNothing) {
  for (const char* text : {"dp=1", "dp=1,tp=2,clip=0"}) {
    for (const int zero : {2, 3}) {
      Program sharded = step_program(
          small_gpt2(), plan_of(small_gpt2(), fmt::format("{},zero={}", text, zero)), 0);
      const Program whole = step_program(small_gpt2(), plan_of(small_gpt2(), text), 0);
      sharded.name = whole.name;
      EXPECT_EQ(sharded, whole);
    }
  }
}

// A wait that is left out, a gather into another's place, a reduction that one rank leaves out.
TEST(Units, PlantedFaultsAreFound) {
  Model model = small_llama();
  model.layers = 4;
  const std::vector<Program> sound = all_ranks(model, plan_of(model, "dp=2,zero=3"));
  ASSERT_THAT(problems(sound), IsEmpty());
  const std::int32_t qkv = find_op(sound[0], "layer2.attn.qkv");
  Program hasty = sound[0];
  for (std::int32_t i = 0; i <= qkv; ++i) {
    Op& op = hasty.ops[static_cast<std::size_t>(i)];
    if (op.kernel) op.deps.clear();
  }
  EXPECT_THAT(races(hasty), Not(IsEmpty()));
  std::vector<Program> silent = sound;
  Program& program = silent[1];
  const std::int32_t scatter = find_op(program, "grads.layer2");
  Op& op = program.ops[static_cast<std::size_t>(scatter)];
  op.comm->count /= 2;
  op.operands[0].elements /= 2;
  op.operands[1].elements /= 2;
  EXPECT_THAT(problems(silent), Each(HasSubstr("grads.layer2")));
  EXPECT_THAT(problems(silent), Not(IsEmpty()));
}

}  // namespace
}  // namespace stepmark
