// SPDX-License-Identifier: Apache-2.0
// The command `list`: what can be named elsewhere.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <nlohmann/json.hpp>
#include <set>

#include "core/log.h"
#include "core/output.h"
#include "core/units.h"
#include "harness/backend/backends.h"
#include "harness/cases/suite.h"
#include "harness/cli/beside.h"
#include "harness/cli/commands.h"
#include "harness/run/config.h"
#include "harness/spec/data_files.h"
#include "results/contract/service_level.h"
#include "results/import/published.h"
#include "results/money/calendar.h"
#include "results/money/prices.h"
#include "results/record/json_text.h"
#include "results/views/table/text_table.h"

namespace stepmark {
namespace {

using Rows = std::vector<std::vector<std::string>>;

Rows workload_rows() {
  Rows rows{{"workload", "parameters", "layers", "hidden", "default plan", "description"}};
  for (const Workload& w : shipped_workloads()) {
    rows.push_back({w.name, format_count(static_cast<double>(w.model.parameters())),
                    std::to_string(w.model.layers), std::to_string(w.model.hidden), brief_plan(w),
                    w.description});
  }
  return rows;
}

Rows suite_rows() {
  Rows rows{{"suite", "budget", "precision", "description"}};
  for (const std::string& name : shipped("suites")) {
    const Suite suite = read_suite(find_file("suites", name));
    rows.push_back({suite.name, format_seconds(suite.budget_s),
                    fmt::format("{:g} %", 100 * suite.precision), suite.description});
  }
  return rows;
}

Rows cluster_rows() {
  Rows rows{{"cluster", "provider", "accelerator", "per node", "bf16 TFLOP/s", "scale-out GB/s"}};
  for (const std::string& name : shipped("clusters")) {
    const Cluster c = read_cluster(find_file("clusters", name));
    rows.push_back({c.name, c.provider, c.accelerator, std::to_string(c.accelerators_per_node),
                    c.peaks.bf16 ? fmt::format("{:g}", *c.peaks.bf16) : "N/A",
                    c.scale_out_gb_per_s > 0 ? fmt::format("{:g}", c.scale_out_gb_per_s) : "N/A"});
  }
  return rows;
}

Rows gpu_rows() {
  Rows rows{{"gpu", "driver's name", "memory", "bf16 TFLOP/s", "fp8 TFLOP/s", "memory TB/s",
             "NVLink GB/s", "at W"}};
  const auto shown = [](double value) { return value > 0 ? fmt::format("{:g}", value) : "N/A"; };
  for (const KnownGpu& gpu : shipped_gpus()) {
    rows.push_back({gpu.name, fmt::format("{}", fmt::join(gpu.driver_names, ", ")),
                    gpu.memory.text(), shown(gpu.peaks.bf16.value_or(0)),
                    shown(gpu.peaks.fp8.value_or(0)), shown(gpu.memory_tb_per_s),
                    shown(gpu.nvlink_gb_per_s), shown(gpu.power_w)});
  }
  return rows;
}

Rows published_rows() {
  Rows rows{{"published", "figures", "sources", "families"}};
  for (const std::string& name : shipped("published")) {
    const Run run = read_beside("published:" + name);
    std::set<std::string> families, sources;
    for (const Record& record : run.records) {
      families.insert(record.family);
      sources.insert(record.text(facts::published::kSource));
    }
    rows.push_back({name, std::to_string(run.records.size()), std::to_string(sources.size()),
                    fmt::format("{}", fmt::join(families, ", "))});
  }
  return rows;
}

Rows price_rows() {
  Rows rows{{"prices", "provider", "kind", "per GPU-hour", "date", "region", "verified"}};
  for (const std::string& name : shipped("prices")) {
    const PriceFile file = read_prices(find_file("prices", name));
    for (const ProviderPrices& provider : file.providers) {
      for (const Price& price : provider.prices) {
        rows.push_back({name, provider.provider, std::string(name_of(price.kind)),
                        fmt::format("{:.4g} {}", price.per_gpu_hour, file.currency),
                        to_text(price.date), price.region, price.verified ? "yes" : "no"});
      }
    }
  }
  return rows;
}

Rows sla_rows() {
  Rows rows{
      {"sla", "provider", "service", "scope", "availability", "credits", "read on", "verified"}};
  for (const std::string& name : shipped("sla")) {
    const ServiceLevel one = read_service_level(find_file("sla", name));
    const auto objective = static_cast<double>(one.objective.value_or(0)) / (kWhole / 100.0);
    rows.push_back({one.name, one.provider, one.service, one.scope,
                    one.objective ? fmt::format("{:g} %", objective) : "not found",
                    one.tiers.empty() ? "not known" : fmt::format("{} tiers", one.tiers.size()),
                    one.date, one.verified ? "yes" : "no"});
  }
  return rows;
}

Rows case_rows(const ListOptions& options) {
  RunOptions run;
  run.suite = options.suite;
  run.suite_given = true;
  Rows rows{{"case", "family"}};
  const RunConfig config = make_run_config(run, options.ranks);
  for (const std::string& remark : config.remarks) log_warning("{}", remark);
  for (const auto& one : config.cases) {
    rows.push_back({one->id(), std::string(one->family())});
  }
  return rows;
}

Rows backend_rows() {
  Rows rows{{"backend", "usable", "description"}};
  for (const Backend& backend : built_backends()) {
    rows.push_back({backend.name, backend.unusable.empty() ? "yes" : "no: " + backend.unusable,
                    backend.describes});
  }
  return rows;
}

std::string as_table(const Rows& rows) {
  std::vector<TextTable::Column> columns;
  for (const std::string& title : rows.front()) {
    columns.push_back({.title = title, .align = Align::left});
  }
  TextTable table(std::move(columns));
  for (std::size_t i = 1; i < rows.size(); ++i) table.add(rows[i]);
  return table.text();
}

std::string as_json(const Rows& rows) {
  nlohmann::json all = nlohmann::json::array();
  for (std::size_t i = 1; i < rows.size(); ++i) {
    nlohmann::json row;
    for (std::size_t k = 0; k < rows[i].size(); ++k) row[rows.front()[k]] = rows[i][k];
    all.push_back(std::move(row));
  }
  return json_text(all, {.indent = 2}) + "\n";
}

}  // namespace

ExitCode list_command(const ListOptions& options) {
  Rows rows;
  if (options.what == "workloads") rows = workload_rows();
  if (options.what == "suites") rows = suite_rows();
  if (options.what == "clusters") rows = cluster_rows();
  if (options.what == "gpus") rows = gpu_rows();
  if (options.what == "prices") rows = price_rows();
  if (options.what == "sla") rows = sla_rows();
  if (options.what == "published") rows = published_rows();
  if (options.what == "cases") rows = case_rows(options);
  if (options.what == "backends") rows = backend_rows();
  const std::string text = options.json ? as_json(rows) : as_table(rows);
  write_stdout(text);
  return ExitCode::kOk;
}

}  // namespace stepmark
