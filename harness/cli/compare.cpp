// SPDX-License-Identifier: Apache-2.0
// The command `compare`: two or more sides against the first.
#include "results/compare/compare.h"

#include <nlohmann/json.hpp>

#include "core/log.h"
#include "core/output.h"
#include "core/units.h"
#include "harness/cli/commands.h"
#include "results/compare/outcome.h"
#include "results/record/json_text.h"
#include "results/views/json/comparison_json.h"
#include "results/views/report/report.h"
#include "results/views/table/comparison_table.h"

namespace stepmark {

ExitCode compare_command(const CompareOptionsCli& options) {
  std::vector<RunGroup> groups;
  for (const std::string& file : options.files) {
    groups.push_back(read_run_group(file, {.accept_damaged = options.accept_damaged}));
  }
  CompareOptions how;
  how.margin = parse_fraction(options.margin);
  if (!options.run_spread.empty()) how.run_spread = parse_fraction(options.run_spread);
  if (!options.spread_from.empty()) {
    how.history =
        read_run_group(options.spread_from, {.accept_damaged = options.accept_damaged}).runs;
  }
  how.allow_missing = options.allow_missing;
  const Comparison comparison = compare(groups, how);
  const std::string text = options.json ? json_text(to_json(comparison), {.indent = 2}) + "\n"
                                        : comparison_table(comparison);
  write_stdout(text);
  if (!options.html.empty()) {
    std::vector<Run> runs;
    for (const RunGroup& group : groups) {
      runs.insert(runs.end(), group.runs.begin(), group.runs.end());
    }
    write_report(runs, options.html);
    log_info("report: {}", options.html);
  }
  return exit_code(comparison);
}

}  // namespace stepmark
