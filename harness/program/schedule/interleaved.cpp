// SPDX-License-Identifier: Apache-2.0
// Interleaved 1F1B: each rank has several chunks of layers, and goes through them in groups of as
// many micro-batches as there are stages. The warm-up is longer than transfers that take no time
// would need, so that each transfer has a slot to spare.
#include <fmt/format.h>

#include <algorithm>

#include "harness/program/schedule/schedule.h"

namespace stepmark {
namespace {

std::string problem(const PipelinePlace& place) {
  if (place.chunks < 2) return "one chunk per stage; it takes two or more (else 1f1b)";
  if (place.micro_batches % place.stages != 0) {
    return fmt::format("{} micro-batches are no multiple of the {} stages", place.micro_batches,
                       place.stages);
  }
  return "";
}

// Pass number `index` of micro_batches x chunks.
Slot pass(const PipelinePlace& place, std::int32_t index) {
  const std::int32_t group = place.stages * place.chunks;
  const std::int32_t within = index % group;
  return {.micro = index / group * place.stages + within % place.stages,
          .chunk = within / place.stages};
}

std::vector<Slot> slots(const PipelinePlace& place) {
  const std::int32_t passes = place.micro_batches * place.chunks;
  const std::int32_t warm_up =
      std::min(passes, 2 * (place.stages - 1 - place.stage) + (place.chunks - 1) * place.stages);
  std::vector<Slot> result;
  const auto backward = [&](std::int32_t index) {
    const Slot slot = pass(place, index);
    push_backward(result, slot.micro, place.chunks - 1 - slot.chunk);
  };
  for (std::int32_t i = 0; i < warm_up; ++i) result.push_back(pass(place, i));
  for (std::int32_t i = warm_up; i < passes; ++i) {
    result.push_back(pass(place, i));
    backward(i - warm_up);
  }
  for (std::int32_t i = passes - warm_up; i < passes; ++i) backward(i);
  return result;
}

}  // namespace

ScheduleInfo schedule_interleaved() {
  return {.name = "interleaved",
          .source = "arXiv 2104.04473; Megatron-LM core/pipeline_parallel/schedules.py",
          .slots = slots,
          .problem = problem};
}

}  // namespace stepmark
