// SPDX-License-Identifier: Apache-2.0
// Parallel forms that no lowering writes yet, by hand: pipeline 1F1B, context ring, expert
// all-to-all, ZeRO-1. The program text carries and validates them as it is.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/program/text.h"
#include "harness/program/validate.h"
#include "tests/unit/program/ordering.h"
#include "tests/unit/program/replaced.h"

namespace stepmark {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

void expect_sound(const std::vector<Program>& programs) {
  EXPECT_THAT(problems(programs), IsEmpty());
  for (const Program& program : programs) EXPECT_THAT(races(program), IsEmpty());
}

// Pipeline, two stages, two micro-batches, 1F1B: the first stage warms up with one forward; from
// then on an activation and a gradient pass each other in one grouped message.
constexpr const char* kStage0 = R"(program rank=0 world=2 stage 0
stream compute
stream pp
group pp index=0 ranks=0,1
buffer x0 activation fp32 8
buffer x1 activation fp32 8
buffer y0 activation fp32 8
buffer y1 activation fp32 8
buffer dy0 workspace fp32 8
buffer dy1 workspace fp32 8
buffer dw grad fp32 8
op 0 compute forward f0 {copy dtype=fp32 elements=8} (x0 y0)
op 1 pp forward f0.send {send_recv axis=pp dtype=fp32 op=sum count=8 send_peer=1} (y0 -) after 0
op 2 compute forward f1 {copy dtype=fp32 elements=8} (x1 y1)
op 3 pp backward f1.send+b0.recv {send_recv axis=pp dtype=fp32 op=sum count=8 send_peer=1 recv_peer=1} (y1 dy0) after 2
op 4 compute backward b0 {copy dtype=fp32 elements=8} (dy0 dw) after 3
op 5 pp backward b1.recv {send_recv axis=pp dtype=fp32 op=sum count=8 recv_peer=1} (- dy1)
op 6 compute backward b1 {copy dtype=fp32 elements=8} (dy1 dw) after 5
)";
constexpr const char* kStage1 = R"(program rank=1 world=2 stage 1
stream compute
stream pp
group pp index=1 ranks=0,1
buffer x0 activation fp32 8
buffer x1 activation fp32 8
buffer y activation fp32 8
buffer dx0 workspace fp32 8
buffer dx1 workspace fp32 8
op 0 pp forward f0.recv {send_recv axis=pp dtype=fp32 op=sum count=8 recv_peer=0} (- x0)
op 1 compute forward f0 {copy dtype=fp32 elements=8} (x0 y) after 0
op 2 compute backward b0 {copy dtype=fp32 elements=8} (y dx0)
op 3 pp backward b0.send+f1.recv {send_recv axis=pp dtype=fp32 op=sum count=8 send_peer=0 recv_peer=0} (dx0 x1) after 2
op 4 compute forward f1 {copy dtype=fp32 elements=8} (x1 y) after 3
op 5 compute backward b1 {copy dtype=fp32 elements=8} (y dx1)
op 6 pp backward b1.send {send_recv axis=pp dtype=fp32 op=sum count=8 send_peer=0} (dx1 -) after 5
)";

TEST(Forms, PipelineOneForwardOneBackward) {
  expect_sound({parse_program(kStage0), parse_program(kStage1)});
}

