// SPDX-License-Identifier: Apache-2.0
// That one program stands for all ranks of its role: the programs are compared, and what roles find
// is compared with what all programs together find.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "core/error.h"
#include "harness/program/cast.h"
#include "harness/program/step_roles.h"
#include "harness/program/text.h"
#include "harness/program/validate.h"
#include "harness/program/validate_step.h"
#include "tests/unit/program/models.h"

namespace stepmark {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

Plan plan_of(std::string_view text, const Model& model, std::int64_t world) {
  return resolve(parse_plan(text), model, world);
}

// Without what may differ within a role: where a shard begins, of the vocabulary or of a bucket,
// and what an op on such a shard, of the optimizer or a sum over replicas, waits for. A shard of a
// unit has parts of some of its sections, and an op for each.
Program without_begins(Program program) {
  std::vector<Op>& ops = program.ops;
  const bool units = std::any_of(ops.begin(), ops.end(), [](const Op& op) {
    return op.comm && op.label.starts_with("grads.");
  });
  if (units) {
    std::erase_if(ops, [](const Op& op) {
      return op.kernel && (op.kernel->id == OpId::adamw || op.kernel->id == OpId::sum_squares);
    });
  }
  for (Op& op : ops) {
    const bool of_shard = op.comm && op.comm->axis == "dp.replicate";
    if (op.phase == Phase::optimizer || units || of_shard) op.deps.clear();
    for (BufferSlice& slice : op.operands) {
      // With gather=forward a step begins with gathers out of what the rank has updated.
      const bool gathers = op.comm && op.label.starts_with("params[");
      if ((op.phase < Phase::gradient_sync && !gathers) || slice.buffer < 0) continue;
      const BufferKind kind = program.buffers[static_cast<std::size_t>(slice.buffer)].kind;
      if (kind == BufferKind::param || kind == BufferKind::grad) slice.offset = 0;
    }
    if (!op.kernel) continue;
    const auto& names = info_of(op.kernel->id).dim_names;
    for (std::size_t i = 0; i < names.size(); ++i) {
      if (names[i] == "vocab_begin" || names[i] == "row_begin") op.kernel->dims[i] = 0;
    }
  }
  return program;
}

TEST(StepRoles, RanksOfARoleRunTheSameProgram) {
  for (const Model& model : {small_gpt2(), small_llama()}) {
    for (const char* text :
         {"dp=8", "tp=2", "tp=8", "tp=2,sp=on", "tp=4,sp=on,accumulation=2",
          "tp=4,optimizer_overlap=on,bucket_mib=0.01", "pp=2,tp=2,accumulation=2",
          "pp=2,tp=4,sp=on,schedule=zb-h1,accumulation=3", "zero=1",
          "tp=2,sp=on,zero=1,optimizer_overlap=on,bucket_mib=0.01", "pp=2,accumulation=2,zero=1",
          "zero=2,accumulation=2", "zero=3", "tp=2,sp=on,zero=3,shard=2,optimizer_overlap=on",
          "pp=2,accumulation=2,zero=3,clip=0", "zero=1,shard=4,gather=forward", "cp=4",
          "cp=4,cp_kind=ring,zero=1", "cp=2,tp=2,cp_kind=ulysses,zero=3,shard=2"}) {
      SCOPED_TRACE(text);
      const Plan plan = plan_of(text, model, 8);
      const StepRoles roles = step_roles(model, plan);
      EXPECT_LE(std::ssize(roles.ranks), 2 * plan.pp * plan.cp);
      const std::vector<Program> programs = all_ranks(model, plan);
      for (std::size_t rank = 0; rank < programs.size(); ++rank) {
        const auto role = static_cast<std::size_t>(roles.role_of[rank]);
        const Program of_role =
            without_begins(programs[static_cast<std::size_t>(roles.ranks[role])]);
        Program of_rank = without_begins(programs[rank]);
        of_rank.name = of_role.name;
        of_rank.rank = of_role.rank;
        of_rank.groups = of_role.groups;
        EXPECT_THAT(diff(of_rank, of_role), IsEmpty());
      }
    }
  }
}

TEST(StepRoles, AWorldOfManyRanksIsCheckedWhole) {
  const Model model = small_llama();
  const Plan plan = plan_of("tp=8,accumulation=2", model, 1 << 14);
  const StepValidation done = validate_step(model, plan);
  EXPECT_TRUE(done.whole);
  EXPECT_EQ(done.ranks, 1 << 14);
  EXPECT_EQ(done.roles, 2) << "101 rows are 5 shards of 13 and 3 of 12";
}

// Ranks 0 and 2 of "pairs" play one role, 1 and 3 the other, over groups `x` of two ranks.
class Pairs : public ::testing::Test {
 protected:
  static Program rank_program(std::int32_t rank, const std::string& ops) {
    return parse_program(
        fmt::format("program rank={} world=4 r\nstream x\ngroup x index={} "
                    "ranks={}\nbuffer a activation fp32 8\n{}",
                    rank, rank % 2, rank < 2 ? "0,1" : "2,3", ops));
  }
  static Cast cast_of_roles(const Program& first, const Program& second) {
    return {.programs = {&first, &second},
            .role_of = {0, 1, 0, 1},
            .axes = {{.axis = "x", .groups = {{0, 1}, {2, 3}}}}};
  }
  // The same by roles as by all programs.
  static std::vector<std::string> found(const std::string& first, const std::string& second) {
    const Program one = rank_program(0, first), two = rank_program(1, second);
    auto by_roles = problems(cast_of_roles(one, two));
    const auto by_ranks =
        problems(std::vector{one, two, rank_program(2, first), rank_program(3, second)});
    EXPECT_EQ(by_roles.empty(), by_ranks.empty());
    return by_roles;
  }
  static std::string message(int op, const char* peers, const char* operands) {
    return fmt::format("op {} x forward m {{send_recv axis=x dtype=fp32 op=sum count=8 {}}} {}\n",
                       op, peers, operands);
  }
};

const std::string kSum = "op 0 x forward sum {all_reduce axis=x dtype=fp32 op=sum count=8} (a a)\n";

TEST_F(Pairs, CollectivesAndMessages) {
  EXPECT_THAT(found(kSum, kSum), IsEmpty());
  EXPECT_THAT(found(kSum, ""), ElementsAre(HasSubstr("call 0 differs")));
  EXPECT_THAT(found(message(0, "send_peer=1", "(a -)"), message(0, "recv_peer=0", "(- a)")),
              IsEmpty());
  EXPECT_THAT(found(message(0, "send_peer=1", "(a -)"), ""),
              ElementsAre(HasSubstr("message 0 from rank 0 to rank 1")));
}

TEST_F(Pairs, Deadlocks) {
  const auto send_first = [](int peer) {
    return message(0, fmt::format("send_peer={}", peer).c_str(), "(a -)") +
           message(1, fmt::format("recv_peer={}", peer).c_str(), "(- a)");
  };
  EXPECT_THAT(found(send_first(1), send_first(0)), ElementsAre(HasSubstr("deadlock")));
}

TEST_F(Pairs, GroupsMustLetOneStandForTheOther) {
  const Program one = rank_program(0, kSum), two = rank_program(1, kSum);
  Cast cast = cast_of_roles(one, two);
  cast.axes[0].groups = {{0, 1}};
  EXPECT_THAT(problems(cast), Contains(HasSubstr("rank 2 of 4 in 0 groups plays the role of")));
  cast = cast_of_roles(one, two);
  cast.axes[0].groups = {{1, 0}, {2, 3}};
  EXPECT_THAT(problems(cast), Contains(HasSubstr("another group 'x'")));
  cast = cast_of_roles(one, two);
  cast.role_of = {1, 0, 0, 1};
  EXPECT_THAT(problems(cast), Contains(HasSubstr("does not play it")));
  cast = cast_of_roles(one, two);
  cast.axes[0].axis = "y";
  EXPECT_THAT(problems(cast), Contains(HasSubstr("no such group 'y'")));
}

// Both ranks of each pair play the role of the one that sends: nobody receives.
TEST_F(Pairs, ARoleThatSendsToItself) {
  const Program one = rank_program(0, message(0, "send_peer=1", "(a -)"));
  const Cast cast{.programs = {&one},
                  .role_of = {0, 0, 0, 0},
                  .axes = {{.axis = "x", .groups = {{0, 1}, {2, 3}}}}};
  EXPECT_THAT(problems(cast), Contains(HasSubstr("does not match")));
}

TEST_F(Pairs, TheRootPlaysItsOwnRole) {
  const std::string broadcast =
      "op 0 x forward c {broadcast axis=x dtype=fp32 op=sum count=8 root=0} (a a)\n";
  const Program one = rank_program(0, broadcast);
  const Cast cast{.programs = {&one},
                  .role_of = {0, 0, 0, 0},
                  .axes = {{.axis = "x", .groups = {{0, 1}, {2, 3}}}}};
  EXPECT_THAT(problems(cast), Contains(HasSubstr("only one of them is the root")));
}

// Ranks of a role that meet others of different roles do not make the same progress.
TEST(Classes, TellRanksApartByWhomTheyMeet) {
  const Program program;
  const Cast cast{.programs = {&program, &program},
                  .role_of = {0, 0, 0, 1},
                  .axes = {{.axis = "x", .groups = {{0, 1}, {2, 3}}},
                           {.axis = "y", .groups = {{0, 2}, {1, 3}}}}};
  const Classes classes = classes_of(cast);
  EXPECT_THAT(classes.class_of, ElementsAre(0, 1, 2, 3));
  EXPECT_EQ(classes.formations.size(), 4U);
  const Cast alike{.programs = {&program},
                   .role_of = {0, 0, 0, 0},
                   .axes = {{.axis = "x", .groups = {{0, 1}, {2, 3}}}}};
  EXPECT_THAT(classes_of(alike).class_of, ElementsAre(0, 0, 0, 0));
  EXPECT_EQ(classes_of(alike).formations.size(), 1U);
}

TEST(Roles, AShortBucketOfOneRoleIsFound) {
  const Model model = small_gpt2();
  const Plan plan = plan_of("tp=4,dp=4,bucket_mib=0.01", model, 16);
  const StepRoles roles = step_roles(model, plan);
  std::vector<Program> programs;
  for (const std::int32_t rank : roles.ranks) programs.push_back(step_program(model, plan, rank));
  Cast cast{.programs = {}, .role_of = roles.role_of, .axes = groups_of(StepGroups(model, plan))};
  for (const Program& program : programs) cast.programs.push_back(&program);
  EXPECT_THAT(problems(cast), IsEmpty());
  auto& ops = programs.back().ops;
  const auto cut = std::find_if(ops.begin(), ops.end(), [](const Op& op) {
    return op.comm && op.comm->axis == "tp" && op.comm->count > 16;
  });
  cut->comm->count -= 16;
  for (BufferSlice& slice : cut->operands) slice.elements -= 16;
  EXPECT_THAT(problems(cast), Contains(HasSubstr("differs between ranks")));
}

}  // namespace
}  // namespace stepmark
