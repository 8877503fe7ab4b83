// SPDX-License-Identifier: Apache-2.0
#include "results/compare/outcome.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace stepmark {

namespace {

constexpr std::array kCompared = {Verdict::same, Verdict::faster, Verdict::slower,
                                  Verdict::undecided};
constexpr std::array kWithoutVerdict = {Verdict::failed, Verdict::missing, Verdict::not_comparable,
                                        Verdict::skipped};

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
bool any_run(const RunGroup& group, const std::string& case_id, Condition condition) {
  return std::any_of(group.runs.begin(), group.runs.end(),
                     [&](const Run& run) { return condition(run.find(case_id)); });
}

template <class Condition>
bool all_runs(const RunGroup& group, const std::string& case_id, Condition condition) {
  return std::all_of(group.runs.begin(), group.runs.end(),
                     [&](const Run& run) { return condition(run.find(case_id)); });
}

template <class Verdicts, class Count>
std::string listed(const Verdicts& verdicts, Count count) {
  std::string out;
  for (const auto verdict : verdicts) {
    out += fmt::format("{}{} {}", out.empty() ? "" : ", ", count(verdict), name_of(verdict));
  }
  return out;
}

template <class Count>
std::string counted(Count count) {
  int compared = 0;
  for (const auto verdict : kCompared) {
    compared += count(verdict);
  }
  return fmt::format("{} case{} compared: {}; {}", compared, compared == 1 ? "" : "s",
                     listed(kCompared, count), listed(kWithoutVerdict, count));
}

int total(const Comparison& comparison, Verdict verdict) {
  int sum = 0;
  for (const auto& side : comparison.sides) {
    sum += side.count(verdict);
  }
  return sum;
}

// A side of which nothing was compared says nothing, however harmless each reason is.
bool compares_nothing(const SideComparison& side) {
  return std::none_of(side.cases.begin(), side.cases.end(),
                      [](const CaseVerdict& c) { return is_compared(c.verdict); });
}

bool any_side_compares_nothing(const Comparison& comparison) {
  return std::any_of(comparison.sides.begin(), comparison.sides.end(), compares_nothing);
}

std::string reason_of(const Comparison& comparison, ExitCode code) {
  const auto number = [&](Verdict verdict) { return total(comparison, verdict); };
  if (code == ExitCode::kCheckFailed) {
    return number(Verdict::failed) == 0   ? "slower cases"
           : number(Verdict::slower) == 0 ? "failed cases"
                                          : "failed and slower cases";
  }
  if (code == ExitCode::kNotMeasured) {
    return any_side_compares_nothing(comparison)
               ? "nothing was compared"
               : "cases are missing or not comparable; --allow-missing accepts that";
  }
  const bool accepted = number(Verdict::missing) + number(Verdict::not_comparable) > 0;
  return accepted ? "nothing slower or failed; missing cases accepted" : "nothing slower or failed";
}

}  // namespace

bool is_compared(Verdict verdict) {
  return std::find(kCompared.begin(), kCompared.end(), verdict) != kCompared.end();
}

void refine(CaseVerdict& verdict, const RunGroup& baseline, const RunGroup& candidate) {
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

ExitCode exit_code(const Comparison& comparison) {
  const auto any = [&](Verdict verdict) { return total(comparison, verdict) > 0; };
  if (any(Verdict::slower) || any(Verdict::failed)) {
    return ExitCode::kCheckFailed;
  }
  const bool incomplete = any(Verdict::missing) || any(Verdict::not_comparable);
  return any_side_compares_nothing(comparison) || (incomplete && !comparison.options.allow_missing)
             ? ExitCode::kNotMeasured
             : ExitCode::kOk;
}

std::string counts_text(const SideComparison& side) {
  return counted([&](Verdict verdict) { return side.count(verdict); });
}

std::string closing_text(const Comparison& comparison) {
  const ExitCode code = exit_code(comparison);
  return fmt::format("{}. Exit code {}: {}.",
                     counted([&](Verdict verdict) { return total(comparison, verdict); }),
                     static_cast<int>(code), reason_of(comparison, code));
}

}  // namespace stepmark
