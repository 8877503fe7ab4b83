// SPDX-License-Identifier: Apache-2.0
// A workload: a model with a default plan. One YAML file each in cluster-configs/workloads.
#pragma once

#include <string>
#include <vector>

#include "harness/spec/model.h"
#include "harness/spec/plan.h"

namespace stepmark {

struct Workload {
  std::string name;
  std::string description;
  Model model;
  Plan plan;
};

[[nodiscard]] Workload read_workload(const std::string& path);

// Its plan in short: "tp=8 mb=1 seq=8192 bf16".
[[nodiscard]] std::string brief_plan(const Workload& workload);

}  // namespace stepmark
