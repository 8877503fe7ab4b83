// SPDX-License-Identifier: Apache-2.0
// Rank 0 aligns the clocks of all ranks by their calls and tells everyone when the last of the
// others came to each; every rank then splits its own step, and rank 0 puts them together.
#include "harness/cases/step_timeline.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "core/error.h"
#include "core/log.h"
#include "core/output.h"
#include "core/stats.h"
#include "harness/exec/steady_ns.h"
#include "harness/program/timeline/arrivals.h"
#include "harness/program/timeline/split.h"
#include "harness/program/timeline/trace.h"
#include "results/families/step.h"
#include "results/record/json_text.h"

namespace stepmark {
namespace {

using nlohmann::json;

constexpr int kTracedRuns = 5;
constexpr std::size_t kMaxTimelineSpans = 6000;
// Calls of all ranks that one rank looks at: beyond, texts of many megabytes would be passed
// around.
constexpr std::size_t kMostCalls = 1'000'000;
constexpr int kExchanges = 16;
constexpr const char* kTraced = "timeline of a traced run";

json to_json(const RankCalls& calls) {
  json list = json::array();
  for (const Call& call : calls.calls) {
    list.push_back({call.meeting, call.op, call.begin_ns, call.end_ns, call.gives, call.takes});
  }
  return {{"clock", calls.clock}, {"start_ns", calls.start_ns}, {"calls", list}};
}

RankCalls calls_from(const json& text) {
  RankCalls calls{.clock = text["clock"], .start_ns = text["start_ns"], .calls = {}};
  for (const json& call : text["calls"]) {
    calls.calls.push_back({.meeting = call[0],
                           .op = call[1],
                           .begin_ns = call[2],
                           .end_ns = call[3],
                           .gives = call[4],
                           .takes = call[5]});
  }
  return calls;
}

// What a rank is told of the alignment.
struct Aligned {
  std::string unknown;
  std::int64_t offset_ns = 0, error_ns = 0;
  Arrivals arrivals;
};

json to_json(const Alignment& alignment) {
  json ranks = json::array();
  for (std::size_t r = 0; r < alignment.offset_ns.size(); ++r) {
    json arrivals = json::array();
    for (const auto& [op, last] : alignment.arrivals[r]) {
      arrivals.push_back({op, last.at_ns, last.rank});
    }
    ranks.push_back({{"offset_ns", alignment.offset_ns[r]}, {"arrivals", arrivals}});
  }
  return {{"unknown", alignment.unknown}, {"error_ns", alignment.error_ns}, {"ranks", ranks}};
}

Aligned aligned_from(const json& text, int rank) {
  Aligned out{.unknown = text["unknown"], .error_ns = text["error_ns"], .arrivals = {}};
  if (!out.unknown.empty()) return out;
  const json& own = text["ranks"][static_cast<std::size_t>(rank)];
  out.offset_ns = own["offset_ns"];
  for (const json& one : own["arrivals"]) {
    out.arrivals[one[0].get<std::int32_t>()] = {.at_ns = one[1], .rank = one[2]};
  }
  return out;
}

Alignment align_texts(const std::vector<std::string>& all) {
  std::vector<RankCalls> ranks;
  std::size_t calls = 0;
  for (const std::string& text : all) {
    ranks.push_back(calls_from(json::parse(text)));
    calls += ranks.back().calls.size();
  }
  if (calls <= kMostCalls) return align(ranks);
  Alignment none;
  none.unknown = fmt::format("{} transfers of all ranks are over {}", calls, kMostCalls);
  return none;
}

// Rank 0's word to all and all ranks' word to rank 0, a few times, as calls that tie their hosts'
// clocks: a call of a step ties them by how long its transfer took only where nobody is late.
// Collective.
std::vector<Call> exchanges(Control& control, const Timeline& timeline) {
  std::vector<Call> calls;
  for (int i = 0; i < kExchanges; ++i) {
    const std::int64_t first = steady_ns();
    static_cast<void>(control.broadcast("tick"));
    const std::int64_t second = steady_ns();
    static_cast<void>(control.gather("tock"));
    const std::int64_t third = steady_ns();
    if (timeline.start_ns < 0) continue;
    const bool root = control.rank() == 0;
    const std::int64_t error = timeline.start_error_ns;
    const auto add = [&](const char* way, std::int64_t begin, std::int64_t end, bool gives) {
      calls.push_back({.meeting = fmt::format("{}#{}", way, i),
                       .op = kNoOp,
                       .begin_ns = begin - timeline.start_ns - error,
                       .end_ns = end - timeline.start_ns + error,
                       .gives = gives,
                       .takes = !gives});
    };
    add("tick", first, second, root);
    add("tock", second, third, !root);
  }
  return calls;
}

// Collective.
Aligned align_ranks(Control& control, const Program& program, const Timeline& timeline) {
  // Ranks of a host read one clock where their spans are of it.
  const bool exact = timeline.start_ns >= 0 && timeline.start_error_ns == 0;
  RankCalls calls{.clock = exact ? identity().host : fmt::format("rank {}", control.rank()),
                  .start_ns = exact ? timeline.start_ns : 0,
                  .calls = calls_of(program, timeline)};
  const std::vector<Call> ties = exchanges(control, timeline);
  calls.calls.insert(calls.calls.end(), ties.begin(), ties.end());
  const std::vector<std::string> all = control.gather(json_text(to_json(calls)));
  std::string told;
  if (!all.empty()) told = json_text(to_json(align_texts(all)));
  return aligned_from(json::parse(control.broadcast(told)), control.rank());
}

// Time of the step in which none of a rank's streams was at work, the most of any rank. A traced
// step is no measure of the whole: what was busy in it is held against the median step.
void add_gap(Record& record, CaseContext& context, const Timeline& timeline) {
  const double step_s = median(record.series.front().values);
  const bool traced =
      std::find(record.labels.begin(), record.labels.end(), kTraced) != record.labels.end();
  const double own_s = traced ? step_s : static_cast<double>(timeline.step_ns) * 1e-9;
  const double gap_s =
      max_over_ranks(context.control, std::max(0.0, own_s - busy_seconds(timeline)));
  record.numbers.emplace_back(facts::step::kGapS, gap_s);
}

// Since the first rank's start; what a call waited for others is a span of its own.
json spans_of(const Program& program, const Timeline& timeline, const Aligned& aligned) {
  json out = json::array();
  const auto seconds = [&](std::int64_t ns) {
    return static_cast<double>(ns + aligned.offset_ns) * 1e-9;
  };
  for (const Span& span : timeline.spans) {
    const Op& op = program.ops[static_cast<std::size_t>(span.op)];
    const std::string& stream = program.streams[static_cast<std::size_t>(op.stream)];
    std::int64_t begin = span.begin_ns;
    const auto last = aligned.arrivals.find(span.op);
    if (last != aligned.arrivals.end() && last->second.at_ns > begin) {
      const std::int64_t until = std::min(last->second.at_ns, span.end_ns);
      out.push_back({program.rank, stream,
                     fmt::format("{}: waiting for rank {}", op.label, last->second.rank),
                     kWaitingPhase, seconds(begin), seconds(until)});
      begin = until;
    }
    out.push_back(
        {program.rank, stream, op.label, name_of(op.phase), seconds(begin), seconds(span.end_ns)});
  }
  return out;
}

json own_part(const CaseContext& context, const Program& program, const Timeline& timeline,
              const Aligned& aligned) {
  json own;
  own["split"] = json::array();
  const StepSplit split = split_step(program, timeline, aligned.arrivals);
  for (const SplitPart& part : split.parts) own["split"].push_back({part.name, part.seconds});
  own["optimizer_overlapped_s"] = split.optimizer_overlapped_s;
  own["waited_for"] = json::array();
  for (const auto& [rank, seconds] : split.waited_for_s) {
    own["waited_for"].push_back({rank, seconds});
  }
  own["spans"] = spans_of(program, timeline, aligned);
  if (!context.options.trace_dir.empty()) {
    own["trace"] = chrome_trace_events(program, timeline, aligned.arrivals, aligned.offset_ns);
  }
  return own;
}

// How long a rank waits on the mean over ranks, and which rank came last for most of it.
void add_waiting(Record& record, const std::vector<json>& ranks, const Aligned& aligned) {
  if (!aligned.unknown.empty()) {
    record.texts.emplace_back(facts::step::kWaitingUnknown, aligned.unknown);
    return;
  }
  std::map<int, double> by_rank;
  double all = 0;
  for (const json& rank : ranks) {
    for (const json& one : rank["waited_for"]) {
      by_rank[one[0].get<int>()] += one[1].get<double>();
      all += one[1].get<double>();
    }
  }
  const auto count = static_cast<double>(ranks.size());
  record.numbers.emplace_back(facts::step::kClockErrorS,
                              static_cast<double>(aligned.error_ns) * 1e-9);
  record.numbers.emplace_back(facts::step::kWaitingS, all / count);
  if (by_rank.empty()) return;
  const auto most =
      std::max_element(by_rank.begin(), by_rank.end(),
                       [](const auto& a, const auto& b) { return a.second < b.second; });
  record.numbers.emplace_back(facts::step::kWaitedForRank, most->first);
  record.numbers.emplace_back(facts::step::kWaitedForS, most->second / count);
}

void write_trace(Record& record, const CaseContext& context, const std::string& id,
                 const std::vector<std::string>& traces) {
  std::string name = id;
  std::replace(name.begin(), name.end(), '/', '_');
  const std::string path = fmt::format("{}/{}.json", context.options.trace_dir, name);
  try {
    write_output_file(path, chrome_trace_document(traces));
  } catch (const Error& error) {  // the step is measured all the same
    log_error("{}: {}", id, error.message());
    record.labels.emplace_back(kTraceNotWritten);
  }
}

void merge(Record& record, const CaseContext& context, const std::string& id,
           const std::vector<json>& ranks) {
  double slowest = -1;
  double optimizer_overlapped_s = 0;
  std::vector<std::string> traces;
  for (const json& rank : ranks) {
    double busy = 0;
    std::vector<TimePart> split;
    for (const auto& part : rank["split"]) {
      split.push_back({.name = part[0], .seconds = part[1]});
      if (part[0] == "compute" || part[0] == "optimizer") busy += part[1].get<double>();
    }
    if (busy > slowest) {
      slowest = busy;
      record.split = std::move(split);
      optimizer_overlapped_s = rank["optimizer_overlapped_s"];
    }
    if (record.timeline.size() + rank["spans"].size() <= kMaxTimelineSpans) {
      for (const auto& span : rank["spans"]) {
        record.timeline.push_back({.rank = span[0],
                                   .stream = span[1],
                                   .label = span[2],
                                   .phase = span[3],
                                   .begin_s = span[4],
                                   .end_s = span[5]});
      }
    }
    if (rank.contains("trace")) traces.push_back(rank["trace"]);
  }
  record.numbers.emplace_back(facts::step::kOptimizerOverlappedS, optimizer_overlapped_s);
  if (!traces.empty()) write_trace(record, context, id, traces);
}

}  // namespace

Timeline nearest_timeline(Record& record, CaseContext& context, Runnable& runnable,
                          std::vector<Timeline> sampled) {
  std::vector<double> times = record.series.front().values;
  if (times.empty() || sampled.size() != times.size()) return {};
  if (sampled.back().spans.empty()) {
    sampled.clear();
    times.clear();
    for (int i = 0; i < kTracedRuns; ++i) {
      context.control.barrier();
      runnable.run_traced();
      sampled.push_back(runnable.timeline());
      times.push_back(static_cast<double>(sampled.back().step_ns) * 1e-9);
    }
    context.control.max_in_place(times);
    if (!sampled.back().spans.empty()) record.labels.emplace_back(kTraced);
  }
  const double middle = median(times);
  const auto nearest = std::min_element(times.begin(), times.end(), [&](double a, double b) {
    return std::abs(a - middle) < std::abs(b - middle);
  });
  return std::move(sampled[static_cast<std::size_t>(nearest - times.begin())]);
}

void add_timeline(Record& record, CaseContext& context, const std::string& id,
                  const Program& program, const Timeline& timeline) {
  if (!all_ranks(context.control, !timeline.spans.empty())) return;
  add_gap(record, context, timeline);
  const bool alone = context.control.size() == 1;
  const Aligned aligned = alone ? Aligned{} : align_ranks(context.control, program, timeline);
  const std::vector<std::string> all =
      context.control.gather(json_text(own_part(context, program, timeline, aligned)));
  if (all.empty()) return;
  std::vector<json> ranks;
  for (const std::string& text : all) ranks.push_back(json::parse(text));
  merge(record, context, id, ranks);
  if (!alone) add_waiting(record, ranks, aligned);
}

}  // namespace stepmark
