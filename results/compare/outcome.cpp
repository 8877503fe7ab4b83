// SPDX-License-Identifier: Apache-2.0
// What any run of the candidate failed has failed, whatever others say. Exit codes follow from
// counts of verdicts, so that the closing line and the code cannot differ.
#include "results/compare/outcome.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace stepmark {

namespace {

constexpr std::array kCompared = {Verdict::same, Verdict::faster, Verdict::slower,
                                  Verdict::undecided};

bool failed(const Record* record) {
  return record != nullptr && (record->outcome == Outcome::failed ||
                               std::any_of(record->checks.begin(), record->checks.end(),
                                           [](const Check& check) { return !check.passed; }));
}

std::string why_failed(const Record& record) {
  for (const auto& check : record.checks) {
    if (!check.passed) {
      return fmt::format("check failed: {}: {}", check.name, check.detail);
    }
  }
  return record.reason;
}

bool without_result(const Record* record) {
  return record == nullptr || record->outcome == Outcome::not_measured ||
         record->outcome == Outcome::skipped;
}

bool skipped(const Record* record) {
  return record != nullptr && record->outcome == Outcome::skipped;
}

template <class Condition>
bool any_run(const RunSide& side, const std::string& case_id, Condition condition) {
  return std::any_of(side.runs.begin(), side.runs.end(),
                     [&](const Run& run) { return condition(run.find(case_id)); });
}

template <class Condition>
bool all_runs(const RunSide& side, const std::string& case_id, Condition condition) {
  return std::all_of(side.runs.begin(), side.runs.end(),
                     [&](const Run& run) { return condition(run.find(case_id)); });
}

}  // namespace

bool is_compared(Verdict verdict) {
  return std::find(kCompared.begin(), kCompared.end(), verdict) != kCompared.end();
}

void refine(CaseVerdict& verdict, const RunSide& baseline, const RunSide& candidate) {
  const auto& id = verdict.case_id;
  for (const auto& run : candidate.runs) {
    if (const auto* record = run.find(id); failed(record)) {
      verdict.verdict = Verdict::failed;
      verdict.reason = fmt::format("{}: {}", run.path, why_failed(*record));
      return;
    }
  }
  if (is_compared(verdict.verdict)) {
    return;
  }
  if (all_runs(baseline, id, skipped) && all_runs(candidate, id, skipped)) {
    verdict.verdict = Verdict::skipped;
    const auto* record = candidate.runs.front().find(id);
    verdict.reason = fmt::format("on both sides: {}", record->reason);
  } else if (any_run(candidate, id, without_result)) {
    verdict.verdict = Verdict::missing;
  }
}

// A side of which nothing was compared says nothing, however harmless each reason is.
bool has_empty_side(const Comparison& comparison) {
  const auto is_empty = [](const SideComparison& side) {
    return std::none_of(side.cases.begin(), side.cases.end(),
                        [](const CaseVerdict& c) { return is_compared(c.verdict); });
  };
  return std::any_of(comparison.sides.begin(), comparison.sides.end(), is_empty);
}

ExitCode exit_code(const Comparison& comparison) {
  const auto any = [&](Verdict verdict) { return comparison.count(verdict) > 0; };
  if (any(Verdict::slower) || any(Verdict::failed)) {
    return ExitCode::kCheckFailed;
  }
  const bool incomplete = any(Verdict::missing) || any(Verdict::not_comparable);
  return has_empty_side(comparison) || (incomplete && !comparison.options.allow_missing)
             ? ExitCode::kNotMeasured
             : ExitCode::kOk;
}

}  // namespace stepmark
