// SPDX-License-Identifier: Apache-2.0
// What a history keeps of a record: its time and what makes it comparable with earlier ones.
// Internal to results/history.
#pragma once

#include <cstdint>
#include <string>

#include "results/record/record.h"

namespace stepmark {

struct Point {
  double median = 0, lower = 0, upper = 0;  // NaN: not known
  std::int64_t samples = 0;
  // Whether the median says something about performance: measured, every check passed.
  bool counts = false;
  std::string outcome;
  std::string remark;  // why it does not count
};

[[nodiscard]] Point point_of(const Record& record);

// What was done, as text: records of one case whose works differ are not like for like (compare
// calls them not comparable), so each work is a series of its own.
[[nodiscard]] std::string work_of(const Record& record);
// The way back: adds the facts that such a text has, of the record's family.
void add_work(const std::string& work, Record& record);

// "hosts" where the ranks of the case cannot be on one host, else "host"; empty where that is not
// known. `ranks_per_host`: the most of any host, 0 if unknown.
[[nodiscard]] std::string reach_of(const Record& record, int ranks_per_host);

}  // namespace stepmark
