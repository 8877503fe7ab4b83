// SPDX-License-Identifier: Apache-2.0
// Schedules against what is known of them: complete, free of deadlocks, with the idle time and the
// number of micro-batches in flight that their papers give.
#include "harness/program/schedule/schedule.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "core/error.h"
#include "harness/program/schedule/slot_grid.h"

namespace stepmark {
namespace {

using ::testing::ElementsAre;

struct Times {
  int forward = 1, input = 1, weight = 1;
};

using Pass = std::tuple<Work, int, int>;  // work, micro-batch, stage of the model

// Idle time of a rank (the same on all: each works as long) in a pipeline whose transfers take no
// time. -1: it cannot go on.
int idle_of(const ScheduleInfo& schedule, int stages, int micro_batches, int chunks, Times times) {
  std::vector<std::vector<Slot>> slots;
  for (int r = 0; r < stages; ++r) {
    slots.push_back(
        slots_of(schedule,
                 {.stage = r, .stages = stages, .micro_batches = micro_batches, .chunks = chunks}));
  }
  const int last = stages * chunks - 1;
  std::map<Pass, int> end;  // when it ended
  std::vector<std::size_t> next(slots.size(), 0);
  std::vector<int> now(slots.size(), 0);
  const auto advance = [&](std::size_t r) {
    const Slot& slot = slots[r][next[r]];
    const int stage = slot.chunk * stages + static_cast<int>(r);
    int start = now[r];
    const auto after = [&](Work work, int of_stage) {
      const auto found = end.find({work, slot.micro, of_stage});
      if (found == end.end()) return false;
      start = std::max(start, found->second);
      return true;
    };
    // A pass that is not split hands over when all of it is done.
    const Work handed = schedule.splits_backward ? Work::backward_input : Work::backward_weight;
    bool ready = true;
    if (slot.work == Work::forward && stage > 0) ready = after(Work::forward, stage - 1);
    if (slot.work == Work::backward_input) {
      ready = after(Work::forward, stage) && (stage == last || after(handed, stage + 1));
    }
    if (slot.work == Work::backward_weight) ready = after(Work::backward_input, stage);
    if (!ready) return false;
    now[r] = start + (slot.work == Work::forward          ? times.forward
                      : slot.work == Work::backward_input ? times.input
                                                          : times.weight);
    end[{slot.work, slot.micro, stage}] = now[r];
    ++next[r];
    return true;
  };
  for (bool moved = true; moved;) {
    moved = false;
    for (std::size_t r = 0; r < slots.size(); ++r) {
      while (next[r] < slots[r].size() && advance(r)) moved = true;
    }
  }
  for (std::size_t r = 0; r < slots.size(); ++r) {
    if (next[r] < slots[r].size()) return -1;
  }
  const int work = micro_batches * chunks * (times.forward + times.input + times.weight);
  return *std::max_element(now.begin(), now.end()) - work;
}

int sets_of(const ScheduleInfo& schedule, const PipelinePlace& place) {
  return in_flight(slots_of(schedule, place)).sets;
}

TEST(Schedules, HaveEveryPassOnceAndEnd) {
  std::set<std::string_view> names;
  for (const ScheduleInfo& schedule : all_schedules()) {
    EXPECT_TRUE(names.insert(schedule.name).second);
    EXPECT_EQ(&find_schedule(schedule.name), &schedule);
    int seen = 0;
    for (const int stages : {1, 2, 3, 4, 8}) {
      for (const int micro_batches : {1, 2, 3, 4, 8, 16}) {
        for (const int chunks : {1, 2, 3}) {
          const PipelinePlace place{.stage = stages - 1,
                                    .stages = stages,
                                    .micro_batches = micro_batches,
                                    .chunks = chunks};
          if (!schedule.problem(place).empty()) continue;
          ++seen;
          std::set<Pass> passes;
          for (const Slot& slot : slots_of(schedule, place)) {
            EXPECT_TRUE(passes.insert({slot.work, slot.micro, slot.chunk}).second);
          }
          EXPECT_EQ(std::ssize(passes), 3 * micro_batches * chunks);
          EXPECT_GE(idle_of(schedule, stages, micro_batches, chunks, {}), 0)
              << schedule.name << " " << stages << " " << micro_batches << " " << chunks;
        }
      }
    }
    EXPECT_GT(seen, 10) << schedule.name;
  }
}

// arXiv 2104.04473 section 2.2: (p-1)(F+B) for both, (p-1)(F+B)/v interleaved.
TEST(Schedules, IdleAsLongAsTheirPapersSay) {
  const Times times{.forward = 2, .input = 3, .weight = 1};
  const int whole = times.forward + times.input + times.weight;
  for (const int p : {2, 4, 8}) {
    for (const int m : {p, 2 * p, 3 * p}) {
      for (const char* name : {"gpipe", "1f1b"}) {
        EXPECT_EQ(idle_of(find_schedule(name), p, m, 1, times), (p - 1) * whole) << name;
      }
      // Times of a chunk: those of a stage are `chunks` times as long.
      for (const int chunks : {2, 4}) {
        EXPECT_EQ(idle_of(find_schedule("interleaved"), p, m, chunks, times), (p - 1) * whole);
      }
      // arXiv 2401.10241 table 2: (p-1)(F+I-W).
      EXPECT_EQ(idle_of(find_schedule("zb-h1"), p, m, 1, times),
                (p - 1) * (times.forward + times.input - times.weight));
    }
  }
  EXPECT_EQ(idle_of(find_schedule("1f1b"), 4, 2, 1, times), 3 * whole) << "fewer than stages";
}

// The grid that plans show is that of the test above, which is written another way.
TEST(SlotGrids, LeaveIdleWhatTheirPapersSay) {
  for (const int p : {2, 3, 4, 8}) {
    for (const int m : {p, 2 * p, 3 * p}) {
      const PipelinePlace place{.stages = p, .micro_batches = m};
      const double fraction = static_cast<double>(p - 1) / (m + p - 1);
      for (const char* name : {"gpipe", "1f1b"}) {
        EXPECT_NEAR(bubble_fraction(slot_grid(find_schedule(name), place)), fraction, 1e-12);
      }
      for (const int chunks : {2, 3}) {
        PipelinePlace chunked = place;
        chunked.chunks = chunks;
        EXPECT_NEAR(bubble_fraction(slot_grid(find_schedule("interleaved"), chunked)),
                    static_cast<double>(p - 1) / (chunks * m + p - 1), 1e-12);
      }
      // (p-1)(F+I-W) of a step of m (F+I+W) and that.
      EXPECT_NEAR(bubble_fraction(slot_grid(find_schedule("zb-h1"), place)),
                  (p - 1.0) / (3.0 * m + p - 1.0), 1e-12);
    }
  }
}

TEST(SlotGrids, AreALinePerStage) {
  EXPECT_EQ(to_text(slot_grid(find_schedule("1f1b"), {.stages = 2, .micro_batches = 2})),
            "stage 0 F0 F1 .  .  B0 B0 .  B1 B1\n"
            "stage 1 .  F0 B0 B0 F1 B1 B1 .  .\n");
  EXPECT_EQ(to_text(slot_grid(find_schedule("zb-h1"), {.stages = 2, .micro_batches = 2})),
            "stage 0 F0 F1 .  I0 W0 I1 W1\n"
            "stage 1 .  F0 I0 F1 I1 W0 W1\n");
  EXPECT_EQ(slot_name({.micro = 3, .chunk = 1}, false, true), "F3.1");
}

TEST(Schedules, TakeASetASlotAheadForWhatComesIn) {
  const auto slots = slots_of(find_schedule("1f1b"), {.stage = 1, .stages = 2, .micro_batches = 4});
  EXPECT_EQ(in_flight(slots).sets, 1);
  EXPECT_EQ(in_flight(slots, 1).sets, 2) << "one in use, one on its way";
  EXPECT_EQ(in_flight(slots_of(find_schedule("gpipe"), {.stages = 2, .micro_batches = 4}), 1).sets,
            4);
}

TEST(Schedules, KeepAsMuchInFlightAsTheirPapersSay) {
  for (const int p : {1, 2, 4, 8}) {
    for (const int m : {1, 2, 4, 8, 16}) {
      for (int r = 0; r < p; ++r) {
        const PipelinePlace place{.stage = r, .stages = p, .micro_batches = m};
        EXPECT_EQ(sets_of(find_schedule("gpipe"), place), m);
        EXPECT_EQ(sets_of(find_schedule("1f1b"), place), std::min(m, p - r));
        EXPECT_EQ(sets_of(find_schedule("zb-h1"), place), std::min(m, p));
        if (m % p != 0) continue;
        const int warm_up = 2 * (p - 1 - r) + p;
        PipelinePlace two = place;
        two.chunks = 2;
        EXPECT_EQ(sets_of(find_schedule("interleaved"), two), std::min(2 * m, warm_up + 1));
      }
    }
  }
}

TEST(Schedules, OneStageOfOneFOneBIsPlainAccumulation) {
  const auto slots = slots_of(find_schedule("1f1b"), {.micro_batches = 2});
  EXPECT_THAT(slots, ElementsAre(Slot{.work = Work::forward, .micro = 0},
                                 Slot{.work = Work::backward_input, .micro = 0},
                                 Slot{.work = Work::backward_weight, .micro = 0},
                                 Slot{.work = Work::forward, .micro = 1},
                                 Slot{.work = Work::backward_input, .micro = 1},
                                 Slot{.work = Work::backward_weight, .micro = 1}));
  EXPECT_THAT(in_flight(slots).set_of, ::testing::Each(0));
}

TEST(Schedules, InterleavedGoesThroughChunksInGroups) {
  std::vector<int> micros, chunks;
  for (const Slot& slot : slots_of(find_schedule("interleaved"),
                                   {.stage = 1, .stages = 2, .micro_batches = 4, .chunks = 2})) {
    if (slot.work != Work::forward) continue;
    micros.push_back(slot.micro);
    chunks.push_back(slot.chunk);
  }
  EXPECT_THAT(micros, ElementsAre(0, 1, 0, 1, 2, 3, 2, 3));
  EXPECT_THAT(chunks, ElementsAre(0, 0, 1, 1, 0, 0, 1, 1));
}

TEST(Schedules, RefuseWhatTheyCannotDo) {
  EXPECT_THROW((void)find_schedule("2f2b"), Error);
  EXPECT_THROW((void)slots_of(find_schedule("1f1b"), {.chunks = 2}), Error);
  EXPECT_THROW((void)slots_of(find_schedule("1f1b"), {.stage = 1}), Error);
  EXPECT_THROW(
      (void)slots_of(find_schedule("interleaved"), {.stages = 2, .micro_batches = 3, .chunks = 2}),
      Error);
  const Slot forward{.micro = 0}, input{.work = Work::backward_input};
  const Slot weight{.work = Work::backward_weight};
  EXPECT_NO_THROW((void)in_flight(std::vector{forward, input, weight}));
  EXPECT_THROW((void)in_flight(std::vector{forward, input}), Error);
  EXPECT_THROW((void)in_flight(std::vector{forward, weight, input}), Error);
  EXPECT_THROW((void)in_flight(std::vector{forward, forward}), Error);
}

}  // namespace
}  // namespace stepmark
