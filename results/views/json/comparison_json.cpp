// SPDX-License-Identifier: Apache-2.0
// Keys in one place per object; what is undefined is null. Reasons, notes and the exit code come
// from the functions that the table uses.
#include "results/views/json/comparison_json.h"

#include <array>
#include <nlohmann/json.hpp>

#include "results/compare/outcome.h"
#include "results/record/json_reader.h"
#include "results/views/words/comparison_words.h"

namespace stepmark {
namespace {

constexpr std::array kVerdicts = {Verdict::slower,         Verdict::faster, Verdict::same,
                                  Verdict::undecided,      Verdict::failed, Verdict::missing,
                                  Verdict::not_comparable, Verdict::skipped};

nlohmann::json need_json(const ToDecide& need) {
  if (need.need == Need::nothing) return nullptr;
  const auto count = [](int runs) { return runs > 0 ? nlohmann::json(runs) : nlohmann::json(); };
  const bool some = need.need != Need::no_runs;
  return {
      {"need", name_of(need.need)},
      {"text", need_text(need)},
      {"runs", count(need.runs)},
      {"more_baseline", some ? nlohmann::json(need.more_baseline) : nlohmann::json()},
      {"more_candidate", some ? nlohmann::json(need.more_candidate) : nlohmann::json()},
      {"of_nodes", need.of_nodes},
      {"samples_factor", some ? nlohmann::json(need.samples_factor) : nlohmann::json()},
      {"power", need.power > 0 ? nlohmann::json(need.power) : nlohmann::json()},
      {"from_margin", need.from_margin > 0 ? nlohmann::json(need.from_margin) : nlohmann::json()},
      {"why", need.why}};
}

nlohmann::json case_json(const CaseVerdict& c) {
  return {{"case_id", c.case_id},
          {"family", c.family},
          {"verdict", name_of(c.verdict)},
          {"baseline_s", number_or_null(c.baseline_s)},
          {"candidate_s", number_or_null(c.candidate_s)},
          {"ratio", number_or_null(c.ratio)},
          {"lower", number_or_null(c.lower)},
          {"upper", number_or_null(c.upper)},
          {"interval", name_of(c.spread)},
          {"within_run_lower", number_or_null(c.within_lower)},
          {"within_run_upper", number_or_null(c.within_upper)},
          {"adjusted_p", number_or_null(c.adjusted_p)},
          {"same_p", number_or_null(c.same_p)},
          {"minimum_detectable", number_or_null(c.minimum_detectable)},
          {"assumed_between_run_sd", number_or_null(c.assumed_sd)},
          {"common_run_sd", number_or_null(c.common_sd)},
          {"own_run_sd", number_or_null(c.own_sd)},
          {"baseline_drift", number_or_null(c.drift_baseline)},
          {"candidate_drift", number_or_null(c.drift_candidate)},
          {"clock_tick_s", number_or_null(c.clock_tick_s)},
          {"to_decide", need_json(c.to_decide)},
          {"reason", reason_text(c)}};
}

nlohmann::json side_json(const SideComparison& side, const CompareOptions& options) {
  auto differences = nlohmann::json::array();
  for (const auto& d : side.differences) {
    differences.push_back({{"section", d.section},
                           {"name", d.name},
                           {"baseline", d.baseline},
                           {"candidate", d.candidate},
                           {"fingerprint", d.fingerprint}});
  }
  auto cases = nlohmann::json::array();
  for (const auto& c : side.cases) {
    cases.push_back(case_json(c));
  }
  auto counts = nlohmann::json::object();
  for (const auto verdict : kVerdicts) {
    counts[std::string(name_of(verdict))] = side.count(verdict);
  }
  return {{"baseline", side.baseline},
          {"candidate", side.candidate},
          {"baseline_runs", side.baseline_runs},
          {"candidate_runs", side.candidate_runs},
          {"differences", std::move(differences)},
          {"cases", std::move(cases)},
          {"nodes",
           {{"level", name_of(side.nodes.level)},
            {"baseline", side.nodes.baseline_nodes},
            {"candidate", side.nodes.candidate_nodes},
            {"confounded", side.nodes.is_confounded()}}},
          {"counts", std::move(counts)},
          {"to_decide", deciding_text(side, options)},
          {"notes", notes_text(side)}};
}

}  // namespace

nlohmann::json to_json(const Comparison& comparison) {
  auto sides = nlohmann::json::array();
  for (const auto& side : comparison.sides) {
    sides.push_back(side_json(side, comparison.options));
  }
  return {{"schema_version", kSchemaVersion},
          {"margin", comparison.options.margin},
          {"confidence", comparison.options.confidence},
          {"smallest", smallest_difference(comparison.options)},
          {"power", comparison.options.power},
          {"worst", name_of(comparison.worst())},
          {"allow_missing", comparison.options.allow_missing},
          {"exit_code", static_cast<int>(exit_code(comparison))},
          {"sides", std::move(sides)}};
}

}  // namespace stepmark
