// SPDX-License-Identifier: Apache-2.0
// The form `compare --across` of the command `compare`: providers against each other.
#include "results/across/across.h"

#include <nlohmann/json.hpp>

#include "core/output.h"
#include "core/units.h"
#include "harness/cli/commands.h"
#include "results/money/calendar.h"
#include "results/record/json_text.h"
#include "results/views/json/across_json.h"
#include "results/views/table/across_table.h"

namespace stepmark {
namespace {

// NAME=FILE.smk[,FILE.smk...].
NamedSide labelled(const std::string& word, const ReadOptions& read) {
  const auto equals = word.find('=');
  STEPMARK_REQUIRE(equals != std::string::npos && equals > 0 && equals + 1 < word.size(),
                   "--label '{}': expected NAME=FILE.smk[,FILE.smk...]", word);
  return {.name = word.substr(0, equals), .side = read_side(word.substr(equals + 1), read)};
}

}  // namespace

ExitCode across_command(const CompareOptionsCli& options) {
  STEPMARK_REQUIRE(options.spread_from.empty() && options.html.empty(),
                   "--spread-from and --html belong to comparisons of one machine with itself: "
                   "leave them out beside --across");
  const ReadOptions read{.accept_damaged = options.accept_damaged};
  std::vector<NamedSide> sides;
  for (const std::string& word : options.labels) sides.push_back(labelled(word, read));
  for (const std::string& file : options.files) {
    sides.push_back({.name = {}, .side = read_side(file, read)});
  }
  AcrossOptions how{.compare = {.margin = parse_fraction(options.margin)}, .today = utc_today()};
  if (!options.run_spread.empty()) how.compare.run_spread = parse_fraction(options.run_spread);
  if (!options.prices.empty()) how.prices = read_prices(options.prices);
  const Across result = across(providers_of(std::move(sides)), how);
  write_stdout(options.json ? json_text(to_json(result), {.indent = 2}) + "\n"
                            : across_table(result));
  return exit_code(result);
}

}  // namespace stepmark
