// SPDX-License-Identifier: Apache-2.0
// The journal's own records without samples and timelines, which are large and in the journal, and
// per repetition the figures that a chart needs.
#include "results/views/json/run_json.h"

#include <nlohmann/json.hpp>

#include "results/record/common_facts.h"
#include "results/record/journal_lines.h"
#include "results/record/json_reader.h"

namespace stepmark {

void add_repetitions(const Run& run, const Record& record, nlohmann::json& json) {
  const auto parts = run.repetitions(record.case_id);
  if (parts.size() < 2) return;
  json.erase("repetition");
  json["spread"] = number_or_null(record.spread);
  auto& list = json["repetitions"] = nlohmann::json::array();
  for (const Record* part : parts) {
    const Summary* time = part->summary(facts::kTimeS);
    const auto figure = [&](double Summary::*member) {
      return time == nullptr ? nlohmann::json(nullptr) : number_or_null(time->*member);
    };
    list.push_back({{"repetition", part->repetition},
                    {"outcome", name_of(part->outcome)},
                    {"reason", part->reason},
                    {"started_unix_s", number_or_null(part->started_unix_s)},
                    {"samples", time == nullptr ? 0 : time->count},
                    {"median_s", figure(&Summary::median)},
                    {"lower_s", figure(&Summary::lower)},
                    {"upper_s", figure(&Summary::upper)}});
  }
}

nlohmann::json run_json(const Run& run) {
  auto records = nlohmann::json::array();
  for (const auto& record : run.records) {
    auto json = to_json(record);
    json.erase("series");
    json.erase("timeline");
    add_repetitions(run, record, json);
    records.push_back(std::move(json));
  }
  auto header = header_json(run.header, "run");
  header.erase("type");
  return {{"run", std::move(header)},
          {"records", std::move(records)},
          {"missing", run.missing()},
          {"warnings", run.warnings},
          {"integrity", integrity_of(run)},
          {"damaged_lines", run.damaged_lines},
          {"ended", run.ended},
          {"exit_code", run.ended ? nlohmann::json(run.exit_code) : nlohmann::json(nullptr)}};
}

}  // namespace stepmark
