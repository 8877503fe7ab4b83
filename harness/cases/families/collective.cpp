// SPDX-License-Identifier: Apache-2.0
// Family `collective`: a program of back-to-back calls on one stream, timed from the begin of the
// first to the end of the last. Ranks repeat the call as often as it takes to fill about a
// millisecond, so that what a sample shows is the collective and not the skew with which ranks
// leave the barrier; a sample is the time of one call. Beside it, as figures of their own: single
// calls, each after a barrier ("isolated"), and the very first call, which sets up connections.
#include "harness/cases/families/collective.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <set>
#include <thread>

#include "collectives/sweep.h"
#include "core/error.h"
#include "harness/cases/common.h"
#include "harness/cases/concurrent.h"
#include "harness/cases/entry_yaml.h"
#include "harness/cases/family.h"
#include "harness/cases/link_record.h"
#include "harness/cases/traffic.h"
#include "results/families/collective.h"
#include "results/record/common_facts.h"

namespace stepmark {
namespace {

constexpr double kSampleSeconds = 1e-3;
constexpr int kMaxCallsPerSample = 200;
constexpr int kTrialCalls = 3;
constexpr double kLongCalls = 2.0;      // times a sample: such calls are samples by themselves
constexpr double kIsolatedShare = 0.2;  // of the budget
// How long one rank stays away while the others must wait for it in a barrier: a longer time if the
// scheduler was in the way of a shorter one.
constexpr std::array kLateSeconds{0.01, 0.04, 0.16};

constexpr const char* kAxis = "world";
constexpr const char* kName = "collective";

// A program of `calls` calls, ready to run.
class CollectiveRun {
 public:
  CollectiveRun(Executor& executor, CommSet& comms, const Traffic& traffic, int calls)
      : calls_(calls),
        moves_data_(traffic.sizes.verb_count > 0),
        runnable_(executor.prepare(program_of(traffic, calls), comms, {.capture = false})),
        buffers_(buffers_of(executor.device(), traffic, *runnable_, kName, comms.of(kAxis))) {}

  void fill() { buffers_.fill(); }
  void call() { runnable_->run(); }
  [[nodiscard]] double seconds_per_call() {
    runnable_->run();
    const Timeline timeline = runnable_->timeline();
    const double all_s = timeline.spans.empty() ? static_cast<double>(timeline.step_ns) * 1e-9
                                                : extent_s(runnable_->program(), timeline);
    return all_s / calls_;
  }
  [[nodiscard]] Verification verify() const { return buffers_.verify(); }
  [[nodiscard]] bool moves_data() const { return moves_data_; }
  // Whether verify() holds after more than one call.
  [[nodiscard]] bool repeatable() const { return moves_data_ && buffers_.repeatable(); }

 private:
  static Program program_of(const Traffic& traffic, int calls) {
    ProgramBuilder builder(kName, traffic.group.index, traffic.ranks());
    builder.add_group(traffic.group);
    const TrafficOperands on = add_buffers(builder, traffic, kName);
    const std::string label(name_of(traffic.collective->kind));
    for (int i = 0; i < calls; ++i) builder.comm(label, kName, traffic.shape, on.send, on.recv);
    return std::move(builder).take();
  }

  int calls_;
  bool moves_data_;
  std::unique_ptr<Runnable> runnable_;
  CollectiveBuffers buffers_;
};

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
  [[nodiscard]] std::string_view family() const override { return facts::collective::kFamily; }

  [[nodiscard]] Record run(CaseContext& context) override {
    OneComm comms(kAxis, context.world);
    const Traffic traffic =
        make_traffic(world_group(kAxis, context.control), *sweep_.collective, sweep_.setup);
    CollectiveRun once(context.executor, comms, traffic, 1);
    Record record;
    describe(record, context, traffic);
    double first_s = 0;
    if (!verify_fresh(record, context, once, "before timing", &first_s)) return record;
    record.numbers.emplace_back(facts::collective::kFirstCallS,
                                max_over_ranks(context.control, first_s));
    add_choice(record, context, traffic);

    const int calls =
        context.options.verify_only ? 1 : calls_per_sample(context, comms, traffic, once);
    record.numbers.emplace_back(facts::collective::kCallsPerSample, calls);
    if (calls == 1) {
      sample_into(record, context, [&] { return once.seconds_per_call(); });
      check_timed(record, context, once, once);
      return record;
    }
    CollectiveRun many(context.executor, comms, traffic, calls);
    many.fill();
    const StopRule rule = context.rule;
    context.rule = share_of(rule, 1.0 - kIsolatedShare);
    sample_into(record, context, [&] { return many.seconds_per_call(); });
    context.rule = rule;
    sample_series(record, context, facts::collective::kIsolatedS, share_of(rule, kIsolatedShare),
                  [&] { return once.seconds_per_call(); });
    check_timed(record, context, many, once);
    return record;
  }

