// SPDX-License-Identifier: Apache-2.0
// 1F1B: as many forwards as stages come after this one, then forward and backward in turns, then
// the backwards that are left. On one stage: plain accumulation, one micro-batch after the other.
#include <algorithm>

#include "harness/program/schedule/schedule.h"

namespace stepmark {
namespace {

std::vector<Slot> slots(const PipelinePlace& place) {
  const std::int32_t warm_up = std::min(place.micro_batches, place.stages - 1 - place.stage);
  std::vector<Slot> result;
  for (std::int32_t m = 0; m < warm_up; ++m) result.push_back({.micro = m});
  for (std::int32_t m = warm_up; m < place.micro_batches; ++m) {
    result.push_back({.micro = m});
    push_backward(result, m - warm_up);
  }
  for (std::int32_t m = place.micro_batches - warm_up; m < place.micro_batches; ++m) {
    push_backward(result, m);
  }
  return result;
}

}  // namespace

ScheduleInfo schedule_one_f_one_b() {
  return {.name = "1f1b",
          .source = "arXiv 2104.04473; Megatron-LM core/pipeline_parallel/schedules.py",
          .slots = slots,
          .problem = wants_one_chunk};
}

}  // namespace stepmark
