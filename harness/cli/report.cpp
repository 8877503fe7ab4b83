// SPDX-License-Identifier: Apache-2.0
// The command `report`: runs as tables, CSV, JSON or one HTML page.
#include "results/views/report/report.h"

#include <nlohmann/json.hpp>

#include "core/log.h"
#include "core/output.h"
#include "harness/cli/commands.h"
#include "results/families/read_journal.h"
#include "results/record/json_text.h"
#include "results/views/csv/csv.h"
#include "results/views/json/run_json.h"
#include "results/views/table/run_table.h"

namespace stepmark {

ExitCode report_command(const ReportOptions& options) {
  std::vector<Run> runs;
  for (const std::string& file : options.files) {
    runs.push_back(read_journal(file, {.accept_damaged = options.accept_damaged}));
  }
  for (const Run& run : runs) {
    for (const std::string& warning : run.warnings) log_warning("{}: {}", run.path, warning);
  }
  if (!options.html.empty()) {
    write_report(runs, options.html);
    log_info("report: {}", options.html);
  }
  if (!options.csv.empty()) {
    write_output_file(options.csv, runs_csv(runs));
    log_info("CSV: {}", options.csv);
  }
  std::string text;
  if (options.json) {
    nlohmann::json all = nlohmann::json::array();
    for (const Run& run : runs) all.push_back(run_json(run));
    text = json_text(all, {.indent = 2}) + "\n";
  } else if (options.html.empty() && options.csv.empty()) {
    for (const Run& run : runs) text += run_table(run);
  }
  write_stdout(text);
  return ExitCode::kOk;
}

}  // namespace stepmark
