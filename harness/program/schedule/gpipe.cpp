// SPDX-License-Identifier: Apache-2.0
// GPipe: all forwards, then all backwards; every micro-batch is in flight at once.
#include "harness/program/schedule/schedule.h"

namespace stepmark {
namespace {

std::vector<Slot> slots(const PipelinePlace& place) {
  std::vector<Slot> result;
  for (std::int32_t m = 0; m < place.micro_batches; ++m) result.push_back({.micro = m});
  for (std::int32_t m = 0; m < place.micro_batches; ++m) push_backward(result, m);
  return result;
}

}  // namespace

ScheduleInfo schedule_gpipe() {
  return {
      .name = "gpipe", .source = "arXiv 1811.06965", .slots = slots, .problem = wants_one_chunk};
}

}  // namespace stepmark
