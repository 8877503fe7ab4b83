// SPDX-License-Identifier: Apache-2.0
// What another tool timed on one device as a record of the family `kernel`. Internal to
// results/import.
#pragma once

#include <optional>
#include <string>

#include "results/import/importer.h"

namespace stepmark {

struct ToldKernel {
  std::string id;     // behind "kernel/"
  std::string op;     // what was done
  std::string shape;  // where or on what
  std::string told_time;
  int line = 0;
  std::int64_t count = 0;        // of values that the time is of; 0: not said
  std::optional<double> time_s;  // none, or not positive: no_time says why
  std::string no_time;
  std::optional<double> min_s, max_s, mean_s;
  std::optional<double> bytes, flops;  // of one call, where told
  std::vector<std::string> labels;
};

// Without samples; no time: the outcome is not-measured.
[[nodiscard]] Record kernel_record(const ImportSource& source, const std::string& tool,
                                   const ToldKernel& told);

}  // namespace stepmark
