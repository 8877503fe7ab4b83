// SPDX-License-Identifier: Apache-2.0
// The form `compare --across` of the command `compare`: providers against each other.
#include "results/across/across.h"

#include <nlohmann/json.hpp>

#include "core/log.h"
#include "core/output.h"
#include "core/units.h"
#include "harness/cli/commands.h"
#include "harness/cli/labelled_side.h"
#include "harness/cli/page.h"
#include "harness/cli/portfolio.h"
#include "harness/spec/data_files.h"
#include "results/money/calendar.h"
#include "results/record/json_text.h"
#include "results/views/json/across_json.h"
#include "results/views/json/portfolio_json.h"
#include "results/views/report/report.h"
#include "results/views/table/across_table.h"
#include "results/views/table/portfolio_table.h"

namespace stepmark {
namespace {

std::vector<Run> runs_of(const std::vector<Provider>& providers) {
  std::vector<Run> out;
  for (const Provider& one : providers) out.insert(out.end(), one.runs.begin(), one.runs.end());
  return out;
}

// Of each of runs_of().
std::vector<std::string> owners_of(const std::vector<Provider>& providers) {
  std::vector<std::string> out;
  for (const Provider& one : providers) out.insert(out.end(), one.runs.size(), one.name);
  return out;
}

}  // namespace

ExitCode across_command(const CompareOptionsCli& options) {
  STEPMARK_REQUIRE(options.spread_from.empty(),
                   "--spread-from belongs to comparisons of one machine with itself: leave it out "
                   "beside --across");
  const ReadOptions read{.accept_damaged = options.accept_damaged};
  std::vector<NamedSide> sides;
  for (const std::string& word : options.labels) sides.push_back(labelled_side(word, read));
  for (const std::string& file : options.files) {
    sides.push_back({.name = {}, .side = read_side(file, read)});
  }
  AcrossOptions how{.compare = {.margin = parse_fraction(options.margin)}, .today = utc_today()};
  if (!options.run_spread.empty()) how.compare.run_spread = parse_fraction(options.run_spread);
  if (!options.prices.empty()) how.prices = read_prices(find_file("prices", options.prices));
  const std::vector<Provider> providers = providers_of(std::move(sides));
  const Across result = across(providers, how);
  nlohmann::json json = to_json(result);
  nlohmann::json mix_of_page;  // what the page needs to solve it again, and programs do not
  std::string text = across_table(result);
  if (!options.portfolio.empty()) {
    const PortfolioProblem problem =
        portfolio_problem(read_mix(options.portfolio), result, *how.prices);
    const Portfolio portfolio = analyse(problem);
    json["portfolio"] = portfolio_json(problem, portfolio, how.prices->currency);
    mix_of_page = portfolio_problem_json(problem);
    text += fmt::format("\n{}", portfolio_table(problem, portfolio, how.prices->currency));
  }
  if (!options.html.empty()) {
    nlohmann::json decision = json;
    if (!mix_of_page.is_null()) {
      // A mix may name providers that nobody measured.
      std::vector<std::string> names = result.providers;
      for (const auto& one : mix_of_page["providers"]) names.push_back(one["provider"]);
      decision["prices"] = prices_json(*how.prices, how.today, names);
      decision["portfolio"]["problem"] = std::move(mix_of_page);
    }
    const std::vector<Run> runs = runs_of(providers);
    PageParts parts = page_parts(runs, options.page);
    parts.across = std::move(decision);
    parts.owners = owners_of(providers);
    write_output_file(options.html, report_html(runs, parts));
    log_info("report: {}", options.html);
  }
  write_stdout(options.json ? json_text(json, {.indent = 2}) + "\n" : text);
  return exit_code(result);
}

}  // namespace stepmark
