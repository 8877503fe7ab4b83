// SPDX-License-Identifier: Apache-2.0
// --verify-only is one sample without warm-up through the same path as any other. A claim is
// withheld with the reason as label and, where none is set, as topology, so that no reader can miss
// it.
#include "harness/run/case_rules.h"

#include <algorithm>

#include "results/record/common_facts.h"

namespace stepmark {

StopRule sampling_rule(double precision, double budget_s, bool verify_only) {
  StopRule rule{.precision = precision, .budget_s = budget_s};
  if (verify_only) {
    rule.min_samples = rule.max_samples = 1;
    rule.min_effective = 0;
    rule.span_s = 0;
    rule.warmup = 0;
  }
  return rule;
}

void withhold_performance_claim(Record& record, const std::string& why) {
  record.perf_valid = false;
  if (record.text(facts::kTopology).empty()) record.texts.emplace_back(facts::kTopology, why);
  if (std::find(record.labels.begin(), record.labels.end(), why) == record.labels.end()) {
    record.labels.push_back(why);
  }
}

}  // namespace stepmark