 private:
  void describe(Record& record, const CaseContext& context, const Traffic& traffic) const {
    const CollectiveSetup& setup = sweep_.setup;
    record.texts.emplace_back(facts::collective::kCollective,
                              std::string(name_of(sweep_.collective->kind)));
    record.texts.emplace_back(facts::kDtype, std::string(name_of(setup.dtype)));
    if (sweep_.collective->reduces) {
      record.texts.emplace_back(facts::collective::kOp, std::string(name_of(setup.op)));
    }
    record.texts.emplace_back(facts::collective::kPlacement,
                              setup.in_place ? facts::collective::kInPlace : "out-of-place");
    record.texts.emplace_back(facts::kMode, "back-to-back");
    record.texts.emplace_back(facts::kLibrary, std::string(context.world.backend()));
    add_comm_facts(record, context.world.facts());
    record.numbers.emplace_back(facts::collective::kSizeBytes,
                                static_cast<double>(traffic.sizes.size_bytes));
    record.numbers.emplace_back(facts::kRanks, context.world.size());
    if (context.links != nullptr) add_link_reference(record, *context.links);
  }

  // Rank 0 writes the record, and is the rank that NCCL's log is complete on.
  static void add_choice(Record& record, const CaseContext& context, const Traffic& traffic) {
    const CommFacts chosen = context.world.choice(traffic.shape.verb, traffic.sizes.size_bytes);
    for (const auto& [name, value] : chosen) record.texts.emplace_back(name, value);
    if (chosen.empty()) record.texts.emplace_back(facts::kAlgorithm, "not reported by the library");
  }

  // How many make up a sample, from what the slowest rank takes for one of a few; the same on every
  // rank. What is long by itself needs no trial, for which its buffers would be there twice.
  static int calls_per_sample(CaseContext& context, CommSet& comms, const Traffic& traffic,
                              CollectiveRun& once) {
    Control& control = context.control;
    control.barrier();
    if (max_over_ranks(control, once.seconds_per_call()) > kLongCalls * kSampleSeconds) return 1;
    CollectiveRun trial(context.executor, comms, traffic, kTrialCalls);
    control.barrier();
    (void)trial.seconds_per_call();
    control.barrier();
    const double one = max_over_ranks(control, trial.seconds_per_call());
    return std::clamp(static_cast<int>(std::ceil(kSampleSeconds / std::max(one, 1e-9))), 1,
                      kMaxCallsPerSample);
  }

  // Whether the others stood in the barrier for (half of) the time by which `late_rank` came late.
  static bool holds_back(CaseContext& context, CollectiveRun& once, int late_rank, double late_s) {
    const bool late = context.control.rank() == late_rank;
    context.control.barrier();
    if (late) std::this_thread::sleep_for(std::chrono::duration<double>(late_s));
    const double begin_s = steady_clock_seconds();
    once.call();
    const double waited_s = steady_clock_seconds() - begin_s;
    return all_ranks(context.control, late || waited_s >= late_s / 2);
  }

  // A barrier moves nothing that could be looked at: what it must do is hold everybody back.
  static bool check_barrier(Record& record, CaseContext& context, CollectiveRun& once,
                            const std::string& when) {
    const int ranks = context.control.size();
    std::string detail;
    for (const int late_rank : std::set<int>{0, ranks / 2, ranks - 1}) {
      const bool held = std::any_of(kLateSeconds.begin(), kLateSeconds.end(), [&](double late_s) {
        return holds_back(context, once, late_rank, late_s);
      });
      if (!held) detail = fmt::format("ranks left before rank {} came", late_rank);
    }
    const bool passed = detail.empty();
    return add_check(record, "nobody leaves before everybody came " + when, passed,
                     passed ? "held back by the first, middle and last rank" : detail);
  }

