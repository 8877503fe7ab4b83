// SPDX-License-Identifier: Apache-2.0
// Files, then options over them, then the cases of this world. Each file's text goes into the echo,
// which the journal keeps: a run can be told from another by what its files said then.
#include "harness/run/config.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "core/error.h"
#include "core/units.h"
#include "harness/backend/backends.h"
#include "harness/cases/expand.h"
#include "harness/cases/families/ablation.h"
#include "harness/cases/families/step.h"
#include "harness/cases/workload_files.h"
#include "harness/spec/data_files.h"
#include "results/families/family.h"

namespace stepmark {
namespace {

Suite single_step_suite(const RunOptions& options) {
  Suite suite;
  suite.description = "one step";
  suite.budget_s = 60;
  suite.entries.emplace_back(
      StepEntry{.workload = options.workload, .plans = {options.plan}, .place = {}});
  return suite;
}

// For each step of the suite an entry that leaves parts out of it.
void add_ablations(const std::string& parts, Suite& suite) {
  if (parts.empty()) return;
  std::vector<std::string> names;
  if (parts != "all") names = list_of(parts);
  std::vector<SuiteEntry> ablations;
  for (const SuiteEntry& entry : suite.entries) {
    const auto* step = entry.as<StepEntry>();
    if (step == nullptr) continue;
    ablations.emplace_back(AblationEntry{
        .workload = step->workload, .plans = step->plans, .parts = names, .place = step->place});
  }
  STEPMARK_REQUIRE(!ablations.empty(),
                   "--ablate leaves parts out of steps, and suite '{}' "
                   "has none",
                   suite.name);
  std::ranges::move(ablations, std::back_inserter(suite.entries));
}

bool matches(const Case& one, const std::string& filter) {
  return one.id().find(filter) != std::string::npos;
}

// A filter that finds nothing beside others that do is likely a slip: a remark.
void keep_matching(const std::vector<std::string>& filters, Expansion& expansion) {
  auto& cases = expansion.cases;
  if (filters.empty()) return;
  for (const std::string& filter : filters) {
    if (std::none_of(cases.begin(), cases.end(),
                     [&](const auto& c) { return matches(*c, filter); })) {
      expansion.remarks.push_back(fmt::format("--only '{}' matches no case", filter));
    }
  }
  std::erase_if(cases, [&](const std::unique_ptr<Case>& c) {
    return std::none_of(filters.begin(), filters.end(),
                        [&](const std::string& filter) { return matches(*c, filter); });
  });
}

void require_cases(const Expansion& expansion) {
  STEPMARK_REQUIRE(!expansion.cases.empty(), "no case is left: {}",
                   expansion.remarks.empty()
                       ? "the suite asks for nothing"
                       : fmt::format("{}", fmt::join(expansion.remarks, "; ")));
}

double repeat_over_s(const RunOptions& options, const Suite& suite) {
  if (options.repeat_over.empty()) return 0;
  const double over_s = parse_seconds(options.repeat_over);
  STEPMARK_REQUIRE(suite.repeat > 1,
                   "--repeat-over spreads repetitions, and there is one: give --repeat 3");
  STEPMARK_REQUIRE(over_s > suite.budget_s,
                   "--repeat-over {}: the budget of {} for measuring does not fit into it; lower "
                   "--budget, or leave time for the restarts between repetitions",
                   options.repeat_over, format_seconds(suite.budget_s));
  return over_s;
}

// A node with GPUs is there to train.
std::string suite_of(const RunOptions& options) {
  const bool gpus = !options.suite_given && resolve_backend(options.backend) == "cuda";
  return gpus ? "training" : options.suite;
}

}  // namespace

RunConfig make_run_config(const RunOptions& options, int world_size) {
  STEPMARK_REQUIRE(options.workload.empty() || !options.suite_given,
                   "--suite and --workload exclude each other: a workload is a suite of one step");
  STEPMARK_REQUIRE(options.plan.empty() || !options.workload.empty(),
                   "--plan needs --workload: a suite names its own plans");
  RunConfig config;
  if (options.workload.empty()) {
    const std::string path = find_file("suites", suite_of(options));
    config.suite = read_suite(path);
    config.echo["suite_file"] = read_text_file(path);
  } else {
    config.suite = single_step_suite(options);
  }
  add_ablations(options.ablate, config.suite);
  WorkloadFiles files = read_workload_files(config.suite);
  config.workloads = std::move(files.workloads);
  if (!options.workload.empty()) {
    config.suite.name =
        fmt::format("workload:{}", config.suite.entries.front().named_workload()->name);
  }
  if (!options.budget.empty()) config.suite.budget_s = parse_seconds(options.budget);
  if (options.repeat > 0) config.suite.repeat = options.repeat;
  config.repeat_over_s = repeat_over_s(options, config.suite);
  if (!options.precision.empty()) config.suite.precision = parse_fraction(options.precision);
  STEPMARK_REQUIRE(config.suite.budget_s > 0, "--budget must be positive");
  STEPMARK_REQUIRE(config.suite.precision > 0, "--precision must be positive");
  if (!options.cluster.empty()) {
    const std::string path = find_file("clusters", options.cluster);
    config.cluster = read_cluster(path);
    config.echo["cluster_file"] = read_text_file(path);
  }
  Expansion expansion = expand(config.suite, world_size, config.workloads);
  require_cases(expansion);
  keep_matching(options.filters, expansion);
  require_cases(expansion);
  config.cases = std::move(expansion.cases);
  config.remarks = std::move(expansion.remarks);

  config.echo["suite"] = config.suite.name;
  config.echo["budget_s"] = config.suite.budget_s;
  if (config.repeat_over_s > 0) config.echo["repeat_over_s"] = config.repeat_over_s;
  config.echo["precision"] = config.suite.precision;
  config.echo["plan"] = options.plan;
  if (!options.ablate.empty()) config.echo["ablate"] = options.ablate;
  config.echo["only"] = options.filters;
  if (!config.remarks.empty()) config.echo["remarks"] = config.remarks;
  config.echo["workloads"] = nlohmann::json::object();
  for (const auto& [name, path] : files.paths) {
    config.echo["workloads"][name] = read_text_file(path);
  }
  return config;
}

}  // namespace stepmark
