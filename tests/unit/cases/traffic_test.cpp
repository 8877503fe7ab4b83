// SPDX-License-Identifier: Apache-2.0
// A collective as an op of a program: whatever is wrong with what it left is found.
#include "harness/cases/traffic.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "tests/unit/cases/case_fixture.h"

namespace stepmark {
namespace {

using testing::HasSubstr;

constexpr std::int64_t kElements = 150'000;  // over two pieces

// One call on one rank, prepared; the host's memory can be written by hand.
class TrafficTest : public testing::Test {
 protected:
  explicit TrafficTest(const CollectiveSetup& setup = {.size_bytes = 4 * kElements, .seed = 3})
      : traffic_(make_traffic(Group{.axis = "x", .ranks = {0}, .index = 0},
                              collective(CollectiveKind::all_reduce), setup)) {
    ProgramBuilder builder("traffic", 0, 1);
    builder.add_group(traffic_.group);
    const TrafficOperands on = add_buffers(builder, traffic_, "x");
    builder.comm("sum", "x", traffic_.shape, on.send, on.recv);
    runnable_ = bench_.executor->prepare(std::move(builder).take(), comms_);
    buffers_.emplace(buffers_of(*bench_.device, traffic_, *runnable_, "x", *self_));
    buffers_->fill();
  }

  [[nodiscard]] float& at(std::byte* buffer, std::int64_t index) {
    return reinterpret_cast<float*>(buffer)[index];
  }

  test::CaseBench bench_;
  std::unique_ptr<Comm> self_ = make_self_comm();
  OneComm comms_{"x", *self_};
  Traffic traffic_;
  std::unique_ptr<Runnable> runnable_;
  std::optional<CollectiveBuffers> buffers_;
};

TEST_F(TrafficTest, WhatWasNotWrittenIsWrongAndWhatTheProgramDidIsRight) {
  EXPECT_EQ(buffers_->verify().wrong, kElements);  // poison
  runnable_->run();
  EXPECT_TRUE(buffers_->verify().ok()) << buffers_->verify().describe();
}

TEST_F(TrafficTest, OneWrongElementOfEveryPieceIsFound) {
  runnable_->run();
  for (const std::int64_t index : {std::int64_t{0}, std::int64_t{65536}, kElements - 1}) {
    float& value = at(buffers_->recv(), index);
    const float right = value;
    value = std::nextafter(value, HUGE_VALF);
    const Verification found = buffers_->verify();
    EXPECT_EQ(found.wrong, 1);
    EXPECT_EQ(found.first_bad, index);
    EXPECT_EQ(found.expected, static_cast<double>(right));
    value = right;
  }
  float& sent = at(buffers_->send(), kElements - 1);
  sent = std::nextafter(sent, HUGE_VALF);
  EXPECT_THAT(buffers_->verify().describe(), HasSubstr("send buffer changed at element 149999"));
}

// What a program's op writes beside its operands.
TEST_F(TrafficTest, AWriteIntoAGuardZoneIsFound) {
  runnable_->run();
  for (const auto& [place, where] : {std::pair{buffers_->recv() + 4 * kElements, "byte 0 after"},
                                     std::pair{buffers_->recv() - 1, "byte 1 before"},
                                     std::pair{buffers_->send() - 8, "byte 8 before"}}) {
    const std::byte right = *place;
    *place = ~right;
    EXPECT_FALSE(buffers_->verify().ok()) << where;
    EXPECT_THAT(buffers_->verify().describe(), HasSubstr(where));
    *place = right;
  }
  EXPECT_TRUE(buffers_->verify().ok());
}

class TrafficInPlaceTest : public TrafficTest {
 protected:
  TrafficInPlaceTest() : TrafficTest({.size_bytes = 4096, .in_place = true, .seed = 3}) {}
};

TEST_F(TrafficInPlaceTest, OperandsAreOneBuffer) {
  const Op& op = runnable_->program().ops.front();
  EXPECT_EQ(op.operands[0], op.operands[1]);
  runnable_->run();
  EXPECT_TRUE(buffers_->verify().ok()) << buffers_->verify().describe();
}

// Where a rank's operands lie in the buffers of a collective in place: its own chunk.
TEST(TrafficOperandsTest, InPlaceTheSmallerBufferIsThisRanksChunkOfTheLarger) {
  const CollectiveSetup setup{.size_bytes = 3072, .in_place = true};
  for (const auto kind : {CollectiveKind::all_gather, CollectiveKind::reduce_scatter}) {
    const Traffic traffic =
        make_traffic(Group{.axis = "x", .ranks = {0, 1, 2}, .index = 2}, collective(kind), setup);
    ProgramBuilder builder("traffic", 2, 3);
    builder.add_group(traffic.group);
    const TrafficOperands on = add_buffers(builder, traffic, "x");
    const auto [small, large] = kind == CollectiveKind::all_gather ? std::pair{on.send, on.recv}
                                                                   : std::pair{on.recv, on.send};
    EXPECT_EQ(small.buffer, large.buffer);
    EXPECT_EQ(small.elements, 256);
    EXPECT_EQ(large.elements, 768);
    EXPECT_EQ(small.offset - large.offset, 512);
  }
}

}  // namespace
}  // namespace stepmark
