// SPDX-License-Identifier: Apache-2.0
// Traces in the form of PyTorch's profiler, of which CCL-Bench's tools read complete events of the
// categories "kernel" and "user_annotation". They tell communication from computation by an
// event's name; ours are given by stream, so names are made to say it.
#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "results/record/json_text.h"
#include "results/views/ccl_bench/ccl_bench.h"

namespace stepmark {
namespace {

constexpr double kMicro = 1e6;
constexpr const char* kComputeStream = "compute";

nlohmann::json event(const char* category, const std::string& name, int rank, int thread,
                     double begin_s, double end_s) {
  return {{"ph", "X"},
          {"cat", category},
          {"name", name},
          {"pid", rank},
          {"tid", thread},
          {"ts", begin_s * kMicro},
          {"dur", (end_s - begin_s) * kMicro}};
}

}  // namespace

std::map<std::string, std::string> ccl_bench_traces(const Record& step) {
  STEPMARK_REQUIRE(!step.timeline.empty(),
                   "{}: has no timeline, which is what a trace is made of: steps that were "
                   "measured have one",
                   step.case_id);
  struct Rank {
    nlohmann::json events = nlohmann::json::array();
    std::map<std::string, int> threads;
    std::map<std::string, double> came;  // by stream: when it came to a transfer that waits
    double begin = std::numeric_limits<double>::infinity(), end = 0;
  };
  std::map<int, Rank> ranks;
  for (const TimelineSpan& span : step.timeline) {
    Rank& rank = ranks[span.rank];
    rank.begin = std::min(rank.begin, span.begin_s);
    rank.end = std::max(rank.end, span.end_s);
    if (span.phase == kWaitingPhase) {  // a kernel of a communication library has that in it
      rank.came[span.stream] = span.begin_s;
      continue;
    }
    const auto came = rank.came.extract(span.stream);
    const double begin = came ? came.mapped() : span.begin_s;
    const int next = static_cast<int>(rank.threads.size()) + 1;
    const int thread = rank.threads.emplace(span.stream, next).first->second;
    const std::string name =
        span.stream == kComputeStream
            ? span.label
            : fmt::format("communicate collective {}: {}", span.stream, span.label);
    auto one = event("kernel", name, span.rank, thread, begin, span.end_s);
    one["args"] = {{"stream", span.stream}, {"phase", span.phase}};
    rank.events.push_back(std::move(one));
  }
  std::map<std::string, std::string> files;
  for (auto& [number, rank] : ranks) {
    rank.events.push_back(
        event("user_annotation", "ProfilerStep#1", number, 0, rank.begin, rank.end));
    const nlohmann::json trace{
        {"schemaVersion", 1},
        {"distributedInfo", {{"rank", number}, {"world_size", ranks.size()}}},
        {"displayTimeUnit", "ms"},
        {"traceEvents", std::move(rank.events)}};
    files[fmt::format("kineto_trace_{}.json", number)] = json_text(trace) + "\n";
  }
  return files;
}

}  // namespace stepmark
