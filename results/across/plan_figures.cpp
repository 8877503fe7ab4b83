// SPDX-License-Identifier: Apache-2.0
// From the facts of a record to the figures that compare unlike machines; what a record lacks is
// N/A in its figure.
#include <cmath>

#include "results/across/best_plan.h"
#include "results/families/step.h"
#include "results/normalise/rates.h"
#include "results/normalise/shares.h"
#include "results/record/common_facts.h"

namespace stepmark {
namespace {

namespace names = facts::step;

// Parts of the split that are named "exposed AXIS", and "waiting AXIS", which older records have in
// it; none: the split is not known.
std::optional<double> exposed_s(const Record& record) {
  if (record.split.empty()) return std::nullopt;
  double sum = 0;
  for (const TimePart& part : record.split) {
    if (part.name.starts_with("exposed") || part.name.starts_with("waiting")) sum += part.seconds;
  }
  return sum;
}

std::optional<double> whole_s(const Record& record) {
  double sum = 0;
  for (const TimePart& part : record.split) sum += part.seconds;
  return sum > 0 ? std::optional(sum) : std::nullopt;
}

Figure jitter_of(const Record& record) {
  const Summary* time = record.summary(facts::kTimeS);
  return time == nullptr ? normalise::jitter({}, {}, 0)
                         : normalise::jitter(time->median, time->p99, time->count);
}

}  // namespace

std::vector<Figure> plan_figures(const Record& record, const Measured& step_s) {
  using normalise::Flops;
  const auto tokens = record.number(names::kTokensPerStep);
  const auto gpus = record.number(names::kGpus);
  const auto peak = record.number(names::kPeakFlopsPerS);
  const auto done = record.number(names::kHardwareFlops);
  return {
      normalise::tokens_per_s(step_s, tokens),
      normalise::tokens_per_s_per_gpu(step_s, tokens, gpus),
      normalise::utilization(Flops::model, step_s, record.number(names::kModelFlops), peak, gpus),
      normalise::utilization(Flops::model_causal, step_s, record.number(names::kModelFlopsCausal),
                             peak, gpus),
      normalise::utilization(Flops::hardware, step_s, done, peak, gpus),
      normalise::achieved_peak_use(step_s, done, record.number(names::kAchievableFlopsPerS), gpus),
      normalise::exposed_communication(exposed_s(record), whole_s(record)),
      jitter_of(record),
      normalise::joules_per_token(record.number(facts::kJoulesPerSample), tokens)};
}

}  // namespace stepmark
