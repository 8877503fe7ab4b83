// SPDX-License-Identifier: Apache-2.0
// The words of `compare`, in both its forms: like for like, and --across.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>

#include "core/units.h"
#include "harness/cli/commands.h"
#include "harness/cli/words/validators.h"
#include "harness/cli/words/words.h"

namespace stepmark {
namespace {

// What further runs shall decide, beside the comparison or in its place.
void add_next(CLI::App& cmd, CompareOptionsCli& options, CLI::Option* across) {
  const auto fraction = parsed_by(parse_fraction, "FRACTION");
  cmd.add_flag("--plan-next", options.plan_next,
               "Print the runs that would decide what is undecided, as commands for sh: both sides "
               "take turns")
      ->excludes(across)
      ->excludes("--json")
      ->excludes("--html");
  cmd.add_option("--power", options.power,
                 "Share of comparisons in which further runs are to decide")
      ->check(fraction)
      ->capture_default_str()
      ->excludes(across);
  cmd.add_option("--smallest", options.smallest,
                 "Smallest difference that further runs are to find (default: twice the margin, 2 "
                 "% at least)")
      ->check(fraction)
      ->excludes(across);
  cmd.add_flag("--of-nodes", options.of_nodes,
               "Nodes are what is compared: what they differ by is a difference and no error")
      ->excludes(across);
  cmd.add_option("--only", options.only, "Only cases whose id contains one of these texts")
      ->allow_extra_args(false)
      ->excludes(across);
}

// A difference that shall be found is no `same`: the margin gives way where it is not stated.
void set_margin(CompareOptionsCli& options) {
  if (!options.margin.empty()) return;
  constexpr double kMargin = 0.02;
  const double smallest = options.smallest.empty() ? 2 * kMargin : parse_fraction(options.smallest);
  options.margin = fmt::format("{:.12g}%", 100 * std::min(kMargin, smallest / 2));
}

}  // namespace

void add_compare(CLI::App& app, CompareOptionsCli& options, Chosen& chosen) {
  CLI::App* cmd = app.add_subcommand("compare", "Compare runs with the first, with verdicts");
  cmd->footer(
      "Each argument is a side; repetitions of a side are joined by commas.\n"
      "Examples:\n"
      "  stepmark compare monday.smk tuesday.smk\n"
      "  stepmark compare a1.smk,a2.smk,a3.smk b1.smk,b2.smk,b3.smk --html compare.html\n"
      "  stepmark compare a.smk b.smk --spread-from week1.smk,week2.smk,week3.smk\n"
      "  stepmark compare a.smk b.smk --plan-next | sh\n"
      "  stepmark compare --label aws=may.smk --label aws=june.smk --prices prices.yaml\n"
      "  stepmark compare --across a1.smk,a2.smk b1.smk,b2.smk --prices prices.yaml\n"
      "  stepmark compare --across --label A=a1.smk,a2.smk --label B=b1.smk,b2.smk\n\n"
      "Exit code 1 when a case of a candidate failed or is slower by more than the margin, 3 "
      "when\n"
      "one is missing or cannot be compared.");
  cmd->add_option("files", options.files, "FILE.smk[,FILE.smk...], the first is the baseline");
  cmd->add_option(
         "--margin", options.margin,
         "Differences up to this are 'same' (default: 2 %, and half of --smallest at most)")
      ->check(parsed_by(parse_fraction, "FRACTION"));
  cmd->add_flag("--allow-missing", options.allow_missing,
                "Missing cases and cases that cannot be compared are listed, but no error");
  cmd->add_flag("--accept-damaged", options.accept_damaged, kAcceptDamaged);
  auto* stated = cmd->add_option("--run-spread", options.run_spread,
                                 "Relative standard deviation from run to run, if you know it")
                     ->check(parsed_by(parse_fraction, "FRACTION"));
  cmd->add_option("--spread-from", options.spread_from,
                  "A1.smk,A2.smk,...: earlier runs of one unchanged thing on this machine and "
                  "suite; what they differ by is what runs differ by")
      ->excludes(stated);
  cmd->add_option("--html", options.html, "Write the report page of all runs too");
  add_page_words(*cmd, options.page);
  auto* across = cmd->add_flag("--across", options.across,
                               "Providers: the same work on machines, stacks and plans that may "
                               "differ; the best plan of each");
  cmd->add_option("--label", options.labels,
                  "NAME=FILE.smk[,FILE.smk...]: a side, or with --across runs of that provider; "
                  "without it the cluster that the run was given");
  auto* prices =
      cmd->add_option("--prices", options.prices,
                      "Price file (YAML): costs and break-even prices; without --across what the "
                      "change of each step costs, sides being named by --label");
  cmd->add_option("--portfolio", options.portfolio,
                  "Mix of workloads (YAML): where each should run, and what that costs")
      ->needs(prices)
      ->needs(across);
  cmd->add_flag("--json", options.json, "Print JSON");
  add_next(*cmd, options, across);
  cmd->callback([&options, &chosen] {
    set_margin(options);
    chosen = [&options] { return compare_command(options); };
  });
}

}  // namespace stepmark
