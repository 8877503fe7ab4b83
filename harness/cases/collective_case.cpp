// SPDX-License-Identifier: Apache-2.0
// Family `collective`: back-to-back calls on one stream, timed by events at both ends. Ranks repeat
// the call as often as it takes to fill about a millisecond, so that what a sample shows is the
// collective and not the skew with which ranks leave the barrier; a sample is the time of one call.
// Beside it, as figures of their own: single calls, each after a barrier ("isolated"), and the very
// first call, which sets up connections.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <set>
#include <thread>

#include "collectives/sweep.h"
#include "collectives/verify.h"
#include "harness/cases/common.h"
#include "harness/exec/recording_stream.h"

namespace stepmark {
namespace {

constexpr double kSampleSeconds = 1e-3;
constexpr int kMaxCallsPerSample = 200;
constexpr double kIsolatedShare = 0.2;  // of the budget
// How long one rank stays away while the others must wait for it in a barrier: a longer time if the
// scheduler was in the way of a shorter one.
constexpr std::array kLateSeconds{0.01, 0.04, 0.16};

class CollectiveCase final : public Case {
 public:
  CollectiveCase(SweepCase sweep, int world_size)
      : sweep_(std::move(sweep)),
        id_(fmt::format("collective/{}/world{}", sweep_.name, world_size)) {
    CollectiveSetup whole = sweep_.setup;
    whole.size_bytes = sweep_.collective->sizes(whole, world_size).size_bytes;
    definition_ =
        fmt::format("collective/{}/world{}", case_name(*sweep_.collective, whole), world_size);
  }

  [[nodiscard]] const std::string& id() const override { return id_; }
  [[nodiscard]] std::string definition() const override { return definition_; }
  [[nodiscard]] std::string_view family() const override { return "collective"; }

  [[nodiscard]] Record run(CaseContext& context) override {
    Device& device = context.executor.device();
    CollectiveBuffers buffers(device, *sweep_.collective, sweep_.setup, context.world.rank(),
                              context.world.size());
    Record record;
    describe(record, context, buffers);
    const auto stream = device.create_stream("collective");
    double first_s = 0;
    if (!verify_fresh(record, context, buffers, *stream, "before timing", &first_s)) return record;
    record.numbers.emplace_back("first_call_s", max_over_ranks(context.control, first_s));
    add_choice(record, context, buffers.sizes().size_bytes);

    RecordingStream recording(stream->native());
    buffers.submit(context.world, recording);
    const Task call = recording.take();
    const auto begin = device.create_event();
    const auto end = device.create_event();
    const auto time_calls = [&](int calls) {
      stream->record(*begin);
      stream->submit([&call, calls] {
        for (int i = 0; i < calls; ++i) call();
      });
      stream->record(*end);
      stream->synchronize();
      return static_cast<double>(end->time_ns() - begin->time_ns()) * 1e-9 / calls;
    };
    const int calls =
        context.options.verify_only ? 1 : calls_per_sample(context.control, time_calls);
    record.numbers.emplace_back("calls_per_sample", calls);
    const StopRule rule = context.rule;
    if (calls > 1) context.rule = share_of(rule, 1.0 - kIsolatedShare);
    sample_into(record, context, [&] { return time_calls(calls); });
    context.rule = rule;
    if (calls > 1) {  // otherwise they are isolated already
      sample_series(record, context, "isolated_s", share_of(rule, kIsolatedShare),
                    [&] { return time_calls(1); });
    }

    const bool moves_data = sweep_.collective->kind != CollectiveKind::barrier;
    if (moves_data && buffers.repeatable()) {  // the timed buffers themselves
      if (!add_verification(record, context.control, "every element exact after timing",
                            buffers.verify()))
        return record;
    } else if (!verify_fresh(record, context, buffers, *stream, "after timing")) {
      return record;
    }
    return record;
  }

 private:
  void describe(Record& record, const CaseContext& context,
                const CollectiveBuffers& buffers) const {
    const CollectiveSetup& setup = sweep_.setup;
    record.texts.emplace_back("collective", std::string(name_of(sweep_.collective->kind)));
    record.texts.emplace_back("dtype", std::string(name_of(setup.dtype)));
    if (sweep_.collective->reduces) {
      record.texts.emplace_back("op", std::string(name_of(setup.op)));
    }
    record.texts.emplace_back("placement", setup.in_place ? "in-place" : "out-of-place");
    record.texts.emplace_back("mode", "back-to-back");
    record.texts.emplace_back("library", std::string(context.world.backend()));
    add_comm_facts(record, context.world.facts());
    record.numbers.emplace_back("size_bytes", static_cast<double>(buffers.sizes().size_bytes));
    record.numbers.emplace_back("ranks", context.world.size());
  }

