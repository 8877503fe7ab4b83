// SPDX-License-Identifier: Apache-2.0
// The command `export`: a run in a form that other benchmarks' tools read.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

#include "core/log.h"
#include "core/output.h"
#include "harness/cli/commands.h"
#include "harness/spec/cluster.h"
#include "harness/spec/data_files.h"
#include "harness/spec/workload.h"
#include "results/families/read_journal.h"
#include "results/families/step.h"
#include "results/views/ccl_bench/ccl_bench.h"

namespace stepmark {
namespace {

namespace fs = std::filesystem;

// The step that is asked for; the only one where none is.
const Record& step_of(const Run& run, const std::string& wanted) {
  std::vector<std::string> ids;
  const Record* found = nullptr;
  for (const Record& record : run.records) {
    if (record.family != facts::step::kFamily || record.outcome != Outcome::ok) continue;
    if (!wanted.empty() && record.case_id != wanted) {
      ids.push_back(record.case_id);
      continue;
    }
    ids.push_back(record.case_id);
    if (found == nullptr) found = &record;
  }
  STEPMARK_REQUIRE(!ids.empty(), "{}: has no measured step to export", run.path);
  STEPMARK_REQUIRE(found != nullptr, "{}: has no step '{}'; it has {}", run.path, wanted,
                   fmt::join(ids, ", "));
  STEPMARK_REQUIRE(!wanted.empty() || ids.size() == 1, "{}: has {} steps; say which: --case {}",
                   run.path, ids.size(), fmt::join(ids, " | "));
  return *found;
}

// Of the workload's file, where the record's is one that is known and has as many parameters.
std::optional<CclBenchModel> model_of(const Record& step) {
  const std::string name = step.text(facts::step::kWorkload);
  for (const Workload& workload : shipped_workloads()) {
    if (workload.name != name) continue;
    const Model& model = workload.model;
    if (static_cast<double>(model.parameters()) != step.number(facts::step::kParameters)) break;
    return CclBenchModel{.family = name,
                         .parameters = model.parameters(),
                         .embedding_parameters = model.vocab * model.hidden,
                         .layers = model.layers,
                         .heads = model.heads,
                         .head_dim = model.head_dim};
  }
  return std::nullopt;
}

std::optional<CclBenchCluster> cluster_of(const std::string& name) {
  if (name.empty()) return std::nullopt;
  constexpr double kBits = 8;
  const Cluster cluster = read_cluster(find_file("clusters", name));
  return CclBenchCluster{.topology = cluster.name,
                         .scale_out_gbit_per_s = kBits * cluster.scale_out_gb_per_s,
                         .scale_up_gbit_per_s = kBits * cluster.scale_up_gb_per_s,
                         .per_node = cluster.accelerators_per_node};
}

}  // namespace

ExitCode export_command(const ExportOptions& options) {
  const Run run = read_journal(options.file);
  const Record& step = step_of(run, options.case_id);
  const auto model = model_of(step);
  auto files = ccl_bench_traces(step);
  files["workload_card.yaml"] = ccl_bench_card(run, step, model, cluster_of(options.cluster));
  std::error_code error;
  fs::create_directories(options.out, error);
  STEPMARK_REQUIRE(!error, "cannot make the folder '{}': {}", options.out, error.message());
  // A trace of other ranks beside these would be counted with them.
  STEPMARK_REQUIRE(fs::is_empty(options.out, error) && !error,
                   "{}: is not empty: choose another --out", options.out);
  for (const auto& [name, text] : files) {
    write_output_file((fs::path(options.out) / name).string(), text);
  }
  log_info("{}: card and {} traces of {}", options.out, files.size() - 1, step.case_id);
  if (!model) log_warning("the workload is none of the shipped: the card lacks its dims");
  if (options.cluster.empty()) log_warning("no --cluster: the card lacks topology and link rates");
  return ExitCode::kOk;
}

}  // namespace stepmark
