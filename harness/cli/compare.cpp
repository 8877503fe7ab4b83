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
  if (options.across) return across_command(options);
  STEPMARK_REQUIRE(!options.files.empty(), "files is required: stepmark compare A.smk B.smk");
  std::vector<RunSide> sides;
  for (const std::string& file : options.files) {
    sides.push_back(read_side(file, {.accept_damaged = options.accept_damaged}));
  }
  CompareOptions how;
  how.margin = parse_fraction(options.margin);
  if (!options.run_spread.empty()) how.run_spread = parse_fraction(options.run_spread);
  if (!options.spread_from.empty()) {
    how.history = read_side(options.spread_from, {.accept_damaged = options.accept_damaged}).runs;
  }
  how.allow_missing = options.allow_missing;
  const Comparison comparison = compare(sides, how);
  const std::string text = options.json ? json_text(to_json(comparison), {.indent = 2}) + "\n"
                                        : comparison_table(comparison);
  write_stdout(text);
  if (!options.html.empty()) {
    std::vector<Run> runs;
    for (const RunSide& side : sides) {
      runs.insert(runs.end(), side.runs.begin(), side.runs.end());
    }
    write_report(runs, options.html);
    log_info("report: {}", options.html);
  }
  return exit_code(comparison);
}

}  // namespace stepmark
