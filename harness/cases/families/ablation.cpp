// SPDX-License-Identifier: Apache-2.0
// Family `ablation`: a step and the same step without a part (the communication of one axis, or of
// all, or its kernels), in turns, so that a drift of the machine hits both. The whole step is
// checked as family `step` checks it; the other one computes nothing that means anything, and has
// buffers of its own.
#include "harness/cases/families/ablation.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "core/number_text.h"
#include "core/stats.h"
#include "core/units.h"
#include "harness/cases/common.h"
#include "harness/cases/entry_yaml.h"
#include "harness/cases/families/step.h"
#include "harness/cases/family.h"
#include "harness/cases/step_check.h"
#include "harness/cases/step_ranks.h"
#include "harness/program/ablate.h"
#include "harness/program/memory_plan.h"
#include "harness/program/step.h"
#include "harness/program/timeline/split.h"
#include "results/families/ablation.h"
#include "results/record/common_facts.h"

namespace stepmark {
namespace {

constexpr int kTracedRuns = 5;

class AblationCase final : public Case {
 public:
  AblationCase(const Workload& workload, Plan plan, std::string part)
      : workload_(workload.name),
        model_(sliced(workload.model, plan)),
        plan_(std::move(plan)),
        part_(std::move(part)),
        step_(fmt::format("{}/{}", workload_, short_name(plan_))),
        id_(fmt::format("ablation/{}/{}", step_, part_)) {
    // Which form is faster may differ without the part; both are the same form.
    if (plan_.optimizer_overlap == OptimizerOverlap::automatic) {
      plan_.optimizer_overlap = OptimizerOverlap::off;
    }
  }

  [[nodiscard]] const std::string& id() const override { return id_; }
  [[nodiscard]] std::string definition() const override {
    return fmt::format("ablation/{}/{}/{}", workload_, to_text(plan_), part_);
  }
  [[nodiscard]] std::string_view family() const override { return facts::ablation::kFamily; }
  [[nodiscard]] double weight() const override { return 10.0; }

  [[nodiscard]] Record run(CaseContext& context) override {
    Record record;
    describe(record, context);
    const Program program =
        step_program(model_, plan_, context.control.rank(), context.executor.device().traits());
    const Program ablated = without_part(program, part_);
    const std::int64_t needed = bytes_of(context, program) + bytes_of(context, ablated);
    if (context.memory_limit_bytes > 0 && needed > context.memory_limit_bytes) {
      const auto [need, have] = format_bytes_alike(static_cast<double>(needed),
                                                   static_cast<double>(context.memory_limit_bytes));
      record.outcome = Outcome::not_measured;
      record.reason = fmt::format(
          "both steps need {} on a host that has {}; run a slice: fewer layers in the plan", need,
          have);
      return record;
    }
    const auto comms = make_comm_set(context.world, program);
    const PrepareOptions options{.capture = !context.options.eager, .reuse = true};
    const auto whole = context.executor.prepare(program, *comms, options);
    const auto without = context.executor.prepare(ablated, *comms, options);
    StepState state(*whole, context.executor.device(), model_, plan_, context.seed);
    state.initialise();
    StepState(*without, context.executor.device(), model_, plan_, context.seed).initialise();
    context.control.barrier();
    whole->run();
    if (!check_against_one_rank(record, context, model_, plan_, state, needed)) return record;
    sample_in_turns(record, context, *whole, *without);
    const double loss = loss_of_step(context.control, state);
    add_check(record, "loss after timing", std::isfinite(loss), number_text("{:.4f}", loss));
    if (!context.options.verify_only) add_exposed(record, context, *whole);
    return record;
  }

 private:
  // The most of any rank, on all ranks of a host.
  static std::int64_t bytes_of(CaseContext& context, const Program& program) {
    const auto own = static_cast<double>(plan_memory(program).bytes);
    return static_cast<std::int64_t>(max_over_ranks(context.control, own)) *
           context.control.local_size();
  }

