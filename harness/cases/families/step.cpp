// SPDX-License-Identifier: Apache-2.0
// Family `step`: a whole training step of a workload under a plan, with real numerics and the real
// dependency graph.
#include "harness/cases/families/step.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "core/number_text.h"
#include "core/stats.h"
#include "core/units.h"
#include "harness/cases/common.h"
#include "harness/cases/engine_record.h"
#include "harness/cases/entry_yaml.h"
#include "harness/cases/family.h"
#include "harness/cases/optimizer_choice.h"
#include "harness/cases/peak_record.h"
#include "harness/cases/step_check.h"
#include "harness/cases/step_ranks.h"
#include "harness/cases/step_timeline.h"
#include "harness/program/routing.h"
#include "harness/program/step_facts.h"
#include "harness/program/validate_step.h"
#include "results/families/step.h"
#include "results/record/common_facts.h"

namespace stepmark {
namespace {

constexpr int kOverheadWalks = 21;

class StepCase final : public Case {
 public:
  StepCase(const Workload& workload, const Plan& plan)
      : workload_(workload.name),
        whole_layers_(workload.model.layers),
        model_(sliced(workload.model, plan)),
        plan_(plan),
        id_(fmt::format("step/{}/{}", workload.name, short_name(plan))) {}

  [[nodiscard]] const std::string& id() const override { return id_; }
  [[nodiscard]] std::string definition() const override {
    return fmt::format("step/{}/{}", workload_, to_text(plan_));
  }
  [[nodiscard]] std::string_view family() const override { return facts::step::kFamily; }
  [[nodiscard]] double weight() const override { return 10.0; }

  [[nodiscard]] Record run(CaseContext& context) override {
    Record record;
    const DeviceTraits traits = context.executor.device().traits();
    StepForms forms = forms_of(model_, plan_, context.control.rank(), traits);
    const StepFacts facts =
        over_ranks(context.control, facts_of_step(model_, plan_, forms.own, traits,
                                                  forms.overlapped ? &*forms.overlapped : nullptr));
    describe(record, context, facts);
    describe(record, facts.padding);
    describe_routing(record);
    if (context.control.rank() == 0) validate_forms(traits);
    const std::int64_t needed = facts.peak_bytes * context.control.local_size();
    const bool fits = context.memory_limit_bytes == 0 || needed <= context.memory_limit_bytes;
    if (!all_ranks(context.control, fits)) {
      record.outcome = Outcome::not_measured;
      const auto [need, have] = format_bytes_alike(static_cast<double>(needed),
                                                   static_cast<double>(context.memory_limit_bytes));
      const std::int64_t layers = fitting_layers(context);
      record.reason = fmt::format(
          "needs {} on a host that has {}; {}", need, have,
          layers > 0 ? fmt::format("run a slice, e.g. --plan layers={}", layers)
                     : "not even a slice of one layer fits: take a smaller micro_batch or seq");
      return record;
    }
    const auto comms = make_comm_set(context.world, forms.own);
    const PreparedStep step =
        prepare_step(record, context, model_, plan_, std::move(forms), *comms);
    time_step(record, context, step, needed);
    return record;
  }

 private:
  void validate_forms(const DeviceTraits& traits) const {
    static_cast<void>(validate_step(model_, plan_, traits));
    if (plan_.optimizer_overlap != OptimizerOverlap::automatic) return;
    Plan other = plan_;
    other.optimizer_overlap = OptimizerOverlap::on;
    static_cast<void>(validate_step(model_, other, traits));
  }

  void time_step(Record& record, CaseContext& context, const PreparedStep& step,
                 std::int64_t needed) const {
    const Program& program = step.program;
    Runnable& runnable = *step.runnable;
    add_engines(record, context.control, program,
                [&](std::int32_t op) { return runnable.engine_of(op); });
    StepState state(runnable, context.executor.device(), model_, plan_, context.seed);
    step.fresh ? state.initialise_fresh() : state.initialise();
    if (!check_first_step(record, context, runnable, state, needed)) return;
    const bool sharded = state.layout().state().ways > 1;
    // With parameters sharded over all of them, no two ranks hold the same.
    const bool replicated = sharded && state.replicas(context.control.rank()).size() > 1;
    if (replicated && !check_replicas(record, context, "replicas", state)) return;
    const bool pads = sharded || context.executor.device().traits().dimension_multiple > 1;
    if (pads && !check_padding(record, context, "padding", state)) return;
    if (!context.options.verify_only) measure_overhead(record, context, runnable);

    std::vector<Timeline> timelines;
    const std::vector<int> calls = sample_into(record, context, [&] {
      runnable.run();
      timelines.push_back(runnable.timeline());
      return static_cast<double>(timelines.back().step_ns) * 1e-9;
    });
    add_power_cap(record, context.reference);
    const double loss = loss_of_step(context.control, state);
    add_check(record, "loss after timing", std::isfinite(loss), number_text("{:.4f}", loss));
    if (replicated) check_replicas(record, context, "replicas after timing", state);
    if (pads) check_padding(record, context, "padding after timing", state);
    if (context.options.verify_only) return;
    std::vector<Timeline> sampled;
    for (const int call : calls)
      sampled.push_back(std::move(timelines[static_cast<std::size_t>(call)]));
    add_timeline(record, context, id_, program,
                 nearest_timeline(record, context, runnable, std::move(sampled)));
  }