  // Rank 0 writes the record, and is the rank that NCCL's log is complete on.
  void add_choice(Record& record, const CaseContext& context, std::size_t size_bytes) const {
    const Verb verb = sweep_.collective->shape(sweep_.setup, context.world.size(), 0).verb;
    const CommFacts chosen = context.world.choice(verb, static_cast<std::int64_t>(size_bytes));
    for (const auto& [name, value] : chosen) record.texts.emplace_back(name, value);
    if (chosen.empty()) record.texts.emplace_back("algorithm", "not reported by the library");
  }

  // One call decides on rank 0's clock how many make up a sample; the same on every rank.
  template <class TimeCalls>
  static int calls_per_sample(Control& control, const TimeCalls& time_calls) {
    control.barrier();
    (void)time_calls(2);
    control.barrier();
    const double one = max_over_ranks(control, time_calls(3));
    return std::clamp(static_cast<int>(std::ceil(kSampleSeconds / std::max(one, 1e-9))), 1,
                      kMaxCallsPerSample);
  }

  // Whether the others stood in the barrier for (half of) the time by which `late_rank` came late.
  static bool holds_back(CaseContext& context, Stream& stream, int late_rank, double late_s) {
    const bool late = context.control.rank() == late_rank;
    context.control.barrier();
    if (late) std::this_thread::sleep_for(std::chrono::duration<double>(late_s));
    const double begin_s = steady_clock_seconds();
    context.world.barrier(stream);
    stream.synchronize();
    const double waited_s = steady_clock_seconds() - begin_s;
    return all_ranks(context.control, late || waited_s >= late_s / 2);
  }

  // A barrier moves nothing that could be looked at: what it must do is hold everybody back.
  static bool check_barrier(Record& record, CaseContext& context, Stream& stream,
                            const std::string& when) {
    const int ranks = context.control.size();
    std::string detail;
    for (const int late_rank : std::set<int>{0, ranks / 2, ranks - 1}) {
      const bool held = std::any_of(kLateSeconds.begin(), kLateSeconds.end(), [&](double late_s) {
        return holds_back(context, stream, late_rank, late_s);
      });
      if (!held) detail = fmt::format("ranks left before rank {} came", late_rank);
    }
    const bool passed = detail.empty();
    return add_check(record, "nobody leaves before everybody came " + when, passed,
                     passed ? "held back by the first, middle and last rank" : detail);
  }

  bool verify_fresh(Record& record, CaseContext& context, CollectiveBuffers& buffers,
                    Stream& stream, const std::string& when, double* seconds = nullptr) const {
    buffers.fill();
    context.control.barrier();
    const double begin_s = steady_clock_seconds();
    buffers.submit(context.world, stream);
    stream.synchronize();
    if (seconds != nullptr) *seconds = steady_clock_seconds() - begin_s;
    if (sweep_.collective->kind == CollectiveKind::barrier) {
      return check_barrier(record, context, stream, when);
    }
    return add_verification(record, context.control, "every element exact " + when,
                            buffers.verify());
  }

  SweepCase sweep_;
  std::string id_, definition_;  // with the size as asked for, and in whole elements
};

}  // namespace

void add_collective_cases(const CollectiveEntry& entry, int world_size, Expansion& expansion) {
  const SweepSpec spec{.kinds = entry.kinds,
                       .sizes = entry.sizes,
                       .dtypes = entry.dtypes,
                       .ops = entry.ops,
                       .out_of_place = entry.out_of_place,
                       .in_place = entry.in_place};
  Sweep sweep = sweep_cases(spec, world_size);
  for (SweepCase& one : sweep.cases) {
    auto made = std::make_unique<CollectiveCase>(std::move(one), world_size);
    if (world_size == 1) {  // a copy is not a collective
      expansion.cases.push_back(
          make_skipped_case(made->id(), "collective", "needs at least 2 ranks"));
    } else {
      expansion.cases.push_back(std::move(made));
    }
  }
  for (std::string& remark : sweep.remarks) expansion.remarks.push_back(std::move(remark));
}

}  // namespace stepmark
