// SPDX-License-Identifier: Apache-2.0
// The command `report`: runs as tables, as JSON, or in the formats that files are written in.
#include <nlohmann/json.hpp>

#include "core/log.h"
#include "core/output.h"
#include "harness/cli/beside.h"
#include "harness/cli/commands.h"
#include "harness/cli/page.h"
#include "results/families/read_journal.h"
#include "results/record/json_text.h"
#include "results/views/format/format.h"
#include "results/views/json/run_json.h"
#include "results/views/report/report.h"
#include "results/views/table/beside_table.h"
#include "results/views/table/run_table.h"
#include "results/views/table/scaling_table.h"

namespace stepmark {

ExitCode report_command(const ReportOptions& options) {
  std::vector<Run> runs;
  for (const std::string& file : options.files) {
    runs.push_back(read_journal(file, {.accept_damaged = options.accept_damaged}));
  }
  for (const std::string& name : options.beside) runs.push_back(read_beside(name));
  for (const Run& run : runs) {
    for (const std::string& warning : run.warnings) log_warning("{}: {}", run.path, warning);
  }
  bool written = false;
  for (const FileFormat& format : file_formats()) {
    const auto asked = options.written.find(format.option);
    if (asked == options.written.end() || asked->second.empty()) continue;
    // What the page alone has a place for.
    const bool is_page = format.option == format_report().option;
    write_output_file(asked->second, is_page ? report_html(runs, page_parts(runs, options.page))
                                             : format.text(runs));
    log_info("{}: {}", format.title, asked->second);
    written = true;
  }
  std::string text;
  if (options.json) {
    nlohmann::json all = nlohmann::json::array();
    for (const Run& run : runs) all.push_back(run_json(run));
    text = json_text(all, {.indent = 2}) + "\n";
  } else if (!written) {
    for (const Run& run : runs) {
      if (!run.beside) text += run_table(run);
    }
    text += scaling_table(runs);
    text += beside_table(runs);
  }
  write_stdout(text);
  return ExitCode::kOk;
}

}  // namespace stepmark
