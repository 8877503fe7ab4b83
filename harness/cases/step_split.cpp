// SPDX-License-Identifier: Apache-2.0
#include "harness/cases/step_split.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <map>
#include <utility>

namespace stepmark {
namespace {

constexpr double kNs = 1e-9;

// Axis of a communication op, by which its exposed time is named.
std::string exposed_name(const Op& op) {
  return fmt::format("exposed {}", op.comm ? op.comm->axis : std::string("compute"));
}

}  // namespace

std::vector<TimePart> split_step(const Program& program, const Timeline& timeline) {
  std::vector<const Span*> span_of(program.ops.size(), nullptr);
  for (const Span& span : timeline.spans) span_of[static_cast<std::size_t>(span.op)] = &span;

  std::int64_t compute = 0;
  std::int64_t optimizer = 0;
  std::int64_t last_compute_end = 0;
  std::map<std::string, std::int64_t> exposed;
  const Span* last = nullptr;
  for (std::size_t i = 0; i < program.ops.size(); ++i) {
    const Op& op = program.ops[i];
    const Span* span = span_of[i];
    if (span == nullptr) continue;
    if (last == nullptr || span->end_ns > last->end_ns) last = span;
    if (!op.kernel) continue;
    (op.phase == Phase::optimizer ? optimizer : compute) += span->end_ns - span->begin_ns;
    last_compute_end = std::max(last_compute_end, span->end_ns);
    if (span->wait_ns <= 0 || op.deps.empty()) continue;
    // It waited for whichever of its dependencies ended last.
    const std::int32_t latest =
        *std::max_element(op.deps.begin(), op.deps.end(), [&](std::int32_t a, std::int32_t b) {
          return span_of[static_cast<std::size_t>(a)]->end_ns <
                 span_of[static_cast<std::size_t>(b)]->end_ns;
        });
    exposed[exposed_name(program.ops[static_cast<std::size_t>(latest)])] += span->wait_ns;
  }
  if (last != nullptr && last->end_ns > last_compute_end) {
    const Op& op = program.ops[static_cast<std::size_t>(last->op)];
    exposed[exposed_name(op)] += last->end_ns - last_compute_end;
  }
  std::int64_t accounted = compute + optimizer;
  std::vector<TimePart> parts{{.name = "compute", .seconds = static_cast<double>(compute) * kNs}};
  for (const auto& [name, ns] : exposed) {
    parts.push_back({.name = name, .seconds = static_cast<double>(ns) * kNs});
    accounted += ns;
  }
  parts.push_back({.name = "optimizer", .seconds = static_cast<double>(optimizer) * kNs});
  parts.push_back(
      {.name = "overhead",
       .seconds =
           static_cast<double>(std::max<std::int64_t>(0, timeline.step_ns - accounted)) * kNs});
  return parts;
}

double busy_seconds(const Timeline& timeline) {
  std::vector<std::pair<std::int64_t, std::int64_t>> busy;
  for (const Span& span : timeline.spans) {
    busy.emplace_back(span.begin_ns, std::max(span.begin_ns, span.end_ns - timeline.mark_ns));
  }
  std::sort(busy.begin(), busy.end());
  std::int64_t total = 0;
  std::int64_t until = std::numeric_limits<std::int64_t>::min();
  for (const auto& [begin, end] : busy) {
    total += std::max<std::int64_t>(0, end - std::max(begin, until));
    until = std::max(until, end);
  }
  return static_cast<double>(total) * kNs;
}

std::vector<TimelineSpan> record_spans(const Program& program, const Timeline& timeline) {
  std::vector<TimelineSpan> spans;
  for (const Span& span : timeline.spans) {
    const Op& op = program.ops[static_cast<std::size_t>(span.op)];
    spans.push_back({.rank = program.rank,
                     .stream = program.streams[static_cast<std::size_t>(op.stream)],
                     .label = op.label,
                     .phase = std::string(name_of(op.phase)),
                     .begin_s = static_cast<double>(span.begin_ns) * kNs,
                     .end_s = static_cast<double>(span.end_ns) * kNs});
  }
  return spans;
}

}  // namespace stepmark
