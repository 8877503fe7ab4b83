// SPDX-License-Identifier: Apache-2.0
// Floors against runs: met, not met, undecided or not measured, with what that stands on.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"
#include "results/contract/quantile_bounds.h"
#include "results/contract/run_result.h"
#include "results/contract/terms.h"

namespace stepmark {

// From good to bad; a floor is as bad as the worst of its cells.
enum class FloorVerdict : std::uint8_t { met, undecided, not_measured, not_met };
[[nodiscard]] std::string_view name_of(FloorVerdict verdict);

struct FloorEvidence {
  const RunResult* run = nullptr;
  const RunFigure* figure = nullptr;  // of the floor's metric; it has a value
};

struct SetAside {
  const RunResult* run = nullptr;
  std::string why;
};

// A floor for one case on one node count, of one size where cases have sizes.
struct FloorCell {
  std::string case_id;  // empty: no run has one
  std::optional<std::int64_t> size_bytes;
  std::int64_t nodes = 0;
  FloorVerdict verdict = FloorVerdict::not_measured;
  QuantileBounds bounds;
  Tails tails;
  std::vector<FloorEvidence> runs;
  Provenance provenance = Provenance::measured;  // of all its runs
  std::optional<std::size_t> further_runs;       // that would decide with 90 % power
  std::string reason;                            // why it is undecided or not measured
};

struct FloorResult {
  const Floor* floor = nullptr;
  FloorVerdict verdict = FloorVerdict::not_measured;
  std::vector<FloorCell> cells;  // in the order of the floor's sizes and node counts
  std::vector<SetAside> aside;   // runs of its cases that are no evidence
};

struct ContractCheck {
  const Terms* terms = nullptr;
  std::vector<FloorResult> floors;
  [[nodiscard]] int count(FloorVerdict verdict) const;
};

// Verdict of figures by themselves, without what further runs would do. The chance that the system
// lies at the floor and is called met or not met is at most 1 - confidence; `cells`: of the floor
// together, by which "not met" is corrected (any cell is enough for it, met needs all).
[[nodiscard]] FloorCell judge(const Floor& floor, std::span<const double> figures, double within_sd,
                              std::size_t cells);

// When runs must have been to be evidence.
struct Dates {
  TimeSpan span;
  bool demanded = false;  // a run without date is none
};

// `terms` and `results` must outlive what is returned. ConfigError at the floor's place where its
// unit or direction is not that of its metric.
[[nodiscard]] FloorResult check_floor(const Floor& floor, const Dates& dates,
                                      std::span<const RunResult> results);
[[nodiscard]] ContractCheck check_contract(const Terms& terms, std::span<const RunResult> results);

// kCheckFailed with a floor that is not met, else kNotMeasured with one that is undecided or not
// measured, else kOk.
[[nodiscard]] ExitCode exit_code(const ContractCheck& check);

}  // namespace stepmark