TEST(Forms, PipelineThatUngroupsItsSteadyStateDeadlocks) {
  // Stage 0 sends f1 before it takes b0, stage 1 sends b0 before it takes f1.
  const std::string ungrouped0 = replace_all(
      replace_all(
          replace_all(
              replace_all(kStage0,
                          "op 3 pp backward f1.send+b0.recv {send_recv axis=pp dtype=fp32 "
                          "op=sum count=8 send_peer=1 recv_peer=1} (y1 dy0) after 2",
                          "op 3 pp forward f1.send {send_recv axis=pp dtype=fp32 op=sum "
                          "count=8 send_peer=1} (y1 -) after 2\nop 4 pp backward b0.recv "
                          "{send_recv axis=pp dtype=fp32 op=sum count=8 recv_peer=1} (- dy0)"),
              "op 6 compute backward b1 {copy dtype=fp32 elements=8} (dy1 dw) after 5",
              "op 7 compute backward b1 {copy dtype=fp32 elements=8} (dy1 dw) after 6"),
          "op 5 pp", "op 6 pp"),
      "op 4 compute backward b0 {copy dtype=fp32 elements=8} (dy0 dw) after 3",
      "op 5 compute backward b0 {copy dtype=fp32 elements=8} (dy0 dw) after 4");
  const std::string ungrouped1 = replace_all(
      replace_all(
          replace_all(
              replace_all(kStage1,
                          "op 3 pp backward b0.send+f1.recv {send_recv axis=pp dtype=fp32 "
                          "op=sum count=8 send_peer=0 recv_peer=0} (dx0 x1) after 2",
                          "op 3 pp backward b0.send {send_recv axis=pp dtype=fp32 op=sum "
                          "count=8 send_peer=0} (dx0 -) after 2\nop 4 pp forward f1.recv "
                          "{send_recv axis=pp dtype=fp32 op=sum count=8 recv_peer=0} (- x1)"),
              "(dx1 -) after 5", "(dx1 -) after 6"),
          "op 6 pp backward b1", "op 7 pp backward b1"),
      "op 5 compute", "op 6 compute");
  const std::string fixed1 =
      replace_all(ungrouped1, "op 4 compute forward f1 {copy dtype=fp32 elements=8} (x1 y) after 3",
                  "op 5 compute forward f1 {copy dtype=fp32 elements=8} (x1 y) after 4");
  EXPECT_THAT(
      problems(std::vector{parse_program(ungrouped0), parse_program(fixed1)}),
      ElementsAre(AllOf(HasSubstr("deadlock"), HasSubstr("'f1.send'"), HasSubstr("'b0.send'"))));
}

TEST(Forms, PipelineWithoutTheLastReceiveIsRefused) {
  const std::string text = kStage0;
  const Program short_stage = parse_program(text.substr(0, text.find("op 5")));
  EXPECT_THAT(problems(std::vector{short_stage, parse_program(kStage1)}),
              ElementsAre(AllOf(HasSubstr("group 'pp': message 1 from rank 1 to rank 0"),
                                HasSubstr("rank 0: has no receive number 1"))));
}

// Context parallelism: key/value blocks go round a ring of 4 while attention runs on the block at
// hand. Two blocks alternate.
constexpr const char* kRing = R"(program rank=RANK world=4 ring
stream compute
stream cp
group cp index=RANK ranks=0,1,2,3
buffer q activation fp32 8
buffer kv0 activation fp32 8
buffer kv1 workspace fp32 8
buffer out activation fp32 8
op 0 cp forward ring1 {send_recv axis=cp dtype=fp32 op=sum count=8 send_peer=NEXT recv_peer=PREVIOUS} (kv0 kv1)
op 1 compute forward attention0 {residual dtype=fp32 rows=1 cols=8 bias=0} (out kv0 - out)
op 2 cp forward ring2 {send_recv axis=cp dtype=fp32 op=sum count=8 send_peer=NEXT recv_peer=PREVIOUS} (kv1 kv0) after 1
op 3 compute forward attention1 {residual dtype=fp32 rows=1 cols=8 bias=0} (out kv1 - out) after 0
op 4 cp forward ring3 {send_recv axis=cp dtype=fp32 op=sum count=8 send_peer=NEXT recv_peer=PREVIOUS} (kv0 kv1) after 3
op 5 compute forward attention2 {residual dtype=fp32 rows=1 cols=8 bias=0} (out kv0 - out) after 2
op 6 compute forward attention3 {residual dtype=fp32 rows=1 cols=8 bias=0} (out kv1 - out) after 4
)";

std::vector<Program> ring() {
  std::vector<Program> programs;
  for (int rank = 0; rank < 4; ++rank) {
    programs.push_back(
        parse_program(replace_all(replace_all(replace_all(kRing, "RANK", std::to_string(rank)),
                                              "NEXT", std::to_string((rank + 1) % 4)),
                                  "PREVIOUS", std::to_string((rank + 3) % 4))));
  }
  return programs;
}

TEST(Forms, ContextRing) { expect_sound(ring()); }

TEST(Forms, ContextRingThatTurnsTheOtherWayOnOneRankIsRefused) {
  std::vector<Program> programs = ring();
  for (Op& op : programs[2].ops) {
    if (op.comm) std::swap(op.comm->send_peer, op.comm->recv_peer);
  }
  EXPECT_FALSE(problems(programs).empty());
}

