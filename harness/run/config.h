// SPDX-License-Identifier: Apache-2.0
// What a run measures, resolved from options and files: the same on every rank.
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "harness/cases/suite.h"
#include "harness/run/options.h"
#include "harness/spec/cluster.h"

namespace stepmark {

struct RunConfig {
  Suite suite;
  std::vector<Workload> workloads;
  std::optional<Cluster> cluster;
  std::vector<std::unique_ptr<Case>> cases;
  double repeat_over_s = 0;          // over which repetitions are spread; 0: one after the other
  std::vector<std::string> remarks;  // what of the suite was left out or met in one case
  nlohmann::json echo;  // files as read and settings, for the journal: enough to repeat the run
};

// Error(kUsage) for every mistake in options or files.
[[nodiscard]] RunConfig make_run_config(const RunOptions& options, int world_size);

}  // namespace stepmark
