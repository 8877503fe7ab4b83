// SPDX-License-Identifier: Apache-2.0
// A suite: what to measure, as data. One YAML file each in cluster-configs/suites. Entries expand
// to cases once the world size is known (harness/run/config.h).
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <variant>
#include <vector>

#include "collectives/comm.h"
#include "core/dtype.h"
#include "core/metrics.h"
#include "core/yaml.h"
#include "kernels/op.h"

namespace stepmark {

struct KernelEntry {
  std::vector<OpId> ops;
  std::vector<DType> dtypes;
  // Only shapes of an op's list that move and compute at most, or move at least, this much per
  // call.
  double min_bytes = 0;
  double max_bytes = std::numeric_limits<double>::infinity();
  double max_gflop = std::numeric_limits<double>::infinity();
  YamlPlace place = {};  // of `dtypes`
};

struct CollectiveEntry {
  std::vector<CollectiveKind> kinds;
  std::vector<DType> dtypes;
  std::vector<ReduceOp> ops;
  std::vector<std::int64_t> sizes;  // bytes; from a list, or from min, max and factor or step
  bool in_place = true, out_of_place = true;
};

struct StepEntry {
  std::string workload;  // a name, or the path of a file (names_a_file)
  // The first that is legal for the world is run, so that one suite serves several rank counts.
  std::vector<std::string> plans;
  YamlPlace place = {};  // of `workload`; no file: from the command line
};

// What the groups along one axis of a plan do while those of the other axes are at it too.
struct AxisTraffic {
  std::string axis;  // "tp", "dp"
  CollectiveKind kind = CollectiveKind::all_reduce;
  std::int64_t bytes = 0;  // as nccl-tests counts
};

struct GroupsEntry {
  // The first whose degrees fit the world is run; only dp and tp matter.
  std::vector<std::string> plans;
  std::vector<AxisTraffic> traffic;
  DType dtype = DType::f32;
  std::int64_t calls = 4;  // back to back, of the axis that takes longest; others fill its time
};

// A product beside a collective, or on one rank beside what takes a collective's room on the
// device: every combination of the lists.
struct OverlapEntry {
  std::int64_t m = 0, n = 0, k = 0;
  DType dtype = DType::f32;
  std::vector<CollectiveKind> kinds;
  std::vector<std::int64_t> bytes;
  std::vector<std::int64_t> max_ctas;     // 0: the library's choice
  std::vector<std::int64_t> occupy_ctas;  // of the stand-in
  std::vector<std::string> priorities;    // "normal", "high"
};

using SuiteEntry = std::variant<KernelEntry, CollectiveEntry, StepEntry, GroupsEntry, OverlapEntry>;

struct Suite {
  std::string name;
  std::string description;
  double budget_s = 120;
  double precision = 0.01;
  int repeat = 1;  // whole restarts, all within the budget
  std::vector<SuiteEntry> entries;
};

// Files that the suite names are relative to it; `workload` of a StepEntry is then a path that can
// be opened from here. They are not read.
[[nodiscard]] Suite read_suite(const std::string& path);

}  // namespace stepmark
