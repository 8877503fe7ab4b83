// SPDX-License-Identifier: Apache-2.0
// Format: "Trace Event Format" of the Chromium project; times in microseconds.
#include "harness/program/timeline/trace.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "harness/program/text.h"

namespace stepmark {
namespace {

using nlohmann::json;

json metadata(std::string_view what, std::int32_t rank, std::size_t stream, const json& args) {
  return {{"ph", "M"}, {"name", what}, {"pid", rank}, {"tid", stream}, {"args", args}};
}

std::string shape_text(const Op& op) {
  if (op.kernel) return to_text(*op.kernel);
  return op.comm ? to_text(*op.comm) : std::string();
}

double us(std::int64_t ns) { return static_cast<double>(ns) * 1e-3; }

json complete_event(const Program& program, const Span& span, std::int64_t offset_ns) {
  const Op& op = program.ops[static_cast<std::size_t>(span.op)];
  return {{"ph", "X"},
          {"name", op.label},
          {"cat", name_of(op.phase)},
          {"pid", program.rank},
          {"tid", op.stream},
          {"ts", us(span.begin_ns + offset_ns)},
          {"dur", us(span.end_ns - span.begin_ns)},
          {"args", {{"op", span.op}, {"shape", shape_text(op)}, {"wait_us", us(span.wait_ns)}}}};
}

json waiting_event(const Program& program, const Span& span, const Arrival& last,
                   std::int64_t offset_ns) {
  return {{"ph", "X"},
          {"name", fmt::format("waiting for rank {}", last.rank)},
          {"cat", "waiting"},
          {"pid", program.rank},
          {"tid", program.ops[static_cast<std::size_t>(span.op)].stream},
          {"ts", us(span.begin_ns + offset_ns)},
          {"dur", us(std::min(last.at_ns, span.end_ns) - span.begin_ns)}};
}

}  // namespace

std::string chrome_trace_events(const Program& program, const Timeline& timeline,
                                const Arrivals& arrivals, std::int64_t offset_ns) {
  std::string out =
      metadata("process_name", program.rank, 0, {{"name", fmt::format("rank {}", program.rank)}})
          .dump();
  const auto append = [&out](const json& event) { out += ",\n" + event.dump(); };
  append(metadata("process_sort_index", program.rank, 0, {{"sort_index", program.rank}}));
  for (std::size_t s = 0; s < program.streams.size(); ++s) {
    append(metadata("thread_name", program.rank, s, {{"name", program.streams[s]}}));
    append(metadata("thread_sort_index", program.rank, s, {{"sort_index", s}}));
  }
  for (const Span& span : timeline.spans) {
    append(complete_event(program, span, offset_ns));
    const auto last = arrivals.find(span.op);
    if (last == arrivals.end() || last->second.at_ns <= span.begin_ns) continue;
    append(waiting_event(program, span, last->second, offset_ns));
  }
  return out;
}

std::string chrome_trace_document(std::span<const std::string> events_per_rank) {
  return fmt::format("{{\"displayTimeUnit\":\"ns\",\"traceEvents\":[\n{}\n]}}\n",
                     fmt::join(events_per_rank, ",\n"));
}

}  // namespace stepmark
