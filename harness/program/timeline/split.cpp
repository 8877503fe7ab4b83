// SPDX-License-Identifier: Apache-2.0
// Walks the compute stream's spans. Where it stood still, the op it waited for is followed back
// over that op's stream, and what that was doing meanwhile gets the time: a collective all of it, a
// kernel its work, a wait in turn what it waited for.
#include "harness/program/timeline/split.h"

#include <algorithm>
#include <limits>
#include <map>
#include <string>
#include <string_view>
#include <utility>

namespace stepmark {
namespace {

constexpr double kNs = 1e-9;
constexpr std::string_view kComputeStream = "compute";

// [begin, end), in nanoseconds since the step began.
struct Interval {
  std::int64_t begin = 0, end = 0;
  [[nodiscard]] std::int64_t length() const { return std::max<std::int64_t>(0, end - begin); }
};

Interval common(Interval a, Interval b) {
  return {.begin = std::max(a.begin, b.begin), .end = std::min(a.end, b.end)};
}

// Follows the time of the compute stream, and where that stood still, of what it waited for.
class Split {
 public:
  Split(const Program& program, const Timeline& timeline, const Arrivals& arrivals)
      : program_(program),
        arrivals_(arrivals),
        span_of_(program.ops.size(), nullptr),
        previous_(program.ops.size(), -1),
        compute_(compute_stream(program)) {
    for (const Span& span : timeline.spans) span_of_[static_cast<std::size_t>(span.op)] = &span;
    std::vector<std::int32_t> latest(std::max<std::size_t>(program.streams.size(), 1), -1);
    for (std::int32_t i = 0; i < std::ssize(program.ops); ++i) {
      if (span(i) == nullptr) continue;
      auto& on_stream = latest[static_cast<std::size_t>(op(i).stream)];
      previous_[static_cast<std::size_t>(i)] = std::exchange(on_stream, i);
    }
  }

  void run() {
    std::int32_t last = -1;
    std::int64_t compute_end = 0;
    for (std::int32_t i = 0; i < std::ssize(program_.ops); ++i) {
      const Span* own = span(i);
      if (own == nullptr) continue;
      if (last < 0 || own->end_ns > span(last)->end_ns) last = i;
      if (op(i).stream != compute_) continue;
      compute_end = std::max(compute_end, own->end_ns);
      if (op(i).comm) {
        exposed(i, {.begin = own->begin_ns, .end = own->end_ns});
      } else {
        add(own_part(i), own->end_ns - own->begin_ns);
      }
      if (own->wait_ns > 0) stood_still(waited(*own), latest_dep(i));
    }
    if (last >= 0) stood_still({.begin = compute_end, .end = span(last)->end_ns}, last);
  }

  [[nodiscard]] std::vector<SplitPart> parts(std::int64_t step_ns) const {
    const auto seconds = [](std::int64_t ns) { return static_cast<double>(ns) * kNs; };
    std::vector<SplitPart> parts{{.name = "compute", .seconds = seconds(of("compute"))}};
    std::int64_t accounted = 0;
    for (const auto& [name, ns] : ns_) {
      accounted += ns;
      const bool kernels = name == "compute" || name == "optimizer";
      if (!kernels) parts.push_back({.name = name, .seconds = seconds(ns)});
    }
    parts.push_back({.name = "optimizer", .seconds = seconds(of("optimizer"))});
    parts.push_back(
        {.name = "overhead", .seconds = seconds(std::max<std::int64_t>(0, step_ns - accounted))});
    return parts;
  }

  [[nodiscard]] std::map<std::int32_t, double> waited_for_s() const {
    std::map<std::int32_t, double> out;
    for (const auto& [rank, ns] : waited_for_ns_) out[rank] = static_cast<double>(ns) * kNs;
    return out;
  }

  // Work of the optimizer's kernels on other streams, less what the compute stream stood still for.
  [[nodiscard]] std::int64_t optimizer_beside_ns() const {
    std::int64_t work = 0;
    for (std::int32_t i = 0; i < std::ssize(program_.ops); ++i) {
      const bool beside = span(i) != nullptr && op(i).stream != compute_ && op(i).kernel &&
                          op(i).phase == Phase::optimizer;
      if (beside) work += span(i)->end_ns - span(i)->begin_ns;
    }
    return work - exposed_optimizer_ns_;
  }

