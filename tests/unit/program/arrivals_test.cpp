// SPDX-License-Identifier: Apache-2.0
// Clocks whose offsets are known, meetings played on the true time.
#include "harness/program/timeline/arrivals.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace stepmark {
namespace {

using testing::HasSubstr;

// Ranks whose own clocks show the true time less their offset.
class World {
 public:
  explicit World(std::vector<std::int64_t> offsets) : offsets_(std::move(offsets)) {
    for (std::size_t r = 0; r < offsets_.size(); ++r) {
      ranks.push_back({.clock = fmt::format("clock {}", r), .start_ns = 0, .calls = {}});
    }
  }

  // On the true time: when each came, and how long the transfer takes once all have.
  void collective(const std::vector<std::int64_t>& came,
                  const std::vector<std::int64_t>& transfer) {
    const std::int64_t last = *std::max_element(came.begin(), came.end());
    for (std::size_t r = 0; r < ranks.size(); ++r) {
      add(r, fmt::format("all#{}", meetings_), came[r], last + transfer[r], true, true);
    }
    ++meetings_;
  }
  void message(std::size_t from, std::size_t to, std::int64_t sent, std::int64_t awaited,
               std::int64_t transfer) {
    const std::string name = fmt::format("message#{}", meetings_++);
    add(from, name, sent, sent + transfer, true, false);
    add(to, name, awaited, std::max(sent, awaited) + transfer, false, true);
  }

  void word(std::size_t from, std::size_t to, std::int64_t at, std::int64_t takes) {
    message(from, to, at, at, takes);
    for (const std::size_t r : {from, to}) ranks[r].calls.back().op = kNoOp;
  }

  [[nodiscard]] std::int64_t offset_to_first(std::size_t rank) const {
    return offsets_[rank] - offsets_[0];
  }
  [[nodiscard]] std::int64_t shown(std::size_t rank, std::int64_t truly) const {
    return truly - offsets_[rank];
  }

  std::vector<RankCalls> ranks;

