// SPDX-License-Identifier: Apache-2.0
// Amounts of money are texts with their decimals: a reader that takes them as doubles would round.
#include "results/views/json/contract_json.h"

#include <nlohmann/json.hpp>

#include "results/record/json_reader.h"
#include "results/views/words/contract_words.h"

namespace stepmark {
namespace {

using nlohmann::json;

json optional_number(const std::optional<double>& value) {
  return value ? number_or_null(*value) : json();
}

json terms_json(const Terms& terms) {
  return {{"file", terms.file},
          {"name", terms.name},
          {"provider", terms.provider},
          {"customer", terms.customer},
          {"valid_from", day_text(terms.valid.from)},
          {"valid_until", day_text(terms.valid.to - kDayS)},
          {"nodes", terms.nodes},
          {"gpus_per_node", terms.gpus_per_node}};
}

json run_json(const RunResult& run) {
  return {{"journal", run.source},
          {"line", run.line > 0 ? json(run.line) : json()},
          {"repetition", run.repetition},
          {"case_id", run.case_id},
          {"started_unix_s", run.started_unix_s > 0 ? json(run.started_unix_s) : json()},
          {"provenance", name_of(run.provenance)},
          {"samples", run.samples},
          {"median_s", number_or_null(run.median_s)}};
}

json evidence_json(const FloorEvidence& one, bool with_samples) {
  json out = run_json(*one.run);
  out["value"] = optional_number(one.figure->value);
  out["lower"] = optional_number(one.figure->lower);
  out["upper"] = optional_number(one.figure->upper);
  const Record* record = one.run->record;
  if (with_samples && record != nullptr && !record->series.empty()) {
    const Series& series = record->series.front();
    const Summary* summary = record->summary(series.name);
    out["series"] = {{"name", series.name},
                     {"unit", series.unit},
                     {"steady_from", summary != nullptr ? summary->steady_from : 0},
                     {"values", json::array()}};
    for (const double value : series.values) {
      out["series"]["values"].push_back(number_or_null(value));
    }
  }
  return out;
}

json cell_json(const FloorCell& cell, bool with_samples) {
  json runs = json::array();
  for (const FloorEvidence& one : cell.runs) runs.push_back(evidence_json(one, with_samples));
  const bool measured = !cell.runs.empty();
  return {{"case_id", measured ? json(cell.case_id) : json()},
          {"size_bytes", cell.size_bytes ? json(*cell.size_bytes) : json()},
          {"nodes", cell.nodes},
          {"verdict", name_of(cell.verdict)},
          {"estimate", measured ? number_or_null(cell.bounds.estimate) : json()},
          {"lower", measured ? number_or_null(cell.bounds.lower.value) : json()},
          {"lower_by", name_of(cell.bounds.lower.method)},
          {"upper", measured ? number_or_null(cell.bounds.upper.value) : json()},
          {"upper_by", name_of(cell.bounds.upper.method)},
          {"provenance", measured ? json(name_of(cell.provenance)) : json()},
          {"further_runs", cell.further_runs ? json(*cell.further_runs) : json()},
          {"reason", cell_reason(cell)},
          {"runs", std::move(runs)}};
}

json floor_json(const FloorResult& result, bool with_samples) {
  const Floor& floor = *result.floor;
  json cells = json::array();
  for (const FloorCell& cell : result.cells) cells.push_back(cell_json(cell, with_samples));
  json aside = json::array();
  for (const SetAside& one : result.aside) {
    json run = run_json(*one.run);
    run["reason"] = one.why;
    aside.push_back(std::move(run));
  }
  return {{"floor", floor.name},
          {"line", floor.place.line},
          {"promise", promise_text(floor)},
          {"metric", floor.metric},
          {"direction", name_of(floor.direction)},
          {"value", floor.value},
          {"unit", floor.unit},
          {"quantile", floor.quantile},
          {"confidence", floor.confidence},
          {"verdict", name_of(result.verdict)},
          {"cells", std::move(cells)},
          {"set_aside", std::move(aside)}};
}

json month_json(const MonthCredits& month) {
  json units = json::array();
  for (const UnitCredit& unit : month.units) {
    units.push_back({{"unit", unit.unit},
                     {"period_s", unit.period_s},
                     {"down_s", unit.down_s},
                     {"share", share_text(unit.share)},
                     {"credit", money_text(unit.credit)}});
  }
  json floors = json::array();
  for (const FloorCredit& one : month.floors) {
    json floor = floor_json(one.result, false);
    floor["credit"] = one.credit ? json(money_text(*one.credit)) : json(nullptr);
    floors.push_back(std::move(floor));
  }
  return {{"from", moment_text(month.span.from)}, {"to", moment_text(month.span.to)},
          {"whole_month", month.whole},           {"over", month.over},
          {"fee", money_text(month.fee)},         {"units", std::move(units)},
          {"floors", std::move(floors)},          {"credits", money_text(month.sum)},
          {"cap", money_text(month.cap)},         {"owed", money_text(month.owed)}};
}

}  // namespace

json to_json(const ContractCheck& check) {
  json floors = json::array();
  for (const FloorResult& result : check.floors) floors.push_back(floor_json(result, false));
  json counts = json::object();
  for (const auto verdict : {FloorVerdict::met, FloorVerdict::not_met, FloorVerdict::undecided,
                             FloorVerdict::not_measured}) {
    counts[std::string(name_of(verdict))] = check.count(verdict);
  }
  return {{"schema_version", kSchemaVersion},
          {"terms", terms_json(*check.terms)},
          {"floors", std::move(floors)},
          {"counts", std::move(counts)},
          {"exit_code", static_cast<int>(exit_code(check))}};
}

json explanation_json(const FloorResult& result) { return floor_json(result, true); }

json to_json(const CreditsOwed& credits) {
  json months = json::array();
  for (const MonthCredits& month : credits.months) months.push_back(month_json(month));
  return {{"schema_version", kSchemaVersion},
          {"terms", terms_json(*credits.terms)},
          {"currency", credits.terms->fee->currency},
          {"months", std::move(months)},
          {"remarks", credits.remarks},
          {"not_decided", credits.not_decided()},
          {"owed", money_text(credits.owed())}};
}

}  // namespace stepmark
