// SPDX-License-Identifier: Apache-2.0
// The workloads that a suite names: shipped ones, and files of its own.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "harness/cases/suite.h"
#include "harness/spec/workload.h"

namespace stepmark {

struct WorkloadFiles {
  std::vector<Workload> workloads;           // shipped ones, and files under their own names
  std::map<std::string, std::string> paths;  // of those that the suite names, by name
};

// Reads the workloads that entries name; an entry that named a file names the workload in it
// afterwards. A file takes the place of the shipped workload of its name. ConfigError for what
// cannot be read (with the place that named it) and for one name from two files: results go by
// name.
[[nodiscard]] WorkloadFiles read_workload_files(Suite& suite);

}  // namespace stepmark
