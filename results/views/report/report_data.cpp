// SPDX-License-Identifier: Apache-2.0
// Labels that tell runs apart, counts, facts including the configuration, and all records with
// their samples. Each sample keeps the repetition it is of.
#include "results/views/report/report_data.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>

#include "results/record/journal_lines.h"
#include "results/record/json_text.h"
#include "results/views/json/run_json.h"
#include "results/views/report/beside_json.h"
#include "results/views/report/families_json.h"
#include "results/views/report/scaling_json.h"
#include "results/views/report/slim.h"

namespace stepmark {

namespace {

// File name without folder and extension; the whole path where that is not enough to tell runs
// apart, and a number where even that is not.
std::vector<std::string> labels_of(std::span<const Run> runs) {
  std::vector<std::string> out;
  for (const auto& run : runs) {
    out.push_back(std::filesystem::path(run.path).stem().string());
  }
  const std::vector<std::string> stems = out;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    if (stems[i].empty() || std::count(stems.begin(), stems.end(), stems[i]) > 1) {
      out[i] = runs[i].path;
    }
  }
  std::set<std::string> seen;
  for (auto& label : out) {
    const auto wanted = label;
    for (int n = 2; !seen.insert(label).second; ++n) {
      label = fmt::format("{} ({})", wanted, n);
    }
  }
  return out;
}

nlohmann::json counts_of(const Run& run) {
  std::set<std::string> asked(run.header.cases.begin(), run.header.cases.end());
  int ok = 0;
  int skipped = 0;
  int failed_checks = 0;
  for (const auto& record : run.records) {
    asked.insert(record.case_id);
    ok += record.outcome == Outcome::ok ? 1 : 0;
    skipped += record.outcome == Outcome::skipped ? 1 : 0;
    failed_checks += static_cast<int>(std::count_if(record.checks.begin(), record.checks.end(),
                                                    [](const Check& c) { return !c.passed; }));
  }
  return {
      {"asked", asked.size()}, {"ok", ok}, {"skipped", skipped}, {"failed_checks", failed_checks}};
}

// Of each value of a joined series; empty where all are of one repetition.
std::vector<int> repetition_of_samples(const Run& run, const Record& record,
                                       const std::string& series) {
  std::vector<int> out;
  const auto parts = run.repetitions(record.case_id);
  if (parts.size() < 2) return out;
  for (const Record* part : parts) {
    if (part->outcome != Outcome::ok) continue;
    for (const Series& own : part->series) {
      if (own.name == series) out.insert(out.end(), own.values.size(), part->repetition);
    }
  }
  return out;
}

// What stands behind the figures: the hash that all lines of the file run into, and what whoever
// made the page knows of the file.
nlohmann::json evidence_of(const Run& run, const nlohmann::json& known) {
  nlohmann::json out{{"chain", run.extent.chain},
                     {"lines", run.extent.lines},
                     {"bytes", run.extent.bytes},
                     {"integrity", integrity_of(run)}};
  if (known.is_object()) out.update(known);
  return out;
}

nlohmann::json run_data(const Run& run, const std::string& label) {
  auto header = header_json(run.header, "run");
  auto facts = header["environment"];
  header.erase("environment");
  header.erase("type");
  const auto add_config = [&](const std::string& name, const nlohmann::json& value) {
    facts.push_back({{"section", "config"},
                     {"name", name},
                     {"value", value.is_string() ? value.get<std::string>() : json_text(value)},
                     {"fingerprint", true}});
  };
  if (run.header.config.is_object()) {
    const auto flat = run.header.config.flatten();
    for (const auto& [path, value] : flat.items()) {
      add_config(path, value);
    }
  }
  std::string hardware;
  for (const auto& fact : run.header.environment.facts) {
    if (fact.section == "hardware") {
      hardware += fmt::format("{}{} {}", hardware.empty() ? "" : ", ", fact.name, fact.value);
    }
  }
  auto records = nlohmann::json::array();
  std::set<std::string_view> provenances;
  for (const auto& record : run.records) {
    records.push_back(to_json(record));
    add_repetitions(run, record, records.back());
    for (auto& series : records.back()["series"]) {
      auto of = repetition_of_samples(run, record, series["name"]);
      if (!of.empty()) series["repetition"] = std::move(of);
    }
    if (record.outcome == Outcome::ok) {
      provenances.insert(name_of(record.provenance));
    }
  }
  return {{"label", label},
          {"path", run.path},
          {"header", std::move(header)},
          {"facts", std::move(facts)},
          {"hardware", hardware},
          {"counts", counts_of(run)},
          {"provenances", provenances},
          {"records", std::move(records)},
          {"missing", run.missing()},
          {"warnings", run.warnings},
          {"integrity", integrity_of(run)},
          {"ended", run.ended},
          {"exit_code", run.exit_code}};
}

}  // namespace

nlohmann::json report_data(std::span<const Run> runs, const PageParts& parts) {
  const auto labels = labels_of(runs);
  auto out = nlohmann::json::array();
  for (std::size_t i = 0; i < runs.size(); ++i) {
    if (runs[i].beside) continue;
    out.push_back(run_data(runs[i], labels[i]));
    out.back()["owner"] = i < parts.owners.size() ? parts.owners[i] : std::string();
    const bool known = parts.evidence.is_array() && i < parts.evidence.size();
    out.back()["evidence"] = evidence_of(runs[i], known ? parts.evidence[i] : nlohmann::json());
  }
  auto left_out = slim_records(out);
  nlohmann::json data{{"schema_version", kSchemaVersion},
                      {"families", families_json()},
                      {"runs", std::move(out)},
                      {"beside", beside_json(runs)},
                      {"scaling", scaling_json(runs, parts.owners)},
                      {"left_out", std::move(left_out)}};
  if (!parts.history.is_null()) data["history"] = parts.history;
  if (!parts.across.is_null()) data["decision"] = parts.across;
  return data;
}

}  // namespace stepmark
