// SPDX-License-Identifier: Apache-2.0
// A suite: what to measure, as data. One YAML file each in cluster-configs/suites.
#pragma once

#include <string>
#include <vector>

#include "harness/cases/entry.h"

namespace stepmark {

struct Suite {
  std::string name;
  std::string description;
  double budget_s = 120;
  double precision = 0.01;
  int repeat = 1;  // whole restarts, all within the budget
  std::vector<SuiteEntry> entries;
};

// Files that the suite names are relative to it: a workload that an entry names is then a path that
// can be opened from here. They are not read.
[[nodiscard]] Suite read_suite(const std::string& path);

}  // namespace stepmark
