// SPDX-License-Identifier: Apache-2.0
// What the command line asks for, as plain values: the parser (parse.cpp) fills them, the commands
// read them. Those of `run` are harness/run/options.h.
#pragma once

#include <map>
#include <string>
#include <vector>

namespace stepmark {

struct StepsOptions {
  std::string backend = "auto";
};

struct PlanOptions {
  std::string workload;
  std::string plan;
  std::string cluster;
  std::string backend = "auto";  // the cluster's; without one, what `run` would take here
  int ranks = 1;
  int program_of = -1;   // rank whose program is printed; -1: none
  bool list = false;     // all legal plans, rather than one
  bool fits = false;     // of them those whose memory the cluster has
  int nodes = 0;         // of the cluster, instead of `ranks`; 0: not said
  int global_batch = 0;  // sequences per step of a list; 0: those of the workload's plan
  int top = 10;          // plans of a list that are shown; 0: all
  bool json = false;
};

// What a page shows beside the runs.
struct PageOptions {
  std::string history;                // a history's file; empty: none
  std::vector<std::string> evidence;  // bundles that `seal` wrote
};

struct CompareOptionsCli {
  std::vector<std::string> files;
  std::string margin;  // empty: 2 %, or half of `smallest`
  std::string power = "90%";
  std::string smallest;           // fraction; empty: by the margin
  std::vector<std::string> only;  // of cases' ids
  bool plan_next = false;         // print commands instead of the comparison
  bool of_nodes = false;          // nodes are what is compared
  bool allow_missing = false;
  bool accept_damaged = false;
  std::string run_spread;   // fraction; empty: not stated
  std::string spread_from;  // journals joined by commas
  std::string html;
  bool across = false;              // providers against each other
  std::vector<std::string> labels;  // NAME=FILES, of providers
  std::string prices;               // a price file
  std::string portfolio;            // a mix
  PageOptions page;
  bool json = false;
};

struct ReportOptions {
  std::vector<std::string> files;
  std::vector<std::string> beside;  // "published:NAME" or a file
  bool accept_damaged = false;
  std::map<std::string, std::string> written;  // files by FileFormat::option; empty: not asked for
  PageOptions page;
  bool json = false;
};

struct ExportOptions {
  std::string format;  // "ccl-bench"
  std::string file;
  std::string out;      // a folder
  std::string case_id;  // empty: the only step
  std::string cluster;  // of a shipped one, or a file; empty: not known
};

struct ImportOptionsCli {
  std::vector<std::string> words;  // files, behind a format or not
  std::string out;
  std::string collective;
  int ranks = 0;                     // 0: the files must say it
  std::vector<std::string> command;  // for the journal
};

struct ContractOptionsCli {
  std::string terms;
  std::string floor;  // of explain
  std::vector<std::string> journals;
  std::string from, to;        // of credits: months
  std::string history, place;  // of credits
  std::string out;             // of propose; empty: stdout
  std::string quantile = "50%";
  std::string confidence = "95%";
  std::string margin = "2%";
  std::string metric;  // empty: the first that each family shows
  std::string sla;     // of propose; empty: no availability in the draft
  std::vector<std::string> only;
  int gpus_per_node = 0;  // 0: the runs must say it
  bool accept_damaged = false;
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