  void describe(Record& record, const CaseContext& context, const StepFacts& facts) const {
    const int ranks = context.control.size();
    record.texts.emplace_back(facts::kTitle, id_.substr(id_.find('/') + 1));
    record.texts.emplace_back(facts::step::kWorkload, workload_);
    record.texts.emplace_back(facts::step::kPlan, to_text(plan_));
    record.texts.emplace_back(facts::step::kPrecision, std::string(name_of(plan_.precision)));
    const auto add = [&](const char* name, double value) {
      record.numbers.emplace_back(name, value);
    };
    add(facts::kRanks, ranks);
    add(facts::step::kGpus, ranks);
    add(facts::step::kTokensPerStep, facts.tokens);
    add(facts::step::kModelFlops, facts.model_flops);
    add(facts::step::kModelFlopsCausal, facts.causal_model_flops);
    add(facts::step::kParameters, facts.parameters);
    add(facts::step::kMemoryBytesPerRank, static_cast<double>(facts.peak_bytes));
    add(facts::step::kOptimizerBytesPerRank, static_cast<double>(facts.optimizer_bytes));
    add_peak_reference(record, context.reference, plan_.precision);
    if (context.peaks.gemm_of(plan_.precision) > 0) {
      add(facts::step::kAchievableFlopsPerS, context.peaks.gemm_of(plan_.precision));
    }
    add_comm_facts(record, context.world.facts());
    for (const auto& [axis, traffic] : facts.traffic) {
      add((facts::step::kBusBytesPrefix + axis).c_str(), traffic.bus_bytes);
    }
    if (plan_.layers > 0) {
      record.labels.push_back(fmt::format("slice: {} of {} layers", plan_.layers, whole_layers_));
    }
  }

  // The step is counted by the model's own FLOPs and parameters; what padding adds is named beside.
  static void describe(Record& record, const Padding& padding) {
    record.numbers.emplace_back(facts::step::kHardwareFlops, padding.model_kernel_flops);
    if (!padding.unaligned.empty()) {
      record.labels.push_back("misaligned rows in GEMMs: " + to_text(padding.unaligned));
    }
    if (padding.dims.empty()) return;
    record.texts.emplace_back(facts::step::kPadding, to_text(padding.dims));
    record.numbers.emplace_back(facts::step::kPaddingFlops, padding.flops);
    record.numbers.emplace_back(facts::step::kPaddingBytesPerRank,
                                static_cast<double>(padding.memory_bytes));
    record.numbers.emplace_back(facts::step::kPaddingParametersPerRank,
                                static_cast<double>(padding.parameters));
  }

  void describe_routing(Record& record) const {
    if (model_.experts == 0 || plan_.routing == Routing::router) return;
    const RoutingLoad load = routing_load(model_, plan_);
    record.numbers.emplace_back(facts::step::kBusiestExpert, load.of_expert);
    record.numbers.emplace_back(facts::step::kBusiestRank, load.of_rank);
  }

  static bool check_padding(Record& record, CaseContext& context, const char* name,
                            const StepState& state) {
    const double largest = largest_padding(context, state);
    return add_check(
        record, name, largest == 0,
        fmt::format("largest parameter, gradient or moment {:g}, expected 0", largest));
  }

  // Each rank updates a shard of the parameters and gets the others' from them.
  bool check_replicas(Record& record, CaseContext& context, const char* name,
                      const StepState& state) const {
    const std::string differing = replicas_that_differ(context, state);
    return add_check(record, name, differing.empty(),
                     differing.empty() ? "the same parameters, bit for bit" : differing);
  }

  // The most layers whose memory fits, 0 when not even one does.
  [[nodiscard]] std::int64_t fitting_layers(const CaseContext& context) const {
    Model slice = model_;
    const std::int64_t too_few = plan_.model_stages() - 1;  // a stage has a layer at least
    std::int64_t fits = too_few;
    std::int64_t too_many = model_.layers;
    while (too_many - fits > 1) {  // memory grows with layers
      slice.layers = (fits + too_many) / 2;
      const std::int64_t bytes =
          step_memory_bytes(slice, plan_, context.executor.device().traits()) *
          context.control.local_size();
      (bytes <= context.memory_limit_bytes ? fits : too_many) = slice.layers;
    }
    return fits > too_few ? fits : 0;
  }

