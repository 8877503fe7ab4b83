// SPDX-License-Identifier: Apache-2.0
// What is asked of a run, as plain values. Every option is declared with what acts on it: those of
// the machine in harness/backend/machine.h, those of the cases in harness/cases/case.h.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "harness/backend/machine.h"
#include "harness/cases/case.h"

namespace stepmark {

struct RunOptions {
  std::string suite = "quick";
  bool suite_given = false;
  std::string workload;  // a single step case instead of a suite
  std::string plan;      // of the workload
  std::string ablate;    // parts, joined by commas, or "all": steps are measured without each, too
  std::string cluster;   // YAML file or shipped name
  std::string backend = "auto";
  MachineOptions machine;
  CaseOptions cases;
  int repeat = 0;                    // whole restarts of everything; 0: as often as the suite says
  std::string repeat_over;           // time over which repetitions are spread; empty: at once
  std::string budget;                // for all repetitions; empty: the suite's
  std::string precision;             // empty: the suite's
  std::string out;                   // empty: made from suite and time
  std::vector<std::string> filters;  // case ids must contain one of these
  double case_deadline_s = 0;        // 0: from the case's budget
  bool resume = false;
  bool json = false;
  bool single = false;               // believe MPI when the launcher speaks of more processes
  std::vector<std::string> command;  // argv, for the record
  // Name and value of every option whose words must be the same on all ranks; files are compared by
  // their content.
  std::vector<std::pair<std::string, std::string>> words;
  std::string mistake;  // in the command line of this rank; the ranks say so together
};

}  // namespace stepmark
