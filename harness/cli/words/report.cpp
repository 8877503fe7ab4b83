// SPDX-License-Identifier: Apache-2.0
// The words of `report`: an option for each format that files are written in.
#include <CLI/CLI.hpp>

#include "harness/cli/commands.h"
#include "harness/cli/words/validators.h"
#include "harness/cli/words/words.h"
#include "results/views/format/format.h"

namespace stepmark {

void add_report(CLI::App& app, ReportOptions& options, Chosen& chosen) {
  CLI::App* cmd = app.add_subcommand("report", "Show runs: tables, one HTML page, CSV");
  cmd->footer("Example:\n  stepmark report quick.smk --html report.html --csv quick.csv");
  cmd->add_option("files", options.files, "Journals (FILE.smk)")->required();
  cmd->add_option("--beside", options.beside,
                  "Figures of others as marks: published:NAME (stepmark list published), or a file")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  cmd->add_flag("--accept-damaged", options.accept_damaged, kAcceptDamaged);
  for (const FileFormat& format : file_formats()) {
    cmd->add_option("--" + format.option, options.written[format.option], format.help);
  }
  add_page_words(*cmd, options.page);
  cmd->add_flag("--json", options.json, "Print JSON");
  cmd->callback([&options, &chosen] { chosen = [&options] { return report_command(options); }; });
}

}  // namespace stepmark
