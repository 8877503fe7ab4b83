// SPDX-License-Identifier: Apache-2.0
// A step without a part: the ops of that part are gone, and nothing else.
#include "harness/program/ablate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/program/memory_plan.h"
#include "harness/program/validate.h"
#include "tests/unit/program/models.h"

namespace stepmark {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

// Whether an op of this axis, or a kernel ("compute"), is of a part.
bool gone(const std::string& what, const std::string& part) {
  const std::string all_but = "all-but-";
  if (part.starts_with(all_but)) return what != part.substr(all_but.size());
  return what == part || (what != "compute" && part == "communication");
}

Plan plan_of(const Model& model, const char* text) {
  const Plan plan = parse_plan(text, parse_plan("micro_batch=2"));
  return resolve(plan, model, plan.ranks());
}

TEST(Ablation, NamesThePartsOfAStep) {
  const Model model = small_llama();
  EXPECT_THAT(parts_of_step(model, plan_of(model, "dp=1")), IsEmpty());
  EXPECT_THAT(parts_of_step(model, plan_of(model, "dp=2,clip=0")), ElementsAre("dp", "compute"));
  EXPECT_THAT(parts_of_step(model, plan_of(model, "dp=4,zero=3,shard=2,clip=0")), Contains("dp"));
  const auto all = parts_of_step(model, plan_of(model, "tp=2,dp=1,cp=2,pp=2,accumulation=2"));
  for (const char* part :
       {"tp", "cp", "pp", "communication", "compute", "all-but-tp", "all-but-cp", "all-but-pp"})
    EXPECT_THAT(all, Contains(part));
}

TEST(Ablation, LeavesOutOnePartAndNothingElse) {
  for (const Model& model : {small_gpt2(), small_llama()}) {
    for (const char* text :
         {"tp=2,dp=2,sp=on,zero=1,accumulation=2", "dp=4,zero=3,shard=2", "dp=2,cp=2,cp_kind=ring",
          "pp=2,tp=2,dp=1,accumulation=3,schedule=zb-h1", "cp=2,dp=1,cp_kind=ulysses,zero=2"}) {
      const Plan plan = plan_of(model, text);
      const std::vector<Program> programs = all_ranks(model, plan);
      for (const std::string& part : parts_of_step(model, plan)) {
        SCOPED_TRACE(model.name + " " + to_text(plan) + " without " + part);
        std::vector<Program> without;
        for (const Program& program : programs) without.push_back(without_part(program, part));
        EXPECT_THAT(problems(without), IsEmpty());
        for (std::size_t rank = 0; rank < programs.size(); ++rank) {
          const Program &before = programs[rank], &after = without[rank];
          ASSERT_EQ(before.ops.size(), after.ops.size());
          EXPECT_EQ(kernel_flops(after), gone("compute", part) ? 0 : kernel_flops(before));
          EXPECT_EQ(before.buffers, after.buffers);
          for (const Group& group : before.groups) {
            const bool none = gone(std::string(axis_of(group.axis)), part);
            EXPECT_EQ(bus_bytes(after, group), none ? 0 : bus_bytes(before, group));
          }
          for (std::size_t i = 0; i < before.ops.size(); ++i) {
            const Op &was = before.ops[i], &is = after.ops[i];
            EXPECT_EQ(was.deps, is.deps);
            EXPECT_EQ(was.stream, is.stream);
            const std::string what(was.comm ? axis_of(was.comm->axis) : kAllCompute);
            EXPECT_EQ(was == is, !gone(what, part));
          }
          EXPECT_GT(plan_memory(after).bytes, 0);
        }
      }
    }
  }
}

}  // namespace
}  // namespace stepmark