TEST(Forms, ContextRingOfSeparateSendsDeadlocks) {
  std::vector<Program> programs = ring();
  for (Program& program : programs) {
    Op receive = program.ops[0];
    program.ops[0].comm->recv_peer = -1;
    program.ops[0].operands[1] = {};
    receive.comm->send_peer = -1;
    receive.operands[0] = {};
    program.ops.resize(1);
    program.ops.push_back(receive);
  }
  EXPECT_THAT(problems(programs), ElementsAre(HasSubstr("deadlock")));
}

// Expert parallelism: tokens of each rank go to the experts' ranks and back, uneven counts.
constexpr const char* kExperts = R"(program rank=RANK world=2 experts
stream compute
stream ep
group ep index=RANK ranks=0,1
buffer tokens activation fp32 8
buffer routed activation fp32 IN
buffer expert activation fp32 IN
buffer combined activation fp32 8
op 0 compute forward route {zero dtype=fp32 elements=8} (tokens)
op 1 ep forward dispatch {all_to_all_v axis=ep dtype=fp32 op=sum count=0 send_counts=SENT recv_counts=RECEIVED} (tokens routed) after 0
op 2 compute forward expert {copy dtype=fp32 elements=IN} (routed expert) after 1
op 3 ep forward combine {all_to_all_v axis=ep dtype=fp32 op=sum count=0 send_counts=RECEIVED recv_counts=SENT} (expert combined) after 2
op 4 compute forward sum {copy dtype=fp32 elements=8} (combined tokens) after 3
)";

std::string expert_rank(const char* rank, const char* in, const char* sent, const char* received) {
  return replace_all(
      replace_all(replace_all(replace_all(kExperts, "RANK", rank), "IN", in), "SENT", sent),
      "RECEIVED", received);
}

TEST(Forms, ExpertAllToAll) {
  expect_sound({parse_program(expert_rank("0", "9", "6,2", "6,3")),
                parse_program(expert_rank("1", "7", "3,5", "2,5"))});
}

TEST(Forms, ExpertAllToAllWithALostTokenIsRefused) {
  EXPECT_THAT(problems(std::vector{parse_program(expert_rank("0", "9", "6,2", "6,3")),
                                   parse_program(expert_rank("1", "6", "3,5", "1,5"))}),
              ::testing::Contains(HasSubstr("disagree about the elements that pass between them")));
}

// ZeRO-1: gradients reduce-scattered, each rank updates its half, parameters gathered back.
constexpr const char* kZero = R"(program rank=RANK world=2 zero-1
stream compute
stream dp
group dp index=RANK ranks=0,1
buffer params param fp32 16
buffer grads grad fp32 16
buffer shard grad fp32 8
buffer norm scalar fp32 2
buffer step scalar fp32 1
buffer m optimizer fp32 8
buffer v optimizer fp32 8
op 0 compute backward wgrad {zero dtype=fp32 elements=16} (grads)
op 1 dp gradient_sync scatter {reduce_scatter axis=dp dtype=fp32 op=sum count=8} (grads shard) after 0
op 2 compute optimizer adamw {adamw dtype=fp32 elements=8 unscaled=0 lr=0.001 beta1=0.9 beta2=0.95 eps=1e-08 weight_decay=0} (shard norm step m v - params[OWN+8]) after 1
op 3 dp optimizer gather {all_gather axis=dp dtype=fp32 op=sum count=8} (params[OWN+8] params) after 2
)";

std::string zero_rank(const char* rank, const char* own) {
  return replace_all(replace_all(kZero, "RANK", rank), "OWN", own);
}

TEST(Forms, ZeroStageOne) {
  expect_sound({parse_program(zero_rank("0", "0")), parse_program(zero_rank("1", "8"))});
}

TEST(Forms, ZeroStageOneThatReducesWholeOnOneRankIsRefused) {
  const std::string whole = replace_all(
      zero_rank("1", "8"), "{reduce_scatter axis=dp dtype=fp32 op=sum count=8} (grads shard)",
      "{all_reduce axis=dp dtype=fp32 op=sum count=16} (grads grads)");
  EXPECT_THAT(problems(std::vector{parse_program(zero_rank("0", "0")), parse_program(whole)}),
              ElementsAre(AllOf(HasSubstr("reduce_scatter"), HasSubstr("all_reduce"))));
}

}  // namespace
}  // namespace stepmark
