// SPDX-License-Identifier: Apache-2.0
// What the command line asks of `history`: the parser fills it, the commands read it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace stepmark {

struct HistoryOptions {
  std::string db;
  std::vector<std::string> files;           // of add
  std::string place;                        // of add
  std::string time;                         // of add
  int last = 0;                             // of list; 0: all
  std::string least_effect = "1%";          // of check
  bool all = false;                         // of check: what is no alarm too; of export: all runs
  std::string when, text;                   // of annotate
  std::vector<std::int64_t> alarms;         // of acknowledge
  bool every = false;                       // of acknowledge: all that check lists
  bool undo = false;                        // of acknowledge
  std::string format = "openmetrics", out;  // of export
  std::string older_than = "90d";           // of compact
  bool json = false;
};

}  // namespace stepmark