  void describe(Record& record, const CaseContext& context) const {
    record.texts.emplace_back(facts::kTitle, fmt::format("{} without {}", step_, part_));
    record.texts.emplace_back(facts::ablation::kStep, step_);
    record.texts.emplace_back(facts::ablation::kWorkload, workload_);
    record.texts.emplace_back(facts::ablation::kPlan, to_text(plan_));
    record.texts.emplace_back(facts::ablation::kPrecision, std::string(name_of(plan_.precision)));
    record.texts.emplace_back(facts::ablation::kPart, part_);
    record.numbers.emplace_back(facts::kRanks, context.control.size());
    add_comm_facts(record, context.world.facts());
  }

  // A sample is a pair, in turns the whole step first and last.
  static void sample_in_turns(Record& record, CaseContext& context, Runnable& whole,
                              Runnable& without) {
    const auto seconds_of = [&](Runnable& runnable) {
      context.control.barrier();
      runnable.run();
      return max_over_ranks(context.control,
                            static_cast<double>(runnable.timeline().step_ns) * 1e-9);
    };
    std::vector<double> without_s, saved_s;
    const std::vector<int> calls = sample_into(record, context, [&] {
      const bool first = without_s.size() % 2 == 0;
      const double before = seconds_of(first ? whole : without);
      const double after = seconds_of(first ? without : whole);
      const double whole_s = first ? before : after;
      without_s.push_back(first ? after : before);
      saved_s.push_back(whole_s - without_s.back());
      return whole_s;
    });
    add_side_series(record, context, facts::ablation::kWithoutS, without_s, calls);
    add_side_series(record, context, facts::ablation::kSavedS, saved_s, calls);
  }

  // Of a few traced steps the median. What ranks stand still for transfers differs by whom they
  // wait for; the one that waits least waits for transfers alone. Nobody stands still for kernels.
  void add_exposed(Record& record, CaseContext& context, Runnable& whole) const {
    if (part_ == kAllCompute || part_.starts_with(kAllBut)) return;
    const std::string name = part_ == kAllCommunication ? "exposed " : "exposed " + part_;
    std::vector<double> seconds;
    bool traced = true;
    for (int i = 0; i < kTracedRuns; ++i) {
      context.control.barrier();
      whole.run_traced();
      const Timeline timeline = whole.timeline();
      traced = traced && !timeline.spans.empty();
      double own = 0;
      if (!timeline.spans.empty()) {
        for (const SplitPart& part : split_step(whole.program(), timeline).parts) {
          const bool counts =
              part_ == kAllCommunication ? part.name.starts_with(name) : part.name == name;
          if (counts) own += part.seconds;
        }
      }
      seconds.push_back(-max_over_ranks(context.control, -own));
    }
    if (!all_ranks(context.control, traced)) return;
    record.numbers.emplace_back(facts::ablation::kExposedS, median(seconds));
  }

  std::string workload_;
  Model model_;
  Plan plan_;
  std::string part_;
  std::string step_;  // as the case of the whole step is called
  std::string id_;
};

bool has(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

}  // namespace

void AblationEntry::expand(const SuiteWorld& world, Expansion& expansion) const {
  const auto add = [&](const Workload& of, const Plan& plan) {
    const std::vector<std::string> known = parts_of_step(sliced(of.model, plan), plan);
    const std::string step = fmt::format("{}/{}", of.name, short_name(plan));
    const std::string what_there_is = known.empty()
                                          ? "ranks do not talk at all"
                                          : fmt::format("there is {}", fmt::join(known, ", "));
    if (known.empty() && parts.empty()) {
      expansion.remarks.push_back(
          fmt::format("nothing to leave out of {}: {}", step, what_there_is));
    }
    for (const std::string& part : parts) {
      if (has(known, part)) continue;
      expansion.remarks.push_back(
          fmt::format("no {} to leave out of {}: {}", part, step, what_there_is));
    }
    for (const std::string& part : known) {
      if (!parts.empty() && !has(parts, part)) continue;
      expansion.cases.push_back(std::make_unique<AblationCase>(of, plan, part));
    }
  };
  expand_legal_plan(facts::ablation::kFamily, {workload, plans, place}, world, expansion, add);
}

SuiteEntry read_ablation_entry(YamlMap& map) {
  WorkloadPlans of = read_workload_plans(map);
  return AblationEntry{.workload = std::move(of.workload),
                       .plans = std::move(of.plans),
                       .parts = map.optional_strings("without"),
                       .place = std::move(of.place)};
}

}  // namespace stepmark
