// SPDX-License-Identifier: Apache-2.0
// What the command line asks for, as plain values: the parser (parse.cpp) fills them, the commands
// read them.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace stepmark {

struct RunOptions {
  std::string suite = "quick";
  bool suite_given = false;
  std::string workload;  // a single step case instead of a suite
  std::string plan;      // of the workload
  std::string cluster;   // YAML file or shipped name
  std::string backend = "auto";
  bool share_gpu = false;
  bool eager = false;
  bool verify_only = false;
  bool nccl_choices = false;
  int repeat = 0;           // whole restarts of everything; 0: as often as the suite says
  std::string repeat_over;  // time over which repetitions are spread; empty: at once
  std::string budget;       // for all repetitions; empty: the suite's
  std::string precision;    // empty: the suite's
  std::string out;          // empty: made from suite and time
  std::string trace_dir;
  std::vector<std::string> filters;  // case ids must contain one of these
  double case_deadline_s = 0;        // 0: from the case's budget
  double start_deadline_s = 120;
  bool resume = false;
  bool json = false;
  bool single = false;               // believe MPI when the launcher speaks of more processes
  std::vector<std::string> command;  // argv, for the record
  // Name and value of every option whose words must be the same on all ranks; files are compared by
  // their content.
  std::vector<std::pair<std::string, std::string>> words;
  std::string mistake;  // in the command line of this rank; the ranks say so together
};

struct StepsOptions {
  std::string backend = "auto";
};

struct PlanOptions {
  std::string workload;
  std::string plan;
  std::string cluster;
  std::string backend = "auto";  // the cluster's; without one, what `run` would take here
  int ranks = 1;
  int program_of = -1;  // rank whose program is printed; -1: none
  bool json = false;
};

struct CompareOptionsCli {
  std::vector<std::string> files;
  std::string margin = "2%";
  bool allow_missing = false;
  bool accept_damaged = false;
  std::string run_spread;   // fraction; empty: not stated
  std::string spread_from;  // journals joined by commas
  std::string html;
  bool json = false;
};

struct ReportOptions {
  std::vector<std::string> files;
  bool accept_damaged = false;
  std::string html;
  std::string csv;
  bool json = false;
};

struct DoctorOptions {
  int ranks = 1;
  bool json = false;
};

struct ListOptions {
  std::string what;
  std::string suite = "quick";
  int ranks = 4;
  bool json = false;
};

}  // namespace stepmark