  bool check_first_step(Record& record, CaseContext& context, Runnable& runnable,
                        const StepState& state, std::int64_t allocated) const {
    context.control.barrier();
    runnable.run();
    // A fresh model knows nothing: its loss is about ln(vocab).
    const double chance = std::log(static_cast<double>(model_.vocab));
    const double loss = loss_of_step(context.control, state);
    const bool plausible = loss > 0.5 * chance && loss < 1.5 * chance;  // a number at all
    if (!add_check(record, "loss of the first step", plausible,
                   fmt::format("{}, ln(vocab) = {:.5f}", number_text("{:.5f}", loss), chance))) {
      return false;
    }
    record.numbers.emplace_back(facts::step::kFirstLoss, loss);
    if (plan_.computes_norm()) {
      record.numbers.emplace_back(facts::step::kGradientNorm, state.gradient_norm());
    }
    if (context.control.size() == 1) return true;
    return check_against_one_rank(record, context, model_, plan_, state, allocated);
  }

  static void measure_overhead(Record& record, CaseContext& context, Runnable& runnable) {
    std::vector<double> host_s, graph_s;
    for (int i = 0; i < kOverheadWalks; ++i) {
      const EmptyStep empty = runnable.run_empty();
      host_s.push_back(empty.host_s);
      graph_s.push_back(empty.graph_s);
    }
    const auto add = [&](const char* name, const std::vector<double>& seconds) {
      const double slowest = max_over_ranks(context.control, median(seconds));
      if (slowest >= 0) record.numbers.emplace_back(name, slowest);
    };
    add(facts::step::kExecutorOverheadS, host_s);
    add(facts::step::kEmptyGraphS, graph_s);
  }

  std::string workload_;
  std::int64_t whole_layers_;
  Model model_;
  Plan plan_;
  std::string id_;
};

const Workload& find_workload(const std::vector<Workload>& workloads, const std::string& name) {
  std::vector<std::string> names;
  for (const Workload& workload : workloads) {
    if (workload.name == name) return workload;
    names.push_back(workload.name);
  }
  const std::string nearest = nearest_name(name, names);
  throw Error(ExitCode::kUsage,
              fmt::format("unknown workload '{}'; {}", name,
                          nearest.empty() ? fmt::format("known: {}", fmt::join(names, " "))
                                          : fmt::format("did you mean '{}'?", nearest)));
}

}  // namespace

ChosenPlan first_legal_plan(const std::string& workload, const std::vector<std::string>& plans,
                            const SuiteWorld& world) {
  ChosenPlan chosen{
      .workload = find_workload(world.workloads, workload), .plan = {}, .why_none = {}};
  std::string reasons;
  for (const std::string& text : plans) {
    const Plan plan = parse_plan(text, chosen.workload.plan);
    try {
      chosen.plan = resolve(plan, chosen.workload.model, world.size);
      return chosen;
    } catch (const Error& error) {
      if (plans.size() == 1) throw;
      reasons += fmt::format("{}{}: {}", reasons.empty() ? "" : "; ", text, error.message());
    }
  }
  chosen.why_none = "no plan of the suite fits: " + reasons;
  return chosen;
}

std::unique_ptr<Case> make_step_case(const Workload& workload, const Plan& plan) {
  return std::make_unique<StepCase>(workload, plan);
}

void expand_legal_plan(const std::string& family, const WorkloadPlans& of, const SuiteWorld& world,
                       Expansion& expansion,
                       const std::function<void(const Workload&, const Plan&)>& add) {
  placed(of.place, [&] {
    const ChosenPlan chosen = first_legal_plan(of.workload, of.plans, world);
    if (chosen.plan) return add(chosen.workload, *chosen.plan);
    expansion.cases.push_back(
        make_skipped_case(fmt::format("{}/{}/{}", family, chosen.workload.name, of.plans.front()),
                          family, chosen.why_none));
  });
}

void StepEntry::expand(const SuiteWorld& world, Expansion& expansion) const {
  expand_legal_plan(facts::step::kFamily, {workload, plans, place}, world, expansion,
                    [&](const Workload& of, const Plan& plan) {
                      expansion.cases.push_back(make_step_case(of, plan));
                    });
}

SuiteEntry read_step_entry(YamlMap& map) {
  WorkloadPlans of = read_workload_plans(map);
  return StepEntry{.workload = std::move(of.workload),
                   .plans = std::move(of.plans),
                   .place = std::move(of.place)};
}

}  // namespace stepmark
