// SPDX-License-Identifier: Apache-2.0
// The words of `history` and of its subcommands.
#include <CLI/CLI.hpp>

#include "harness/cli/commands.h"
#include "harness/cli/words/words.h"

namespace stepmark {
namespace {

using Command = ExitCode (*)(const HistoryOptions&);

// A subcommand that calls `command`; all of them need the file.
CLI::App* add(CLI::App& history, const char* name, const char* help, Command command,
              HistoryOptions& options, Chosen& chosen) {
  CLI::App* cmd = history.add_subcommand(name, help);
  cmd->add_option("--db", options.db, "File of the history (SQLite)")->required();
  cmd->callback(
      [&options, &chosen, command] { chosen = [&options, command] { return command(options); }; });
  return cmd;
}

void add_least_effect(CLI::App& cmd, HistoryOptions& options) {
  cmd.add_option("--least-effect", options.least_effect, "Smaller changes are none, e.g. 1%")
      ->capture_default_str();
}

}  // namespace

void add_history(CLI::App& app, HistoryOptions& options, Chosen& chosen) {
  CLI::App* history =
      app.add_subcommand("history", "Keep runs over time: since when is it slower, and why");
  history->require_subcommand(1);
  history->footer(
      "Examples:\n"
      "  stepmark history add nightly.smk --db history.db\n"
      "  stepmark history check --db history.db\n"
      "  stepmark history acknowledge 3 --note \"driver 580.1 is slower\" --db history.db\n"
      "  stepmark history export --db history.db --out stepmark.prom");

  CLI::App* cmd = add(*history, "add", "Add journals; one that is there already changes nothing",
                      history_add_command, options, chosen);
  cmd->add_option("files", options.files, "Journals (FILE.smk)")->required();
  cmd->add_option("--place", options.place,
                  "Name of the cluster (default: the run's --cluster, else its host)");
  cmd->add_option("--time", options.time,
                  "When it took place, for imported results: 2026-11-29T02:00:00Z");

  cmd = add(*history, "list", "The runs of a history", history_list_command, options, chosen);
  cmd->add_option("--last", options.last, "Only so many of each suite and place, the newest")
      ->check(CLI::Range(1, 1000000));
  cmd->add_flag("--json", options.json, "Print JSON");

  cmd = add(*history, "check", "Say since which run it is slower; exit code 1 for an alarm",
            history_check_command, options, chosen);
  cmd->footer(
      "Exit code 1 when there is an alarm that nobody has acknowledged, 3 when cases that had a "
      "time\nlately have none in the newest run, else 0.");
  add_least_effect(*cmd, options);
  cmd->add_flag("--all", options.all, "Also what is acknowledged, has recovered, became faster");
  cmd->add_flag("--json", options.json, "Print JSON, of all");

  cmd = add(*history, "annotate", "Note what happened, for whoever reads an alarm",
            history_annotate_command, options, chosen);
  cmd->add_option("when", options.when, "Run id, or a time: 2026-11-29 or 2026-11-29T12:00:00Z")
      ->required();
  cmd->add_option("text", options.text, "What happened: \"driver 580.1\"")->required();

  cmd = add(*history, "acknowledge", "Silence an alarm that is understood",
            history_acknowledge_command, options, chosen);
  auto* numbers = cmd->add_option("alarms", options.alarms, "Numbers that check gave");
  cmd->add_flag("--all", options.every, "All alarms there are now")->excludes(numbers);
  cmd->add_option("--note", options.text, "Why: it is shown with the alarm");
  cmd->add_flag("--undo", options.undo, "Let it alarm again")->needs(numbers);

  cmd = add(*history, "export", "Print a history for other programs", history_export_command,
            options, chosen);
  cmd->add_option("--format", options.format, "openmetrics, json or csv")
      ->check(CLI::IsMember({"openmetrics", "json", "csv"}))
      ->capture_default_str();
  cmd->add_option("--out", options.out, "File to write (default: print it)");
  cmd->add_flag("--all", options.all, "All runs, not the newest of each suite and place alone");

  cmd = add(*history, "compact", "Give up what no verdict needs; medians stay",
            history_compact_command, options, chosen);
  cmd->add_option("--older-than", options.older_than,
                  "Keep all facts of the environment for this time, e.g. 90d")
      ->capture_default_str();
}

}  // namespace stepmark
