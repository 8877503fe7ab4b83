// SPDX-License-Identifier: Apache-2.0
// A schedule in time: when each stage is at which slot, if stages are equal and transfers take no
// time. What it leaves empty is the pipeline's bubble.
#pragma once

#include <string>
#include <vector>

#include "harness/program/schedule/schedule.h"

namespace stepmark {

// In one unit; of one chunk.
struct SlotTimes {
  int forward = 1, input = 1, weight = 1;
};

struct SlotGrid {
  struct Cell {
    Slot slot;
    int begin = 0, end = 0;
  };
  std::vector<std::vector<Cell>> rows;  // by stage
  int end = 0;
  bool split = false;  // input and weight gradients are passes of their own
};

// `place`: of any stage. Error(kUsage) where the schedule has a problem, or never ends.
[[nodiscard]] SlotGrid slot_grid(const ScheduleInfo& schedule, PipelinePlace place,
                                 const SlotTimes& times = {});
// Idle over total time of all stages, from 0 to 1.
[[nodiscard]] double bubble_fraction(const SlotGrid& grid);
// "F3", "B0", "I0", "W0", with the chunk behind a point where there are several ("F3.1").
[[nodiscard]] std::string slot_name(const Slot& slot, bool split, bool chunks);
// A line per stage, a column per unit of time, a point where it is idle.
[[nodiscard]] std::string to_text(const SlotGrid& grid);

}  // namespace stepmark
