// SPDX-License-Identifier: Apache-2.0
// When the ops of a program ran: what executors measure, and whatever predicts a step can produce
// without a device. Split and trace (beside this file) read nothing else.
#pragma once

#include <cstdint>
#include <vector>

namespace stepmark {

// One executed op. Times in nanoseconds on the rank's steady clock, relative to the step's start.
struct Span {
  std::int32_t op = 0;  // index into Program::ops
  std::int64_t begin_ns = 0;
  std::int64_t end_ns = 0;
  std::int64_t wait_ns = 0;  // time the stream stood still for this op's dependencies before begin
};

struct Timeline {
  std::int64_t step_ns = 0;  // from the first hand-over to the last op's end
  std::vector<Span> spans;   // in op order
  // What of each span is the graph's and the trace's own time, where that is known (a GPU's
  // graphs).
  std::int64_t mark_ns = 0;
  // The host's steady clock at the step's start, and how far that may be off: the spans may be of
  // a clock of the device. -1: not known.
  std::int64_t start_ns = -1;
  std::int64_t start_error_ns = 0;
};

}  // namespace stepmark