 private:
  static std::int32_t compute_stream(const Program& program) {
    const auto found = std::find(program.streams.begin(), program.streams.end(), kComputeStream);
    return found == program.streams.end()
               ? 0
               : static_cast<std::int32_t>(found - program.streams.begin());
  }
  static Interval waited(const Span& span) {
    return {.begin = span.begin_ns - span.wait_ns, .end = span.begin_ns};
  }
  [[nodiscard]] const Op& op(std::int32_t i) const {
    return program_.ops[static_cast<std::size_t>(i)];
  }
  [[nodiscard]] const Span* span(std::int32_t i) const {
    return span_of_[static_cast<std::size_t>(i)];
  }
  [[nodiscard]] std::int64_t of(const char* part) const {
    const auto found = ns_.find(part);
    return found == ns_.end() ? 0 : found->second;
  }
  void add(const std::string& part, std::int64_t ns) {
    if (ns > 0) ns_[part] += ns;
  }
  // The compute stream stood still in `gap` for this communication, and so for what was before it
  // on its stream.
  void communicated(std::int32_t i, Interval gap) {
    const std::string axis(axis_of(op(i).comm->axis));
    for (; i >= 0 && op(i).comm && gap.length() > 0; i = previous_[static_cast<std::size_t>(i)]) {
      const std::int64_t begin = std::max(gap.begin, span(i)->begin_ns);
      exposed(i, {.begin = begin, .end = gap.end});
      gap.end = std::min(gap.end, begin);
    }
    add("exposed " + axis, gap.length());
  }
  // The same while that op was at work: until the last of the others
  // had come it waited for that one.
  void exposed(std::int32_t i, Interval gap) {
    const std::string axis(axis_of(op(i).comm->axis));
    if (const auto arrival = arrivals_.find(i); arrival != arrivals_.end()) {
      const std::int64_t until = std::min(gap.end, arrival->second.at_ns);
      const std::int64_t waiting = Interval{.begin = gap.begin, .end = until}.length();
      add("waiting " + axis, waiting);
      if (waiting > 0) waited_for_ns_[arrival->second.rank] += waiting;
      gap.begin += waiting;
    }
    add("exposed " + axis, gap.length());
  }
  [[nodiscard]] std::string own_part(std::int32_t i) const {
    return op(i).phase == Phase::optimizer ? "optimizer" : "compute";
  }
  // Of its dependencies the one that ended last; -1: it has none.
  [[nodiscard]] std::int32_t latest_dep(std::int32_t i) const {
    std::int32_t latest = -1;
    for (const std::int32_t dep : op(i).deps) {
      if (span(dep) == nullptr) continue;
      if (latest < 0 || span(dep)->end_ns > span(latest)->end_ns) latest = dep;
    }
    return latest;
  }

  // The compute stream stood still in `gap`, for op `cause` of another stream. A collective is
  // charged with all of it. Of a kernel's stream it is seen what that was doing meanwhile: working,
  // or standing still for something else in turn.
  void stood_still(Interval gap, std::int32_t cause) {
    for (std::int32_t i = cause; i >= 0 && gap.length() > 0 && op(i).stream != compute_;
         i = previous_[static_cast<std::size_t>(i)]) {
      if (op(i).comm) return communicated(i, gap);
      const Span& own = *span(i);
      const bool optimizer = op(i).phase == Phase::optimizer;
      const std::int64_t work = common(gap, {.begin = own.begin_ns, .end = own.end_ns}).length();
      add(optimizer ? "optimizer" : "exposed compute", work);
      if (optimizer) exposed_optimizer_ns_ += work;
      const Interval wait = common(gap, waited(own));
      if (wait.length() > 0) stood_still(wait, latest_dep(i));
      gap.end = std::min(gap.end, waited(own).begin);
    }
  }

  const Program& program_;
  const Arrivals& arrivals_;
  std::vector<const Span*> span_of_;
  std::vector<std::int32_t> previous_;  // on the same stream; -1: none
  std::int32_t compute_;
  std::map<std::string, std::int64_t> ns_;  // by part
  std::map<std::int32_t, std::int64_t> waited_for_ns_;
  std::int64_t exposed_optimizer_ns_ = 0;
};

}  // namespace

StepSplit split_step(const Program& program, const Timeline& timeline, const Arrivals& arrivals) {
  Split split(program, timeline, arrivals);
  split.run();
  return {.parts = split.parts(timeline.step_ns),
          .optimizer_overlapped_s = static_cast<double>(split.optimizer_beside_ns()) * kNs,
          .waited_for_s = split.waited_for_s()};
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

}  // namespace stepmark
