// SPDX-License-Identifier: Apache-2.0
// Choosing and confirming runs alternate, so that a slow change of the machine is in both. Where a
// plan has no run in one of the halves all runs count, and the number of plans is what a verdict
// has to be divided by: the best of k errors is at most the largest of them.
#include "results/across/best_plan.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/stats/distributions.h"
#include "results/families/step.h"

namespace stepmark {
namespace {

constexpr double kHalf = 0.975;  // of a 95 % interval

std::vector<double> log_medians(const Groups& samples) {
  std::vector<double> out;
  for (const auto& run : samples) {
    if (!run.empty()) out.push_back(std::log(median(run)));
  }
  return out;
}

// Every second run in which any of the plans was measured chooses; `chooses` or else the others.
Groups half(const std::vector<PlanSamples>& plans, std::size_t of, bool chooses) {
  Groups out(plans[of].samples.size());
  bool turn = false;
  for (std::size_t run = 0; run < out.size(); ++run) {
    const bool any = std::any_of(plans.begin(), plans.end(),
                                 [&](const PlanSamples& p) { return !p.samples[run].empty(); });
    if (any && turn == chooses) out[run] = plans[of].samples[run];
    if (any) turn = !turn;
  }
  return out;
}

// GPU-seconds of a step: what a token costs in time, whatever the number of GPUs.
double gpu_seconds(const Groups& samples, double gpus) { return *time_of(samples).value * gpus; }

bool can_confirm(const std::vector<PlanSamples>& plans) {
  for (std::size_t i = 0; i < plans.size(); ++i) {
    if (runs_in(half(plans, i, true)) == 0 || runs_in(half(plans, i, false)) == 0) return false;
  }
  return true;
}

}  // namespace

std::string_view name_of(Selection selection) {
  return selection == Selection::only_one    ? "only one"
         : selection == Selection::confirmed ? "confirmed"
                                             : "corrected";
}

int runs_in(const Groups& samples) {
  return static_cast<int>(
      std::count_if(samples.begin(), samples.end(), [](const auto& run) { return !run.empty(); }));
}

Measured time_of(const Groups& samples) {
  const auto logs = log_medians(samples);
  if (logs.empty()) return {};
  const double middle = mean(logs);
  Measured out{.value = std::exp(middle)};
  if (logs.size() >= 2) {
    const auto n = static_cast<double>(logs.size());
    const double reach = student_quantile(n - 1, kHalf) * standard_deviation(logs) / std::sqrt(n);
    out.lower = std::exp(middle - reach);
    out.upper = std::exp(middle + reach);
  }
  return out;
}

BestPlan best_plan(const std::string& provider, std::vector<PlanSamples> plans) {
  BestPlan out{.provider = provider};
  const bool confirms = plans.size() > 1 && can_confirm(plans);
  std::size_t best = 0;
  double least = std::numeric_limits<double>::infinity();
  for (std::size_t i = 0; i < plans.size(); ++i) {
    const double cost =
        gpu_seconds(confirms ? half(plans, i, true) : plans[i].samples, plans[i].plan.gpus);
    if (cost < least) {
      least = cost;
      best = i;
    }
  }
  if (plans.size() > 1) {
    out.selection = confirms ? Selection::confirmed : Selection::corrected;
    out.correction = confirms ? 1 : static_cast<int>(plans.size());
  }
  out.samples = confirms ? half(plans, best, false) : plans[best].samples;
  out.runs = runs_in(out.samples);
  out.gpus = plans[best].plan.gpus;
  out.step_s = time_of(out.samples);
  out.figures = plan_figures(*plans[best].record, out.step_s);
  std::swap(plans.front(), plans[best]);
  for (PlanSamples& one : plans) out.plans.push_back(std::move(one.plan));
  return out;
}

}  // namespace stepmark
