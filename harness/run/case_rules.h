// SPDX-License-Identifier: Apache-2.0
// How a run's options decide what is sampled of a case, and what its record may claim.
#pragma once

#include <string>

#include "harness/measure/sampler.h"
#include "results/record/record.h"

namespace stepmark {

// verify_only: times that are not wanted are not taken more often than a record needs.
[[nodiscard]] StopRule sampling_rule(double precision, double budget_s, bool verify_only);

// The times stay in the record; no figure of performance is derived from them.
void withhold_performance_claim(Record& record, const std::string& why);

}  // namespace stepmark
