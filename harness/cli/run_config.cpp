// SPDX-License-Identifier: Apache-2.0
#include "harness/cli/run_config.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "core/error.h"
#include "core/units.h"
#include "harness/cli/data_files.h"

namespace stepmark {
namespace {

Suite single_step_suite(const RunOptions& options) {
  Suite suite;
  suite.name = fmt::format("workload:{}", options.workload);
  suite.description = "one step";
  suite.budget_s = 60;
  suite.entries.emplace_back(StepEntry{.workload = options.workload, .plans = {options.plan}});
  return suite;
}

// A workload given as a file joins the shipped ones under its own name.
void load_workloads(const RunOptions& options, RunConfig& config, std::string& name) {
  config.workloads = shipped_workloads();
  if (options.workload.empty()) return;
  const std::string path = find_file("workloads", options.workload);
  Workload workload = read_workload(path);
  name = workload.name;
  std::erase_if(config.workloads, [&](const Workload& w) { return w.name == workload.name; });
  config.workloads.push_back(std::move(workload));
}

void keep_matching(std::vector<std::unique_ptr<Case>>& cases,
                   const std::vector<std::string>& filters) {
  if (filters.empty()) return;
  std::erase_if(cases, [&](const std::unique_ptr<Case>& c) {
    return std::none_of(filters.begin(), filters.end(), [&](const std::string& filter) {
      return c->id().find(filter) != std::string::npos;
    });
  });
}

void check_unique(const std::vector<std::unique_ptr<Case>>& cases) {
  std::set<std::string> ids;
  for (const auto& one : cases) {
    STEPMARK_REQUIRE(ids.insert(one->id()).second, "the suite asks twice for case '{}'", one->id());
  }
}

}  // namespace

RunConfig make_run_config(const RunOptions& options, int world_size) {
  STEPMARK_REQUIRE(options.workload.empty() || !options.suite_given,
                   "--suite and --workload exclude each other: a workload is a suite of one step");
  STEPMARK_REQUIRE(options.plan.empty() || !options.workload.empty(),
                   "--plan needs --workload: a suite names its own plans");
  RunConfig config;
  RunOptions resolved = options;
  load_workloads(options, config, resolved.workload);
  if (options.workload.empty()) {
    const std::string path = find_file("suites", options.suite);
    config.suite = read_suite(path);
    config.echo["suite_file"] = read_text_file(path);
  } else {
    config.suite = single_step_suite(resolved);
  }
  if (!options.budget.empty()) config.suite.budget_s = parse_seconds(options.budget);
  if (options.repeat > 0) config.suite.repeat = options.repeat;
  if (!options.precision.empty()) config.suite.precision = parse_fraction(options.precision);
  STEPMARK_REQUIRE(config.suite.budget_s > 0, "--budget must be positive");
  STEPMARK_REQUIRE(config.suite.precision > 0, "--precision must be positive");
  if (!options.cluster.empty()) {
    const std::string path = find_file("clusters", options.cluster);
    config.cluster = read_cluster(path);
    config.echo["cluster_file"] = read_text_file(path);
  }
  config.cases = expand(config.suite, world_size, config.workloads);
  keep_matching(config.cases, options.filters);
  STEPMARK_REQUIRE(!config.cases.empty(), "no case is left: --only matches none of the suite's");
  check_unique(config.cases);

  config.echo["suite"] = config.suite.name;
  config.echo["budget_s"] = config.suite.budget_s;
  config.echo["precision"] = config.suite.precision;
  config.echo["plan"] = options.plan;
  config.echo["only"] = options.filters;
  config.echo["workloads"] = nlohmann::json::object();
  for (const SuiteEntry& entry : config.suite.entries) {
    const auto* step = std::get_if<StepEntry>(&entry);
    if (step == nullptr) continue;
    const std::string source =
        step->workload == resolved.workload ? options.workload : step->workload;
    config.echo["workloads"][step->workload] = read_text_file(find_file("workloads", source));
  }
  return config;
}

}  // namespace stepmark
