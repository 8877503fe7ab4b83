// SPDX-License-Identifier: Apache-2.0
// When to stop sampling, as pure functions. Internal to harness/measure.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "harness/measure/sampler.h"

namespace stepmark {

// What rank 0 decided: `next` more samples, or 0 and why.
struct Decision {
  int next = 0;
  int stride = 1;  // iterations from one sample to the next
  StopReason reason = StopReason::precision;
  bool few_effective = false;  // fewer effective samples than the rule wants
  bool operator==(const Decision&) const = default;
};
[[nodiscard]] std::string to_text(const Decision& decision);
[[nodiscard]] Decision decision_from_text(std::string_view text);

// Relative half-width of the 95 % interval of the steady state's median; infinite when there are
// too few effective samples.
struct Precision {
  int steady_samples;
  double effective_samples;  // of these, after dependence
  double half_width;
};
[[nodiscard]] Precision precision_of(std::span<const double> time_s);

// `elapsed_s` of the budget are spent; `iteration_s` is the wall clock of one iteration so far, 0
// when unknown.
[[nodiscard]] Decision decide(const StopRule& rule, int samples, const Precision& precision,
                              double elapsed_s, double iteration_s);

}  // namespace stepmark
