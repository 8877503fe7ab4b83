// SPDX-License-Identifier: Apache-2.0
// Shares and money are whole numbers and printed as such, digit by digit.
#include "results/views/words/contract_words.h"

#include <fmt/format.h>

#include <set>

namespace stepmark {
namespace {

// value / 10^decimals with at least `least` decimals.
std::string decimal(std::int64_t value, int decimals, int least) {
  std::int64_t scale = 1;
  for (int i = 0; i < decimals; ++i) scale *= 10;
  std::string behind = fmt::format("{:0{}}", value % scale, decimals);
  while (static_cast<int>(behind.size()) > least && behind.back() == '0') behind.pop_back();
  return fmt::format("{}{}{}", value / scale, behind.empty() ? "" : ".", behind);
}

}  // namespace

std::string promise_text(const Floor& floor) {
  return fmt::format(
      "{} {} {:.6g} {}: {} of run medians, at {:.4g} % confidence", floor.metric,
      name_of(floor.direction), floor.value, floor.unit,
      floor.quantile == 0.5 ? "median" : fmt::format("{:.4g} % quantile", 100 * floor.quantile),
      100 * floor.confidence);
}

std::string further_text(const FloorCell& cell) {
  if (cell.verdict != FloorVerdict::undecided) return {};
  if (cell.further_runs) {
    return fmt::format("{} further run{} like these would decide (90 % power)", *cell.further_runs,
                       *cell.further_runs == 1 ? "" : "s");
  }
  if (cell.runs.size() < 3) {
    return fmt::format("at least {} further run{} needed to say more", 3 - cell.runs.size(),
                       cell.runs.size() == 2 ? " is" : "s are");
  }
  return fmt::format(
      "{} further runs like these would not decide: it lies at the floor, or nothing "
      "tells the spread",
      kMostFurther);
}

std::string cell_reason(const FloorCell& cell) {
  const std::string further = further_text(cell);
  return further.empty() ? cell.reason : fmt::format("{}; {}", cell.reason, further);
}

std::string provenance_text(const FloorCell& cell) {
  if (cell.runs.empty() || cell.provenance == Provenance::measured) return {};
  return fmt::format("its {} runs are {}, not measured", cell.runs.size(),
                     name_of(cell.provenance));
}

std::string provenance_of_all(const std::vector<const FloorResult*>& floors) {
  std::set<Provenance> kinds;
  std::set<const RunResult*> runs;
  for (const FloorResult* floor : floors) {
    for (const FloorCell& cell : floor->cells) {
      for (const FloorEvidence& one : cell.runs) runs.insert(one.run);
      if (!cell.runs.empty()) kinds.insert(cell.provenance);
    }
  }
  if (kinds.size() != 1 || kinds.contains(Provenance::measured)) return {};
  return fmt::format("All {} results of runs are {}, not measured.", runs.size(),
                     name_of(*kinds.begin()));
}

std::string method_text(const QuantileBounds& bounds) {
  const auto lower = name_of(bounds.lower.method);
  const auto upper = name_of(bounds.upper.method);
  return lower == upper ? std::string(lower) : fmt::format("{} below, {} above", lower, upper);
}

std::string closing_text(const ContractCheck& check) {
  const ExitCode code = exit_code(check);
  const char* why = code == ExitCode::kOk            ? "all floors are met"
                    : code == ExitCode::kCheckFailed ? "a floor is not met"
                                                     : "floors are undecided or not measured";
  return fmt::format(
      "{} floor{}: {} met, {} not met, {} undecided, {} not measured. Exit code {}: {}.",
      check.floors.size(), check.floors.size() == 1 ? "" : "s", check.count(FloorVerdict::met),
      check.count(FloorVerdict::not_met), check.count(FloorVerdict::undecided),
      check.count(FloorVerdict::not_measured), static_cast<int>(code), why);
}

std::string money_text(std::int64_t millionths) { return decimal(millionths, 6, 2); }

std::string share_text(std::int64_t share) { return decimal(share, 7, 0) + " %"; }

}  // namespace stepmark
