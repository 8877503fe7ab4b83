// SPDX-License-Identifier: Apache-2.0
// Reads one file, strictly; model and plan have readers of their own.
#include "harness/spec/workload.h"

#include <fmt/format.h>

namespace stepmark {

Workload read_workload(const std::string& path) {
  YamlMap map = YamlDocument::read_file(path).map();
  Workload workload;
  workload.name = map.required_string("workload");
  workload.description = map.required_string("description");
  const std::string source = map.required_string("source");
  workload.model = read_model(map.required_map("model"), workload.name);
  workload.model.source = source;
  if (auto plan = map.optional_map("plan")) workload.plan = read_plan(*plan);
  map.finish();
  return workload;
}

std::string brief_plan(const Workload& workload) {
  const Plan& plan = workload.plan;
  return fmt::format("tp={} mb={} seq={} {}", plan.tp, plan.micro_batch,
                     plan.seq == 0 ? workload.model.max_seq : plan.seq, name_of(plan.precision));
}

}  // namespace stepmark
