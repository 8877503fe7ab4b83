// SPDX-License-Identifier: Apache-2.0
// The words of the page, the same for all commands that write it.
#include <CLI/CLI.hpp>

#include "harness/cli/options.h"
#include "harness/cli/words/words.h"

namespace stepmark {

void add_page_words(CLI::App& cmd, PageOptions& options) {
  auto* html = cmd.get_option("--html");
  cmd.add_option("--history", options.history,
                 "Show this history on the page: each case over time, with its changes and alarms")
      ->needs(html);
  cmd.add_option("--evidence", options.evidence,
                 "Evidence bundle that these journals are of: the page says who signed them")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->needs(html);
}

}  // namespace stepmark
