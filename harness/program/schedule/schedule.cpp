// SPDX-License-Identifier: Apache-2.0
// The list of schedules, generated. Which set of activations a pass uses follows from its slots:
// the lowest set that is free when its forward pass begins, until its weight gradient is done.
#include "harness/program/schedule/schedule.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "core/error.h"
#include "harness/program/schedule/schedule_list.h"  // generated: #define STEPMARK_SCHEDULES(X) X(gpipe) ...

namespace stepmark {

#define STEPMARK_DECLARE(name) ScheduleInfo schedule_##name();
STEPMARK_SCHEDULES(STEPMARK_DECLARE)
#undef STEPMARK_DECLARE

std::span<const ScheduleInfo> all_schedules() {
#define STEPMARK_ENTRY(name) schedule_##name(),
  static const std::array kAll{STEPMARK_SCHEDULES(STEPMARK_ENTRY)};
#undef STEPMARK_ENTRY
  return kAll;
}

const ScheduleInfo& find_schedule(std::string_view name) {
  std::string names;
  for (const ScheduleInfo& schedule : all_schedules()) {
    if (schedule.name == name) return schedule;
    names += fmt::format(" {}", schedule.name);
  }
  throw Error(ExitCode::kUsage, fmt::format("there is no schedule '{}'; there are{}", name, names));
}

std::vector<Slot> slots_of(const ScheduleInfo& schedule, const PipelinePlace& place) {
  STEPMARK_REQUIRE(place.stages >= 1 && place.stage >= 0 && place.stage < place.stages &&
                       place.micro_batches >= 1 && place.chunks >= 1,
                   "stage {} of {} with {} micro-batches in {} chunks is no place in a pipeline",
                   place.stage, place.stages, place.micro_batches, place.chunks);
  const std::string problem = schedule.problem(place);
  STEPMARK_REQUIRE(problem.empty(), "schedule {}: {}", schedule.name, problem);
  return schedule.slots(place);
}

InFlight in_flight(std::span<const Slot> slots, std::size_t ahead) {
  struct Pass {
    std::int32_t set = 0;
    std::optional<Work> last;  // none: its input may come
  };
  std::map<std::pair<std::int32_t, std::int32_t>, Pass> open;  // by micro-batch and chunk
  std::set<std::int32_t> free;
  InFlight result;
  std::size_t taken = 0;  // slots that have their set, if they take one
  const auto take = [&](const Slot& slot) {
    if (slot.work != Work::forward) return;
    if (free.empty()) free.insert(result.sets++);
    const Pass pass{.set = *free.begin(), .last = {}};
    STEPMARK_REQUIRE(open.emplace(std::pair{slot.micro, slot.chunk}, pass).second,
                     "micro-batch {} of chunk {} is twice under way", slot.micro, slot.chunk);
    free.erase(free.begin());
  };
  for (std::size_t i = 0; i < slots.size(); ++i) {
    const Slot& slot = slots[i];
    while (taken < slots.size() && taken <= i + ahead) take(slots[taken++]);
    const auto found = open.find({slot.micro, slot.chunk});
    const std::optional<Work> before = slot.work == Work::forward ? std::nullopt
                                       : slot.work == Work::backward_input
                                           ? std::optional(Work::forward)
                                           : std::optional(Work::backward_input);
    STEPMARK_REQUIRE(found != open.end() && found->second.last == before,
                     "backward of micro-batch {} of chunk {} has not come so far", slot.micro,
                     slot.chunk);
    found->second.last = slot.work;
    result.set_of.push_back(found->second.set);
    if (slot.work != Work::backward_weight) continue;
    free.insert(found->second.set);
    open.erase(found);
  }
  STEPMARK_REQUIRE(open.empty(), "{} passes have no end", open.size());
  return result;
}

void push_backward(std::vector<Slot>& slots, std::int32_t micro, std::int32_t chunk) {
  slots.push_back({.work = Work::backward_input, .micro = micro, .chunk = chunk});
  slots.push_back({.work = Work::backward_weight, .micro = micro, .chunk = chunk});
}

std::string wants_one_chunk(const PipelinePlace& place) {
  return place.chunks == 1 ? "" : fmt::format("{} chunks per stage; it takes one", place.chunks);
}

}  // namespace stepmark
