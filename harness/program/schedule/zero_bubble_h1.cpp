// SPDX-License-Identifier: Apache-2.0
// ZB-H1: 1F1B whose backward passes are split. Weight gradients fill what 1F1B leaves empty: stage
// r keeps r of them back. As many micro-batches are in flight on every stage as on the first one
// of 1F1B.
#include <algorithm>

#include "harness/program/schedule/schedule.h"

namespace stepmark {
namespace {

std::vector<Slot> slots(const PipelinePlace& place) {
  const std::int32_t warm_up = std::min(place.micro_batches, place.stages - 1 - place.stage);
  std::vector<Slot> result;
  std::int32_t weights = 0;  // that are done
  const auto backward = [&](std::int32_t micro) {
    result.push_back({.work = Work::backward_input, .micro = micro});
    if (micro < place.stage) return;
    result.push_back({.work = Work::backward_weight, .micro = weights++});
  };
  for (std::int32_t m = 0; m < warm_up; ++m) result.push_back({.micro = m});
  for (std::int32_t m = 0; m < place.micro_batches; ++m) {
    if (m + warm_up < place.micro_batches) result.push_back({.micro = m + warm_up});
    backward(m);
  }
  while (weights < place.micro_batches) {
    result.push_back({.work = Work::backward_weight, .micro = weights++});
  }
  return result;
}

}  // namespace

ScheduleInfo schedule_zero_bubble_h1() {
  return {.name = "zb-h1",
          .source = "arXiv 2401.10241",
          .splits_backward = true,
          .slots = slots,
          .problem = wants_one_chunk};
}

}  // namespace stepmark
