// SPDX-License-Identifier: Apache-2.0
// The command `compare`: two or more sides against the first.
#include "results/compare/compare.h"

#include <fmt/format.h>

#include <array>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/log.h"
#include "core/output.h"
#include "core/units.h"
#include "harness/cli/commands.h"
#include "harness/cli/labelled_side.h"
#include "harness/cli/page.h"
#include "results/across/change_cost.h"
#include "results/compare/next_runs.h"
#include "results/compare/outcome.h"
#include "results/money/calendar.h"
#include "results/record/common_facts.h"
#include "results/record/json_text.h"
#include "results/views/json/change_cost_json.h"
#include "results/views/json/comparison_json.h"
#include "results/views/report/report.h"
#include "results/views/table/change_cost_table.h"
#include "results/views/table/comparison_table.h"
#include "results/views/table/text_table.h"
#include "results/views/words/next_script.h"

namespace stepmark {
namespace {

// What a side is called on the page.
std::string side_name(const std::vector<RunSide>& sides, const RunSide& side) {
  if (&side == sides.data()) return "baseline";
  return sides.size() == 2 ? std::string("candidate")
                           : fmt::format("candidate {}", &side - sides.data());
}

CompareOptions compare_options(const CompareOptionsCli& options) {
  CompareOptions how;
  how.margin = parse_fraction(options.margin);
  how.power = parse_fraction(options.power);
  how.only = options.only;
  if (!options.smallest.empty()) how.smallest = parse_fraction(options.smallest);
  if (!options.run_spread.empty()) how.run_spread = parse_fraction(options.run_spread);
  if (!options.spread_from.empty()) {
    how.history = read_side(options.spread_from, {.accept_damaged = options.accept_damaged}).runs;
  }
  how.of_nodes = options.of_nodes;
  how.allow_missing = options.allow_missing;
  return how;
}

// Sides with the provider that each belongs to: its label, else the cluster that its runs were
// given, else no name.
struct Sides {
  std::vector<RunSide> sides;
  std::vector<std::string> providers;
};

std::string cluster_of(const RunSide& side) {
  for (const Run& run : side.runs) {
    for (const Record& record : run.records) {
      if (auto cluster = record.text(facts::kCluster); !cluster.empty()) return cluster;
    }
  }
  return {};
}

Sides sides_of(const CompareOptionsCli& options) {
  const ReadOptions read{.accept_damaged = options.accept_damaged};
  STEPMARK_REQUIRE(!options.files.empty() || !options.labels.empty(),
                   "files is required: stepmark compare A.smk B.smk");
  Sides out;
  for (const std::string& word : options.labels) {
    NamedSide named = labelled_side(word, read);
    named.side.label = word;  // two sides may have one name
    out.providers.push_back(std::move(named.name));
    out.sides.push_back(std::move(named.side));
  }
  for (const std::string& file : options.files) {
    out.sides.push_back(read_side(file, read));
    out.providers.push_back(cluster_of(out.sides.back()));
  }
  return out;
}

// What each side's change costs, below its table and in the JSON.
void add_costs(const Comparison& comparison, const Sides& given, const std::string& file,
               std::string& text, nlohmann::json& json) {
  const PriceFile prices = read_prices(file);
  for (std::size_t i = 0; i < comparison.sides.size(); ++i) {
    const std::array<std::string, 2> providers{given.providers.front(), given.providers.at(i + 1)};
    const SideComparison& side = comparison.sides[i];
    const auto costs = change_costs(side, given.sides, providers, prices);
    text += fmt::format("\n{}", change_cost_table(costs, side, prices));
    json["sides"][i]["costs"] = change_costs_json(costs);
  }
  json["currency"] = prices.currency;
  json["price_remarks"] = price_remarks(prices, utc_today());
  for (const std::string& remark : price_remarks(prices, utc_today())) {
    text += wrapped(fmt::format("Note: {}", remark), 2);
  }
}

// This program, as the comparison behind further runs is to be made with it.
std::vector<std::string> same_comparison(const CompareOptionsCli& options) {
  std::error_code failed;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", failed);
  std::vector<std::string> out = {failed ? "stepmark" : self.string(), "compare"};
  const auto add = [&](const char* name, const std::string& value) {
    if (!value.empty()) out.insert(out.end(), {name, value});
  };
  add("--margin", options.margin);
  add("--smallest", options.smallest);
  add("--power", options.power);
  add("--run-spread", options.run_spread);
  add("--spread-from", options.spread_from);
  if (options.of_nodes) out.emplace_back("--of-nodes");
  if (options.allow_missing) out.emplace_back("--allow-missing");
  if (options.accept_damaged) out.emplace_back("--accept-damaged");
  return out;
}

// Undecided cases that no runs decide are cases that will not be measured.
ExitCode print_next(const Comparison& comparison, const std::vector<RunSide>& sides,
                    const CompareOptionsCli& options) {
  const NextRuns plan = next_runs(comparison, sides);
  write_stdout(next_script(plan, comparison.options, same_comparison(options)));
  return plan.groups.empty() && !plan.hopeless.empty() ? ExitCode::kNotMeasured : ExitCode::kOk;
}

}  // namespace

ExitCode compare_command(const CompareOptionsCli& options) {
  if (options.across) return across_command(options);
  const Sides given = sides_of(options);
  const std::vector<RunSide>& sides = given.sides;
  const Comparison comparison = compare(sides, compare_options(options));
  if (options.plan_next) return print_next(comparison, sides, options);
  nlohmann::json json = to_json(comparison);
  std::string text = comparison_table(comparison);
  if (!options.prices.empty()) add_costs(comparison, given, options.prices, text, json);
  write_stdout(options.json ? json_text(json, {.indent = 2}) + "\n" : text);
  if (!options.html.empty()) {
    std::vector<Run> runs;
    std::vector<std::string> owners;
    for (const RunSide& side : sides) {
      runs.insert(runs.end(), side.runs.begin(), side.runs.end());
      owners.insert(owners.end(), side.runs.size(), side_name(sides, side));
    }
    PageParts parts = page_parts(runs, options.page);
    // Sides of one run each are told apart by their files.
    if (runs.size() > sides.size()) parts.owners = std::move(owners);
    write_output_file(options.html, report_html(runs, parts));
    log_info("report: {}", options.html);
  }
  return exit_code(comparison);
}

}  // namespace stepmark
