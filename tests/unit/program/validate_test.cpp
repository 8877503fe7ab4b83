// SPDX-License-Identifier: Apache-2.0
// Broken sets of programs, each with the error that says what is wrong and where.
#include "harness/program/validate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "harness/program/text.h"
#include "tests/unit/program/models.h"
#include "tests/unit/program/replaced.h"

namespace stepmark {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// Two ranks that know axes "dp" and "tp" of both, each with one stream per axis.
Program rank_program(std::int32_t rank, const std::string& ops) {
  return parse_program(
      fmt::format("program rank={0} world=2 rank {0}\nstream compute\nstream dp\nstream tp\n"
                  "group dp index={0} ranks=0,1\ngroup tp index={0} ranks=0,1\n"
                  "buffer a activation fp32 8\nbuffer b activation fp32 16\n"
                  "buffer h activation bf16 8\n{1}",
                  rank, ops),
      fmt::format("rank{}", rank));
}

std::vector<std::string> problems_of(const std::string& rank0, const std::string& rank1) {
  return problems(std::vector{rank_program(0, rank0), rank_program(1, rank1)});
}

const std::string kReduce =
    "op 0 dp forward sum {all_reduce axis=dp dtype=fp32 op=sum count=8} (a a)\n";
const std::string kGather =
    "op 0 dp forward all {all_gather axis=dp dtype=fp32 op=sum count=8} (a b)\n";

std::string numbered(const std::string& op, int number) {
  return replace_first(op, "op 0", fmt::format("op {}", number));
}

TEST(Validate, AcceptsEqualCollectivesInEqualOrder) {
  const std::string ops = kReduce + numbered(kGather, 1);
  EXPECT_THAT(problems_of(ops, ops), IsEmpty());
}

TEST(Validate, SwappedCollectivesShowTheGrid) {
  EXPECT_THAT(problems_of(kReduce + numbered(kGather, 1), kGather + numbered(kReduce, 1)),
              ElementsAre(AllOf(HasSubstr("group 'dp' = [0 1]: call 0 differs"),
                                HasSubstr("rank 0: op 0 'sum' all_reduce"),
                                HasSubstr("rank 1: op 0 'all' all_gather"))));
}

TEST(Validate, MissingCollectiveShowsWhoHasNothingMore) {
  EXPECT_THAT(problems_of(kReduce + numbered(kReduce, 1), kReduce),
              ElementsAre(AllOf(HasSubstr("call 1 differs"), HasSubstr("rank 1: nothing more"))));
}

TEST(Validate, CollectivesMustAgreeOnSizeTypeReductionAndRoot) {
  const auto pair = [](const char* from, const char* to) {
    return problems_of(kReduce, replace_first(kReduce, from, to));
  };
  EXPECT_THAT(pair("count=8} (a a)", "count=4} (a[0+4] a[0+4])"),
              ElementsAre(HasSubstr("call 0 differs")));
  EXPECT_THAT(pair("fp32 op=sum count=8} (a a)", "bf16 op=sum count=8} (h h)"),
              ElementsAre(HasSubstr("call 0 differs")));
  EXPECT_THAT(pair("op=sum", "op=max"), ElementsAre(HasSubstr("call 0 differs")));
  const auto broadcast = [](int root, const char* send) {
    return fmt::format(
        "op 0 dp forward c {{broadcast axis=dp dtype=fp32 op=sum count=8 root={}}} ({} a)\n", root,
        send);
  };
  EXPECT_THAT(problems_of(broadcast(0, "a"), broadcast(0, "-")), IsEmpty());
  EXPECT_THAT(problems_of(broadcast(0, "a"), broadcast(1, "a")),
              ElementsAre(HasSubstr("call 0 differs")));
}

std::string message(int op, const char* peers, const char* operands, int count = 8) {
  return fmt::format(
      "op {} dp forward m{} {{send_recv axis=dp dtype=fp32 op=sum count={} {}}} {}\n", op, op,
      count, peers, operands);
}

TEST(Validate, CallsInAnotherOrderAreShownAmongTheirNeighbours) {
  const auto calls = [](const std::vector<std::int64_t>& counts) {
    std::string text;
    for (std::size_t i = 0; i < counts.size(); ++i) {
      text += fmt::format(
          "op {} dp forward c{} {{all_reduce axis=dp dtype=fp32 op=sum count={}}} (a[0+{}] "
          "a[0+{}])\n",
          i, counts[i], counts[i], counts[i], counts[i]);
    }
    return text;
  };
  EXPECT_THAT(problems_of(calls({1, 2, 3, 4, 5, 6, 7}), calls({1, 2, 3, 4, 6, 5, 7})),
              ElementsAre(AllOf(HasSubstr("call 4 differs"),
                                HasSubstr("in the order ... c2 c3 c4 [c5] c6 c7\n"),
                                HasSubstr("in the order ... c2 c3 c4 [c6] c5 c7"))));
  EXPECT_THAT(problems_of(calls({1, 2, 3, 4, 5}), calls({1})),
              ElementsAre(AllOf(HasSubstr("in the order c1 [c2] c3 c4 c5\n"),
                                HasSubstr("in the order c1 [nothing]"))));
}

TEST(Validate, SendNeedsItsReceive) {
  EXPECT_THAT(problems_of(message(0, "send_peer=1", "(a -)"), message(0, "recv_peer=0", "(- a)")),
              IsEmpty());
  EXPECT_THAT(problems_of(message(0, "send_peer=1", "(a -)"), ""),
              ElementsAre(AllOf(HasSubstr("message 0 from rank 0 to rank 1 does not match"),
                                HasSubstr("rank 0: op 0 'm0'"),
                                HasSubstr("rank 1: has no receive number 0"))));
  EXPECT_THAT(problems_of("", message(0, "recv_peer=0", "(- a)")),
              ElementsAre(HasSubstr("rank 0: has no send number 0")));
}

TEST(Validate, SendAndReceiveMustAgreeOnSize) {
  EXPECT_THAT(
      problems_of(message(0, "send_peer=1", "(a -)"), message(0, "recv_peer=0", "(- a[0+4])", 4)),
      ElementsAre(AllOf(HasSubstr("does not match"), HasSubstr("count=8"), HasSubstr("count=4"))));
}

TEST(Validate, BothRanksSendingFirstIsADeadlock) {
  const auto send_first = [](int peer) {
    return message(0, fmt::format("send_peer={}", peer).c_str(), "(a -)") +
           message(1, fmt::format("recv_peer={}", peer).c_str(), "(- b[0+8])");
  };
  EXPECT_THAT(problems_of(send_first(1), send_first(0)),
              ElementsAre(AllOf(HasSubstr("deadlock"), HasSubstr("rank 0 stream dp: op 0 'm0'"),
                                HasSubstr("rank 1 stream dp: op 0 'm0'"))));
  // As one grouped op, both directions progress together.
  EXPECT_THAT(problems_of(message(0, "send_peer=1 recv_peer=1", "(a b[0+8])"),
                          message(0, "send_peer=0 recv_peer=0", "(a b[0+8])")),
              IsEmpty());
}

TEST(Validate, CollectivesOfTwoGroupsInCrossedOrderAreADeadlock) {
  const std::string dp = "dp forward d {all_reduce axis=dp dtype=fp32 op=sum count=8} (a a)";
  const std::string tp = "tp forward t {all_reduce axis=tp dtype=fp32 op=sum count=8} (a a)";
  const auto both = [](const std::string& first, const std::string& second, const char* wait) {
    return fmt::format("op 0 {}\nop 1 {}{}\n", first, second, wait);
  };
  const auto crossed = problems_of(both(dp, tp, " after 0"), both(tp, dp, " after 0"));
  EXPECT_THAT(crossed, ElementsAre(AllOf(HasSubstr("deadlock"), HasSubstr("rank 0 stream dp"),
                                         HasSubstr("rank 0 stream tp"),
                                         HasSubstr("which waits for op 0 'd' of stream dp"))));
  // Without the waits both can be under way at once.
  EXPECT_THAT(problems_of(both(dp, tp, ""), both(tp, dp, "")), IsEmpty());
}

TEST(Validate, RanksMustAgreeAboutTheirGroups) {
  std::vector<Program> two{rank_program(0, ""), rank_program(1, "")};
  two[1].groups[0].ranks = {1, 0};
  two[1].groups[0].index = 0;
  EXPECT_THAT(problems(two), Contains(HasSubstr("disagree about group 'dp'")));
  two = {rank_program(0, ""), rank_program(1, "")};
  two[0].groups[0].ranks = {1};
  EXPECT_THAT(problems(two), Contains(HasSubstr("does not have it at index 0")));
  two = {rank_program(0, ""), rank_program(1, "")};
  two[0].groups[0].ranks = {0, 7};
  EXPECT_THAT(problems(two), Contains(HasSubstr("names rank 7 of a world of 2")));
  two = {rank_program(0, ""), rank_program(1, "")};
  two[0].groups[1].axis = "dp";
  EXPECT_THAT(problems(two), Contains(HasSubstr("two groups 'dp'")));
}

TEST(Validate, WorldAndRanksMustFit) {
  EXPECT_THAT(problems(std::vector{rank_program(0, "")}),
              ElementsAre(HasSubstr("world size 2 but there are 1 programs")));
  EXPECT_THAT(problems(std::vector{rank_program(1, ""), rank_program(0, "")}),
              Contains(HasSubstr("program 0 says it is rank 1")));
}

TEST(Validate, WaitsMustBeForEarlierOps) {
  std::vector<Program> two{rank_program(0, kReduce), rank_program(1, kReduce)};
  two[0].ops[0].deps = {0};
  EXPECT_THAT(problems(two), ElementsAre(AllOf(HasSubstr("rank 0 op 0 'sum'"),
                                               HasSubstr("waits for op 0, which is not earlier"))));
  two[0].ops[0].deps = {-1};
  EXPECT_THAT(problems(two), ElementsAre(HasSubstr("not earlier")));
}

TEST(Validate, OperandsMustFitTheirOp) {
  const auto local = [](const std::string& op) {
    return problems_of(fmt::format("op 0 compute forward k {}\n", op), "");
  };
  EXPECT_THAT(local("{copy dtype=fp32 elements=8} (a b)"),
              ElementsAre(HasSubstr("operand 'dst' has 16 elements of b; 8 needed")));
  EXPECT_THAT(local("{copy dtype=fp32 elements=8} (a)"), ElementsAre(HasSubstr("1 operands")));
  EXPECT_THAT(local("{copy dtype=fp32 elements=8} (a -)"), ElementsAre(HasSubstr("is absent")));
  EXPECT_THAT(local("{copy dtype=fp32 elements=8} (a h)"),
              ElementsAre(HasSubstr("operand 'dst' is bf16 (h); fp32 needed")));
  EXPECT_THAT(local("{copy dtype=fp32 elements=8} (a b[12+8])"),
              ElementsAre(HasSubstr("lies outside its buffer b")));
  EXPECT_THAT(local("{copy dtype=fp32 elements=8} (a b[281474976710656+8])"),
              ElementsAre(HasSubstr("lies outside its buffer b")));
  EXPECT_THAT(local("{all_reduce axis=pp dtype=fp32 op=sum count=8} (a a)"),
              ElementsAre(HasSubstr("there is no group 'pp'")));
  EXPECT_THAT(local("{all_gather axis=dp dtype=fp32 op=sum count=8} (a a)"),
              Contains(HasSubstr("operand 'recv' has 8 elements of a; 16 needed")));
  EXPECT_THAT(local("{send_recv axis=dp dtype=fp32 op=sum count=8 send_peer=2} (a -)"),
              ElementsAre(HasSubstr("peers 2 and -1 of a group of 2")));
  EXPECT_THAT(local("{send_recv axis=dp dtype=fp32 op=sum count=8} (- -)"),
              ElementsAre(HasSubstr("neither sends nor receives")));
  EXPECT_THAT(local("{broadcast axis=dp dtype=fp32 op=sum count=8} (a a)"),
              ElementsAre(HasSubstr("no root")));
  EXPECT_THAT(local("{broadcast axis=dp dtype=fp32 op=sum count=8 root=2} (a a)"),
              ElementsAre(HasSubstr("root 2 of a group of 2")));
  EXPECT_THAT(local("{broadcast axis=dp dtype=fp32 op=sum count=8 root=0 send_peer=0} (a a)"),
              ElementsAre(HasSubstr("peers, which it has not")));
  EXPECT_THAT(local("{all_reduce axis=dp dtype=fp32 op=sum count=8 root=0} (a a)"),
              ElementsAre(HasSubstr("a root, which it has not")));
  EXPECT_THAT(
      local("{all_to_all_v axis=dp dtype=fp32 op=sum count=0 send_counts=8 recv_counts=8} (a a)"),
      ElementsAre(HasSubstr("needs 2 counts")));
}

TEST(Validate, OneGroupOnTwoStreamsHasNoOrder) {
  const std::string ops = kReduce +
                          "op 1 tp forward sum {all_reduce axis=dp dtype=fp32 op=sum "
                          "count=8} (b[0+8] b[0+8])\n";
  EXPECT_THAT(problems_of(ops, ops), Contains(HasSubstr("used on two streams")));
}

TEST(Validate, AllToAllCountsMustAgreePairByPair) {
  const auto exchange = [](const char* send, const char* recv, const char* operands) {
    return fmt::format(
        "op 0 dp forward x {{all_to_all_v axis=dp dtype=fp32 op=sum count=0 "
        "send_counts={} recv_counts={}}} {}\n",
        send, recv, operands);
  };
  EXPECT_THAT(problems_of(exchange("1,3", "1,2", "(a[0+4] b[0+3])"),
                          exchange("2,0", "3,0", "(a[0+2] b[0+3])")),
              IsEmpty());
  EXPECT_THAT(problems_of(exchange("1,3", "1,2", "(a[0+4] b[0+3])"),
                          exchange("2,0", "2,0", "(a[0+2] b[0+2])")),
              ElementsAre(AllOf(HasSubstr("rank 0 op 'x' and rank 1 disagree"))));
}

TEST(Validate, ThrowsWithAllProblems) {
  EXPECT_THROW(validate(std::vector{rank_program(0, "")}), Error);
  EXPECT_NO_THROW(validate(std::vector{rank_program(0, ""), rank_program(1, "")}));
}

// A real program of many ranks in which one rank has cut a bucket short.
TEST(Validate, FindsAShortBucketOfARealStep) {
  const Model model = small_gpt2();
  auto programs = all_ranks(model, resolve(parse_plan("tp=2,dp=2,bucket_mib=0.01"), model, 4));
  auto& ops = programs[3].ops;
  const auto cut = std::find_if(ops.begin(), ops.end(), [](const Op& op) {
    return op.comm && op.comm->axis == "dp" && op.comm->count > 1;
  });
  cut->comm->count -= 16;
  for (BufferSlice& slice : cut->operands) slice.elements -= 16;
  EXPECT_THAT(problems(programs), Contains(HasSubstr("group 'dp' = [1 3]: call 0 differs")));
}

}  // namespace
}  // namespace stepmark
