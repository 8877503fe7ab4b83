// SPDX-License-Identifier: Apache-2.0
#include <nlohmann/json.hpp>

#include "results/record/journal_lines.h"
#include "results/table/table.h"

namespace stepmark {

nlohmann::json run_json(const Run& run) {
  auto records = nlohmann::json::array();
  for (const auto& record : run.records) {
    auto json = to_json(record);
    json.erase("series");
    json.erase("timeline");
    records.push_back(std::move(json));
  }
  auto header = header_json(run.header, "run");
  header.erase("type");
  return {{"run", std::move(header)},
          {"records", std::move(records)},
          {"missing", run.missing()},
          {"warnings", run.warnings},
          {"ended", run.ended},
          {"exit_code", run.ended ? nlohmann::json(run.exit_code) : nlohmann::json(nullptr)}};
}

}  // namespace stepmark
