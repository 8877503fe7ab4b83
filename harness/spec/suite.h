// SPDX-License-Identifier: Apache-2.0
// A suite: what to measure, as data. One YAML file each in cluster-configs/suites. Entries expand
// to cases once the world size is known (harness/cli).
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <variant>
#include <vector>

#include "collectives/comm.h"
#include "core/dtype.h"
#include "core/metrics.h"
#include "kernels/op.h"

namespace stepmark {

struct KernelEntry {
  std::vector<OpId> ops;
  std::vector<DType> dtypes;
  // Only shapes of an op's list that move and compute at most this much per call.
  double max_bytes = std::numeric_limits<double>::infinity();
  double max_gflop = std::numeric_limits<double>::infinity();
};

struct CollectiveEntry {
  std::vector<CollectiveKind> kinds;
  std::vector<DType> dtypes;
  std::vector<ReduceOp> ops;
  std::int64_t min_bytes = 0, max_bytes = 0;
  std::int64_t factor = 2;
  bool in_place = true, out_of_place = true;
};

struct StepEntry {
  std::string workload;
  // The first that is legal for the world is run, so that one suite serves several rank counts.
  std::vector<std::string> plans;
};

using SuiteEntry = std::variant<KernelEntry, CollectiveEntry, StepEntry>;

struct Suite {
  std::string name;
  std::string description;
  double budget_s = 120;
  double precision = 0.01;
  std::vector<SuiteEntry> entries;
};

[[nodiscard]] Suite read_suite(const std::string& path);

}  // namespace stepmark
