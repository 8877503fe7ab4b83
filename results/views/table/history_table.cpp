// SPDX-License-Identifier: Apache-2.0
// Runs under a heading per line. Texts come from journals: fit() keeps control characters from the
// terminal.
#include "results/views/table/history_table.h"

#include <fmt/format.h>

#include "results/views/table/text_table.h"
#include "results/views/words/history_words.h"

namespace stepmark {

std::string runs_table(const std::vector<HistoryRun>& runs) {
  std::string out;
  for (auto run = runs.begin(); run != runs.end();) {
    const HistoryLine& line = run->line;
    TextTable table({{.title = "run", .align = Align::left},
                     {.title = "started", .align = Align::left},
                     {.title = "measured"},
                     {.title = "exit"},
                     {.title = "stepmark", .align = Align::left},
                     {.title = "journal", .align = Align::left}});
    for (; run != runs.end() && run->line.id == line.id; ++run) {
      table.add({run->run_id, run->started, fmt::format("{} of {}", run->measured, run->cases),
                 run->ended ? std::to_string(run->exit_code) : "none", run->tool_version,
                 run->file});
    }
    out += fmt::format("{}{}\n{}", out.empty() ? "" : "\n", fit(line_words(line), kTableWidth),
                       table.text());
  }
  return out.empty() ? "This history has no runs.\n" : out;
}

}  // namespace stepmark