 private:
  void add(std::size_t rank, const std::string& meeting, std::int64_t begin, std::int64_t end,
           bool gives, bool takes) {
    auto& calls = ranks[rank].calls;
    calls.push_back({.meeting = meeting,
                     .op = static_cast<std::int32_t>(calls.size()),
                     .begin_ns = shown(rank, begin),
                     .end_ns = shown(rank, end),
                     .gives = gives,
                     .takes = takes});
  }
  std::vector<std::int64_t> offsets_;
  int meetings_ = 0;
};

TEST(Arrivals, TrueOffsetsAreWithinTheErrorAndArrivalsToo) {
  std::mt19937_64 random(1);
  const auto draw = [&](std::int64_t from, std::int64_t to) {
    return std::uniform_int_distribution<std::int64_t>(from, to)(random);
  };
  for (int round = 0; round < 300; ++round) {
    const auto count = static_cast<std::size_t>(draw(2, 9));
    std::vector<std::int64_t> offsets(count);
    for (auto& offset : offsets) offset = draw(-2'000'000'000, 2'000'000'000);
    World world(offsets);
    std::vector<std::vector<std::int64_t>> came;
    for (std::int64_t k = 0; k < 40; ++k) {
      std::vector<std::int64_t> begins(count), transfer(count);
      for (auto& begin : begins) begin = k * 1'000'000 + draw(0, 300'000);
      for (auto& time : transfer) time = draw(10'000, 100'000);
      world.collective(begins, transfer);
      came.push_back(begins);
    }
    const Alignment alignment = align(world.ranks);
    ASSERT_EQ(alignment.unknown, "");
    EXPECT_LE(alignment.error_ns, 110'000);  // as the longest transfer, and less the more there are
    for (std::size_t r = 0; r < count; ++r) {
      EXPECT_GE(alignment.offset_ns[r], 0);
      EXPECT_LE(
          std::abs(alignment.offset_ns[r] - alignment.offset_ns[0] - world.offset_to_first(r)),
          alignment.error_ns);
      ASSERT_EQ(alignment.arrivals[r].size(), came.size());
      for (std::size_t k = 0; k < came.size(); ++k) {
        std::int64_t latest = 0;
        for (std::size_t other = 0; other < count; ++other) {
          if (other != r) latest = std::max(latest, came[k][other]);
        }
        const Arrival& found = alignment.arrivals[r].at(static_cast<std::int32_t>(k));
        EXPECT_LE(std::abs(found.at_ns - world.shown(r, latest)), 2 * alignment.error_ns);
      }
    }
  }
}

// Calls alone leave open whether a rank is always late or its clock wrong; words of the control
// plane settle it.
TEST(Arrivals, WhoComesLastIsNamedByTheOthersAndWaitsForNobody) {
  World world({0, 70'000, -5'000, 3});
  world.collective({100, 200, 900'000, 300}, {50, 60, 70, 80});
  world.collective({1'000'000, 1'000'100, 1'900'000, 1'000'000}, {5, 6, 7, 8});
  const Alignment by_calls = align(world.ranks);
  ASSERT_EQ(by_calls.unknown, "");
  EXPECT_GT(by_calls.error_ns, 400'000);
  for (std::size_t r = 1; r < 4; ++r) {
    world.word(0, r, 5'000'000, 20'000);
    world.word(r, 0, 6'000'000, 30'000);
  }
  const Alignment alignment = align(world.ranks);
  ASSERT_EQ(alignment.unknown, "");
  EXPECT_LE(alignment.error_ns, 25'000);
  for (const std::size_t other : {0U, 1U, 3U}) {
    const Arrival& last = alignment.arrivals[other].at(1);
    EXPECT_EQ(last.rank, 2);
    EXPECT_LE(std::abs(last.at_ns - world.shown(other, 1'900'000)), 2 * alignment.error_ns);
  }
  EXPECT_LE(alignment.arrivals[2].at(0).at_ns, world.ranks[2].calls[0].begin_ns);
  EXPECT_FALSE(alignment.arrivals[2].contains(kNoOp));
}

TEST(Arrivals, MessagesInBothDirectionsTieClocks) {
  World world({0, 123'456'789});
  world.message(0, 1, 1'000, 500, 300);     // awaited since 500
  world.message(1, 0, 9'000, 12'000, 200);  // lay there
  const Alignment alignment = align(world.ranks);
  ASSERT_EQ(alignment.unknown, "");
  EXPECT_EQ(alignment.offset_ns[0], 0);
  EXPECT_LE(std::abs(alignment.offset_ns[1] - 123'456'789), alignment.error_ns);
  EXPECT_LE(alignment.error_ns, 1'750);  // (300 + 3,200) / 2
  EXPECT_EQ(alignment.arrivals[1].at(0).rank, 0);
  // Who sent before the other came, and went on, did not wait; nor had it to.
  EXPECT_FALSE(alignment.arrivals[1].contains(1));
}

TEST(Arrivals, RanksThatReadOneClockNeedNoMeetings) {
  World world({0, 0, 0});
  world.message(0, 1, 5'000, 1'000, 10);
  for (RankCalls& rank : world.ranks) rank.clock = "host";
  world.ranks[2].start_ns = 40;  // its times are since then
  const Alignment alignment = align(world.ranks);
  ASSERT_EQ(alignment.unknown, "");
  EXPECT_EQ(alignment.error_ns, 0);
  EXPECT_EQ(alignment.offset_ns, (std::vector<std::int64_t>{0, 0, 40}));
  EXPECT_EQ(alignment.arrivals[1].at(0).at_ns, 5'000);
}

// Hosts of one name: their clocks are hours apart, and that none is seen to end late is no tie.
TEST(Arrivals, RanksThatDoNotReadTheClockTheySayAreUnknown) {
  World world({0, 0, 7'200'000'000'000});
  world.collective({100, 200, 300}, {50, 60, 70});
  for (RankCalls& rank : world.ranks) rank.clock = "host";
  EXPECT_THAT(align(world.ranks).unknown, HasSubstr("two hosts have one name"));
}

TEST(Arrivals, ClocksThatNothingTiesOrThatContradictAreUnknown) {
  World one_way({0, 5});
  one_way.message(0, 1, 100, 50, 10);
  EXPECT_THAT(align(one_way.ranks).unknown, HasSubstr("rank 1"));
  World apart({0, 7'000'000});
  apart.collective({0, 0}, {1'000, 1'000});
  apart.collective({1'000'000, 1'000'000}, {1'000, 1'000});
  for (Call& call : apart.ranks[1].calls) {  // a clock that was set between the two
    if (call.op == 1) call.begin_ns += 500'000, call.end_ns += 500'000;
  }
  EXPECT_THAT(align(apart.ranks).unknown, HasSubstr("contradicts"));
}

// Two ranks of a pipeline and two of data parallelism: what meets has one name, whatever else there
// is.
TEST(Arrivals, CallsOfDifferentRanksAreNamedAlike) {
  const auto program_of = [](std::int32_t rank) {
    Program program;
    program.rank = rank;
    program.world_size = 4;
    program.streams = {"pp", "dp"};
    const std::int32_t stage = rank / 2, replica = rank % 2;
    program.groups = {{.axis = "pp", .ranks = {replica, 2 + replica}, .index = stage},
                      {.axis = "dp", .ranks = {2 * stage, 2 * stage + 1}, .index = replica}};
    for (int k = 0; k < 2; ++k) {
      Op message;
      message.stream = 0;
      message.comm = CommShape{.verb = Verb::send_recv, .axis = "pp", .count = 4};
      (stage == 0 ? message.comm->send_peer : message.comm->recv_peer) = 1 - stage;
      program.ops.push_back(message);
      Op sum;
      sum.stream = 1;
      sum.comm = CommShape{.verb = Verb::all_reduce, .axis = "dp", .count = 4};
      program.ops.push_back(sum);
    }
    return program;
  };
  std::map<std::string, std::vector<std::pair<bool, bool>>> met;
  for (std::int32_t rank = 0; rank < 4; ++rank) {
    const Program program = program_of(rank);
    Timeline timeline;
    for (std::int32_t i = 0; i < 4; ++i)
      timeline.spans.push_back({.op = i, .begin_ns = i, .end_ns = i + 1});
    for (const Call& call : calls_of(program, timeline))
      met[call.meeting].emplace_back(call.gives, call.takes);
  }
  EXPECT_EQ(met.size(), 8U);
  for (const auto& [name, sides] : met) {
    ASSERT_EQ(sides.size(), 2U) << name;
    const bool message = name.starts_with("pp");
    EXPECT_EQ(sides[0], std::pair(true, !message)) << name;
    EXPECT_EQ(sides[1], std::pair(!message, true)) << name;
  }
}

}  // namespace
}  // namespace stepmark