  // On poisoned buffers, after one run of the program.
  static bool verify_fresh(Record& record, CaseContext& context, CollectiveRun& run,
                           const std::string& when, double* seconds = nullptr) {
    run.fill();
    context.control.barrier();
    const double begin_s = steady_clock_seconds();
    run.call();
    if (seconds != nullptr) *seconds = steady_clock_seconds() - begin_s;
    if (!run.moves_data()) return check_barrier(record, context, run, when);
    return add_verification(record, context.control, "every element exact " + when, run.verify());
  }

  // What the timed calls left, where they took nothing of their own as input.
  static void check_timed(Record& record, CaseContext& context, const CollectiveRun& timed,
                          CollectiveRun& once) {
    if (timed.repeatable()) {
      (void)add_verification(record, context.control, "every element exact after timing",
                             timed.verify());
    } else {
      (void)verify_fresh(record, context, once, "after timing");
    }
  }

  SweepCase sweep_;
  std::string id_, definition_;  // with the size as asked for, and in whole elements
};

// Sizes as a list, or from min to max by a factor or a step.
std::vector<std::int64_t> read_sizes(YamlMap& map) {
  constexpr std::array<std::string_view, 4> kRange{"min", "max", "factor", "step"};
  if (map.has("sizes")) {
    for (const std::string_view key : kRange) {
      if (map.has(key)) map.fail(key, fmt::format("give either sizes or {}", key));
    }
    auto sizes = converted<std::int64_t>(map, "sizes", parse_positive_bytes);
    if (sizes.empty()) map.fail("sizes", "name at least one size");
    return sizes;
  }
  const std::int64_t min = value_at(map, "min", "4KiB", parse_positive_bytes);
  const std::int64_t max = value_at(map, "max", "16MiB", parse_positive_bytes);
  if (max < min) map.fail(map.has("max") ? "max" : "min", "max must not be below min");
  if (map.has("factor") && map.has("step")) map.fail("step", "give either factor or step");
  try {
    if (map.has("step")) {
      return sizes_by_step(min, max, value_at(map, "step", "", parse_positive_bytes));
    }
    return sizes_by_factor(min, max, map.optional_double("factor", 2.0));
  } catch (const ConfigError&) {
    throw;
  } catch (const Error& error) {
    map.fail(map.has("step") ? "step" : "factor", error.message());
  }
}

}  // namespace

void CollectiveEntry::expand(const SuiteWorld& world, Expansion& expansion) const {
  Sweep made_of = sweep_cases(sweep, world.size);
  for (SweepCase& one : made_of.cases) {
    auto made = std::make_unique<CollectiveCase>(std::move(one), world.size);
    if (world.size == 1) {  // a copy is not a collective
      expansion.cases.push_back(
          make_skipped_case(made->id(), facts::collective::kFamily, "needs at least 2 ranks"));
    } else {
      expansion.cases.push_back(std::move(made));
    }
  }
  for (std::string& remark : made_of.remarks) expansion.remarks.push_back(std::move(remark));
}

SuiteEntry read_collective_entry(YamlMap& map) {
  static constexpr std::array<std::string_view, 3> kPlacements{"in-place", "out-of-place", "both"};
  SweepSpec sweep;
  sweep.kinds = converted<CollectiveKind>(map, "collectives", collective_from);
  if (sweep.kinds.empty()) map.fail("collectives", "name at least one collective");
  sweep.dtypes = read_dtypes(map);
  sweep.ops = converted<ReduceOp>(map, "ops", reduce_op_from);
  if (sweep.ops.empty()) sweep.ops.push_back(ReduceOp::sum);
  sweep.sizes = read_sizes(map);
  const std::string placement = map.optional_choice("placement", "both", kPlacements);
  sweep.in_place = placement != "out-of-place";
  sweep.out_of_place = placement != "in-place";
  require_few(map, "collectives",
              {sweep.kinds.size(), sweep.dtypes.size(), sweep.ops.size(), sweep.sizes.size(),
               sweep.in_place && sweep.out_of_place ? 2U : 1U});
  return CollectiveEntry{.sweep = std::move(sweep)};
}

}  // namespace stepmark
