// SPDX-License-Identifier: Apache-2.0
// Both forms run in turns (A B B A), so that a drift of the machine hits both, in at most a quarter
// of the budget; the overlapped one must win every round and by a margin. It is chosen on rank 0
// for all.
#include "harness/cases/optimizer_choice.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string_view>
#include <utility>

#include "core/stats.h"
#include "core/units.h"
#include "harness/cases/common.h"
#include "harness/exec/step_state.h"
#include "harness/program/memory_plan.h"
#include "results/families/step.h"

namespace stepmark {
namespace {

constexpr int kMostRounds = 5;
constexpr int kStepsPerRound = 4;
constexpr double kShareOfBudget = 0.25;
constexpr std::string_view kNothing = "nothing to overlap: gradients are final with the last one";

// As the sampler times an iteration: after a barrier, the maximum over ranks.
double timed_step(CaseContext& context, Runnable& runnable) {
  context.control.barrier();
  runnable.run();
  return max_over_ranks(context.control, static_cast<double>(runnable.timeline().step_ns) * 1e-9);
}

OptimizerTrial try_both(CaseContext& context, Runnable& serial, Runnable& overlapped) {
  // What a first run does once, both do before they are compared.
  double spent_s = timed_step(context, serial);
  const int rounds = trial_rounds(context.rule.budget_s, value_of_root(context.control, spent_s));
  if (rounds > 0) spent_s += timed_step(context, overlapped);
  OptimizerTrial trial;
  for (int round = 0; round < rounds; ++round) {
    trial.serial_s.push_back(timed_step(context, serial));
    trial.overlapped_s.push_back(timed_step(context, overlapped));
    trial.overlapped_s.push_back(timed_step(context, overlapped));
    trial.serial_s.push_back(timed_step(context, serial));
  }
  for (const auto* form : {&trial.serial_s, &trial.overlapped_s}) {
    spent_s = std::accumulate(form->begin(), form->end(), spent_s);
  }
  context.rule.budget_s = std::max(0.0, context.rule.budget_s - spent_s);
  return trial;
}

std::string text_of(const OptimizerTrial& trial, double budget_s) {
  if (trial.serial_s.empty()) {
    return fmt::format("not tried: {} steps are more than a quarter of the budget of {}",
                       kStepsPerRound, format_seconds(budget_s));
  }
  return fmt::format("tried: serial {}, overlapped {} (medians of {} steps each, in turns)",
                     format_seconds(median(trial.serial_s)),
                     format_seconds(median(trial.overlapped_s)), trial.serial_s.size());
}

void add_texts(Record& record, const Plan& plan, bool overlapped, std::string why) {
  record.texts.emplace_back(facts::step::kOptimizerForm, overlapped ? "overlapped" : "serial");
  record.texts.emplace_back(facts::step::kOptimizerChoice, std::move(why));
  record.texts.emplace_back(facts::step::kGradientNorm,
                            plan.clip > 0    ? fmt::format("computed, clipped to {}", plan.clip)
                            : plan.grad_norm ? std::string("computed, not clipped")
                                             : std::string("not computed: nothing uses it"));
}

}  // namespace

bool overlapped_is_faster(const OptimizerTrial& trial) {
  if (trial.serial_s.empty()) return false;
  for (std::size_t i = 0; i + 1 < trial.serial_s.size(); i += 2) {
    const double serial = trial.serial_s[i] + trial.serial_s[i + 1];
    if (!(trial.overlapped_s[i] + trial.overlapped_s[i + 1] < serial)) return false;
  }
  return median(trial.overlapped_s) < (1.0 - kGainWanted) * median(trial.serial_s);
}

int trial_rounds(double budget_s, double step_s) {
  if (!(step_s > 0)) return kMostRounds;
  const double fitting = kShareOfBudget * budget_s / (kStepsPerRound * step_s);
  return static_cast<int>(std::clamp(std::floor(fitting), 0.0, double{kMostRounds}));
}

StepForms forms_of(const Model& model, const Plan& plan, std::int32_t rank,
                   const DeviceTraits& traits) {
  StepForms forms{.own = step_program(model, plan, rank, traits), .overlapped = {}};
  if (plan.optimizer_overlap != OptimizerOverlap::automatic) return forms;
  Plan overlapped = plan;
  overlapped.optimizer_overlap = OptimizerOverlap::on;
  forms.overlapped = step_program(model, overlapped, rank, traits);
  return forms;
}

PreparedStep prepare_step(Record& record, CaseContext& context, const Model& model,
                          const Plan& plan, StepForms forms, CommSet& comms) {
  PrepareOptions options{.capture = !context.options.eager, .reuse = true};
  if (forms.overlapped) options.least_bytes = plan_memory(*forms.overlapped).bytes;
  PreparedStep step{.program = std::move(forms.own)};
  step.runnable = context.executor.prepare(step.program, comms, options);
  if (plan.optimizer_overlap != OptimizerOverlap::automatic) {
    const bool on = plan.optimizer_overlap == OptimizerOverlap::on;
    const bool nothing = all_ranks(context.control, !optimizer_beside_backward(step.program));
    add_texts(record, plan, on,
              on && nothing ? fmt::format("as the plan says; {}", kNothing) : "as the plan says");
    return step;
  }
  PreparedStep other{.program = std::move(forms.overlapped.value())};
  // Shards of tensor-parallel ranks differ: what one of them overlaps all try.
  if (all_ranks(context.control, !optimizer_beside_backward(other.program))) {
    add_texts(record, plan, false, std::string(kNothing));
    return step;
  }
  if (context.options.verify_only) {
    add_texts(record, plan, false, "not tried: this run only verifies");
    return step;
  }
  options.buffers_of = step.runnable.get();
  other.runnable = context.executor.prepare(other.program, comms, options);
  // How long a GEMM takes on a GPU depends on its numbers: they are those of a training step.
  StepState(*step.runnable, context.executor.device(), model, plan, context.seed)
      .initialise_fresh();
  step.fresh = other.fresh = false;
  const double budget_s = context.rule.budget_s;
  const OptimizerTrial trial = try_both(context, *step.runnable, *other.runnable);
  const bool overlapped =
      value_of_root(context.control, overlapped_is_faster(trial) ? 1.0 : 0.0) > 0;
  if (!trial.serial_s.empty()) {
    record.numbers.emplace_back(facts::step::kStepSerialS, median(trial.serial_s));
    record.numbers.emplace_back(facts::step::kStepOverlappedS, median(trial.overlapped_s));
  }
  add_texts(record, plan, overlapped, text_of(trial, budget_s));
  return overlapped ? std::move(other) : std::move(step);
}

}  // namespace stepmark
