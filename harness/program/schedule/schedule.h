// SPDX-License-Identifier: Apache-2.0
// In which order a pipeline stage works through its micro-batches. A schedule is a pure function
// from a place in the pipeline to slots, and the order of the slots is all there is to it: what is
// sent where and when, and how many activations are in memory, follows from them. A new schedule is
// a file beside this one that defines ScheduleInfo schedule_NAME() and its NAME in
// STEPMARK_SCHEDULES (harness/program/CMakeLists.txt).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace stepmark {

// backward_input: gradients with respect to what came in, which the stage before waits for;
// backward_weight: those of the parameters, which nobody waits for before the optimizer. Next to
// each other, of one micro-batch and chunk, they are one backward pass.
enum class Work : std::uint8_t { forward, backward_input, backward_weight };

struct Slot {
  Work work = Work::forward;
  std::int32_t micro = 0;
  std::int32_t chunk = 0;  // of this rank's: chunk q of stage r is stage q stages + r of the model
  bool operator==(const Slot&) const = default;
};

struct PipelinePlace {
  std::int32_t stage = 0;
  std::int32_t stages = 1;
  std::int32_t micro_batches = 1;
  std::int32_t chunks = 1;  // of the model's layers per stage
};

struct ScheduleInfo {
  std::string_view name;
  std::string_view source;
  bool splits_backward = false;  // has backward_weight slots apart from their backward_input
  std::vector<Slot> (*slots)(const PipelinePlace&) = nullptr;
  // Why it has no slots for such a place; empty: it has.
  std::string (*problem)(const PipelinePlace&) = nullptr;
};

[[nodiscard]] std::span<const ScheduleInfo> all_schedules();
// Error(kUsage) that names them all when there is none of this name.
[[nodiscard]] const ScheduleInfo& find_schedule(std::string_view name);
// Its slots; Error(kUsage) with the problem where there is one.
[[nodiscard]] std::vector<Slot> slots_of(const ScheduleInfo& schedule, const PipelinePlace& place);

// Which set of activations each slot uses, when a forward takes the lowest free one and the
// backward_weight of the same micro-batch and chunk frees it: as many sets as are in flight at a
// time. With `ahead` a set is taken that many slots before its forward: there the input of the
// forward can be received while other slots are at work. Error(kUsage) for slots that are no
// complete passes.
struct InFlight {
  std::vector<std::int32_t> set_of;  // by slot
  std::int32_t sets = 0;
};
[[nodiscard]] InFlight in_flight(std::span<const Slot> slots, std::size_t ahead = 0);

// For the schedules: appends a backward pass that is not split; "chunks must be 1" unless they are.
void push_backward(std::vector<Slot>& slots, std::int32_t micro, std::int32_t chunk = 0);
[[nodiscard]] std::string wants_one_chunk(const PipelinePlace& place);

}  // namespace stepmark
