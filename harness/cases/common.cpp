// SPDX-License-Identifier: Apache-2.0
#include "harness/cases/common.h"

#include <fmt/format.h>

#include <array>

namespace stepmark {

double max_over_ranks(Control& control, double value) {
  std::array<double, 1> values{value};
  control.max_in_place(values);
  return values[0];
}

bool all_ranks(Control& control, bool value) {
  return max_over_ranks(control, value ? 0.0 : 1.0) == 0.0;
}

bool add_check(Record& record, std::string name, bool passed, std::string detail) {
  if (!passed) {
    record.outcome = Outcome::failed;
    record.reason = fmt::format("{}: {}", name, detail);
  }
  record.checks.push_back({.name = std::move(name), .passed = passed, .detail = std::move(detail)});
  return passed;
}

void sample_into(Record& record, CaseContext& context, const Body& body) {
  const Samples samples =
      sample(context.control, context.rule, body, steady_clock_seconds, context.progress);
  record.series.push_back({.name = "time_s", .unit = "s", .values = samples.time_s});
  record.numbers.emplace_back("warmup", samples.warmup);
  record.texts.emplace_back("stopped", std::string(name_of(samples.reason)));
  if (samples.reason != StopReason::precision) {
    record.labels.push_back(fmt::format("stopped: {}", name_of(samples.reason)));
  }
}

}  // namespace stepmark
