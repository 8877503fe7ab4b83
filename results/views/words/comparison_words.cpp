// SPDX-License-Identifier: Apache-2.0
// Counts are listed over all verdicts in a fixed order, zeros included, so that a script may look
// for them. The reason of the exit code is found from the same counts as the code.
#include "results/views/words/comparison_words.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "results/compare/outcome.h"

namespace stepmark {
namespace {

constexpr std::array kCompared = {Verdict::same, Verdict::faster, Verdict::slower,
                                  Verdict::undecided};
constexpr std::array kWithoutVerdict = {Verdict::failed, Verdict::missing, Verdict::not_comparable,
                                        Verdict::skipped};

void add_remark(std::string& reason, const std::string& remark) {
  reason += (reason.empty() ? "" : "; ") + remark;
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

std::string reason_of(const Comparison& comparison, ExitCode code) {
  if (code == ExitCode::kCheckFailed) {
    return comparison.count(Verdict::failed) == 0   ? "slower cases"
           : comparison.count(Verdict::slower) == 0 ? "failed cases"
                                                    : "failed and slower cases";
  }
  if (code == ExitCode::kNotMeasured) {
    return has_empty_side(comparison)
               ? "nothing was compared"
               : "cases are missing or not comparable; --allow-missing accepts that";
  }
  const bool accepted =
      comparison.count(Verdict::missing) + comparison.count(Verdict::not_comparable) > 0;
  return accepted ? "nothing slower or failed; missing cases accepted" : "nothing slower or failed";
}

}  // namespace

std::string reason_text(const CaseVerdict& verdict) {
  std::string out = verdict.reason;
  if (!is_compared(verdict.verdict)) return out;
  const auto drift = [&](const char* side, double rise) {
    if (rise != 0) {
      add_remark(out, fmt::format("{} drifts by {:+.1f} % through a run", side, 100 * rise));
    }
  };
  drift("baseline", verdict.drift_baseline);
  drift("candidate", verdict.drift_candidate);
  if (verdict.clock_tick_s > 0) {
    add_remark(out,
               fmt::format("the clock's step of {:.3g} s counts as error", verdict.clock_tick_s));
  }
  if (verdict.spread == Spread::generous && verdict.verdict != Verdict::undecided) {
    add_remark(out, fmt::format("decided beyond a generous spread of {:.0f} % between runs",
                                100 * kGenerousSpread));
  }
  return out;
}

std::vector<std::string> notes_text(const SideComparison& side) {
  std::vector<std::string> out = side.notes;
  const auto generous = std::any_of(side.cases.begin(), side.cases.end(), [](const auto& c) {
    return std::isfinite(c.ratio) && c.spread == Spread::generous;
  });
  if (generous) {
    out.push_back(fmt::format(
        "One run per side does not say what runs differ by: only differences beyond a generous "
        "spread of {:.0f} % between runs are decided, and intervals of undecided cases are "
        "within-run intervals. To decide more, measure the spread: run --repeat 3, several runs "
        "as A1.smk,A2.smk,A3.smk, --spread-from earlier runs of one thing, or --run-spread if you "
        "know it.",
        100 * kGenerousSpread));
  }
  return out;
}

std::string counts_text(const SideComparison& side) {
  return counted([&](Verdict verdict) { return side.count(verdict); });
}

std::string closing_text(const Comparison& comparison) {
  const ExitCode code = exit_code(comparison);
  return fmt::format("{}. Exit code {}: {}.",
                     counted([&](Verdict verdict) { return comparison.count(verdict); }),
                     static_cast<int>(code), reason_of(comparison, code));
}

}  // namespace stepmark
