// SPDX-License-Identifier: Apache-2.0
// Chrome trace event format (opens in Perfetto and chrome://tracing): one process per rank, one
// thread per stream, one complete event ("ph":"X") per span.
#pragma once

#include <span>
#include <string>

#include "harness/program/program.h"
#include "harness/program/timeline/arrivals.h"
#include "harness/program/timeline/timeline.h"

namespace stepmark {

// Events of one rank, comma-separated, without the enclosing array: ranks are joined by the caller.
// offset_ns is added to its times. Inside of a collective is another event until the last rank
// came.
[[nodiscard]] std::string chrome_trace_events(const Program& program, const Timeline& timeline,
                                              const Arrivals& arrivals = {},
                                              std::int64_t offset_ns = 0);
[[nodiscard]] std::string chrome_trace_document(std::span<const std::string> events_per_rank);

}  // namespace stepmark
