// SPDX-License-Identifier: Apache-2.0
// Checks, samples and series into records, the same for all families. A check that fails on any
// rank fails the case on all, with the text of the first such rank.
#include "harness/cases/common.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "harness/cases/telemetry_record.h"
#include "results/record/common_facts.h"

namespace stepmark {

bool add_check(Record& record, std::string name, bool passed, std::string detail) {
  if (!passed) {
    record.outcome = Outcome::failed;
    record.reason = fmt::format("{}: {}", name, detail);
  }
  record.checks.push_back({.name = std::move(name), .passed = passed, .detail = std::move(detail)});
  return passed;
}

bool add_verification(Record& record, Control& control, const std::string& name,
                      const Verification& verification) {
  const int rank = control.rank();
  const double first_bad =
      -max_over_ranks(control, verification.ok() ? -static_cast<double>(control.size()) : -rank);
  const bool ok = first_bad >= control.size();
  std::string detail = verification.describe();
  if (!ok) {
    const auto all = control.gather(detail);
    if (!all.empty()) {
      detail = fmt::format("rank {}: {}", static_cast<int>(first_bad),
                           all[static_cast<std::size_t>(first_bad)]);
    }
  }
  return add_check(record, name, ok, detail);
}

std::vector<int> sample_into(Record& record, CaseContext& context, const Body& body) {
  // A rank whose device tells nothing takes part all the same.
  const bool watched =
      max_over_ranks(context.control, context.telemetry != nullptr ? 1.0 : 0.0) > 0.0;
  if (context.telemetry != nullptr) context.telemetry->begin();
  const Samples samples =
      sample(context.control, context.rule, body, steady_clock_seconds, context.progress);
  TelemetrySummary own;
  if (context.telemetry != nullptr) own = context.telemetry->end();
  if (watched) {
    add_telemetry(record, context.control, own, samples.iterations);
  }
  record.series.push_back({.name = facts::kTimeS, .unit = "s", .values = samples.time_s});
  record.numbers.emplace_back(facts::kWarmup, samples.warmup);
  record.numbers.emplace_back(facts::kIterations, samples.iterations);
  record.texts.emplace_back(facts::kStopped, std::string(name_of(samples.reason)));
  if (samples.reason != StopReason::precision) {
    record.labels.push_back(fmt::format("stopped: {}", name_of(samples.reason)));
  }
  if (samples.few_effective) record.labels.emplace_back("too few effective samples");
  return samples.calls;
}

void sample_series(Record& record, CaseContext& context, std::string name, const StopRule& rule,
                   const Body& body) {
  const Samples samples = sample(context.control, rule, body, steady_clock_seconds);
  record.series.push_back({.name = std::move(name), .unit = "s", .values = samples.time_s});
}

void add_side_series(Record& record, CaseContext& context, std::string name,
                     const std::vector<double>& all, std::span<const int> calls) {
  std::vector<double> values;
  for (const int call : calls) values.push_back(all.at(static_cast<std::size_t>(call)));
  context.control.max_in_place(values);
  record.series.push_back({.name = std::move(name), .unit = "s", .values = std::move(values)});
}

StopRule share_of(StopRule rule, double share) {
  rule.budget_s *= share;
  return rule;
}

void add_comm_facts(Record& record, const CommFacts& facts) {
  constexpr std::array<std::string_view, 4> kPlain{facts::kTopology, facts::kAlgorithm,
                                                   facts::kProtocol, facts::kChannels};
  constexpr std::string_view kShared = "single-gpu-timesliced";
  for (const auto& [name, value] : facts) {
    const bool plain = std::find(kPlain.begin(), kPlain.end(), name) != kPlain.end();
    record.texts.emplace_back(plain ? name : facts::kLibraryPrefix + name, value);
    if (name != facts::kTopology || value != kShared) continue;
    record.perf_valid = false;
    record.labels.emplace_back(kShared);
  }
}

}  // namespace stepmark
