// SPDX-License-Identifier: Apache-2.0
// Two or more sides against the first, case by case, with verdicts that may say "cannot tell".
// Method, assumptions and their reasons: docs/measuring.md and compare.cpp.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "results/compare/node_level.h"
#include "results/compare/to_decide.h"
#include "results/record/journal.h"

namespace stepmark {

// One side of a comparison: one run, or several repetitions of the same configuration, whose
// differences tell how much runs differ by themselves. Which runs make a side is always explicit:
// on the command line each argument is a side, files joined by commas are its repetitions. Nothing
// becomes a repetition because it looks alike.
struct RunSide {
  std::string label;
  std::vector<Run> runs;
};
// "A.smk" or "A.smk,A2.smk,..."; the label is the argument.
[[nodiscard]] RunSide read_side(const std::string& argument, const ReadOptions& options = {});

struct CompareOptions {
  double margin = 0.02;      // differences up to this are "same"; relative
  double confidence = 0.95;  // of intervals, and 1 - alpha of verdicts (after Holm, per side)
  // Relative sd by which one run differs from another, known to the user (an earlier A/A study).
  std::optional<double> run_spread;
  // Earlier runs of one unchanged thing on the machine of the comparison: only their spread counts.
  std::vector<Run> history;
  double power = 0.9;              // with which further runs shall decide
  std::optional<double> smallest;  // difference that these shall find; see smallest_difference()
  bool say_what_decides = true;    // of undecided cases; costs some time
  std::vector<std::string> only;   // cases whose id contains one of these; empty: all
  bool of_nodes = false;           // nodes are what is compared: what they differ by is no error
  bool allow_missing = false;      // missing and incomparable cases do not change the exit code
};

// Relative sd between runs that is taken where nothing tells it: larger than what it stands for.
// Runs on one cluster are seen to vary by 3 %; between the GPUs of five large machines the
// variation is 8 % on average (Sinha et al., "Not All GPUs Are Created Equal", SC22, arXiv
// 2208.11035), of which this sd makes the half-width of a 95 % range.
inline constexpr double kGenerousSpread = 0.04;

// Where the spread between runs comes from: several runs of a side or of a history; what the user
// stated; neither (kGenerousSpread).
enum class Spread : std::uint8_t { measured, stated, generous };
[[nodiscard]] std::string_view name_of(Spread spread);

// From harmless to worst. `slower` means: slower by more than the margin. The cases of `skipped`,
// `not_comparable`, `missing` and `failed` were not compared: results/compare/outcome.h.
enum class Verdict : std::uint8_t {
  same,
  faster,
  skipped,
  undecided,
  not_comparable,
  missing,
  slower,
  failed
};
[[nodiscard]] std::string_view name_of(Verdict verdict);

struct CaseVerdict {
  std::string case_id, family;
  Verdict verdict = Verdict::not_comparable;
  double baseline_s = 0, candidate_s = 0;  // median time; NaN when there is none
  double ratio = 0, lower = 0, upper = 0;  // candidate / baseline time: > 1 is slower
  // Interval of the ratio from the samples' own chance alone: what the same two runs would give if
  // sampled again, not what other runs would.
  double within_lower = 0, within_upper = 0;
  double adjusted_p = 1;          // of "differs by no more than the margin", for all cases together
  double same_p = 1;              // of "differs by more than the margin", likewise
  double minimum_detectable = 0;  // relative slow-down this data would find with 80 % power
  double assumed_sd = 0;          // relative sd between runs, stated or generous; NaN if measured
  Spread spread = Spread::measured;
  double common_sd = 0, own_sd = 0;  // relative sd of a run: shared by its cases, and of this case
  double drift_baseline = 0, drift_candidate = 0;  // relative rise through a run; 0: none
  double clock_tick_s = 0;                         // of a coarse clock; 0: none shows
  ToDecide to_decide;                              // of an undecided case
  // Why not comparable; else in what the records differ. How the verdict came about is in the
  // figures above.
  std::string reason;
};

struct Difference {
  std::string section, name, baseline, candidate;
  bool fingerprint = true;
};

// The candidate side against the baseline.
struct SideComparison {
  std::string baseline, candidate;            // labels
  int baseline_runs = 1, candidate_runs = 1;  // repetitions within journals counted
  NodeLevel nodes;                            // level `runs` unless nodes are the unit
  std::vector<Difference> differences;
  std::vector<CaseVerdict> cases;  // of both sides, in the baseline's order
  std::vector<std::string> notes;  // warnings of the runs
  [[nodiscard]] int count(Verdict verdict) const;
};

struct Comparison {
  CompareOptions options;
  std::vector<SideComparison> sides;
  [[nodiscard]] int count(Verdict verdict) const;  // over all sides
  [[nodiscard]] Verdict worst() const;             // `same` when there is no case
  [[nodiscard]] bool has_regression() const { return worst() >= Verdict::slower; }
};

// Error(kUsage) for fewer than two sides, a side without runs, a side whose repetitions are of
// different configurations, and the same run given twice.
[[nodiscard]] Comparison compare(std::span<const RunSide> sides,
                                 const CompareOptions& options = {});

}  // namespace stepmark
