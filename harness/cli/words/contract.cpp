// SPDX-License-Identifier: Apache-2.0
// The words of `contract` and of its subcommands; exit codes are those of verdicts on floors.
#include <CLI/CLI.hpp>

#include "core/units.h"
#include "harness/cli/commands.h"
#include "harness/cli/words/validators.h"
#include "harness/cli/words/words.h"

namespace stepmark {
namespace {

constexpr const char* kVerdictCodes =
    "Exit codes: 0 all floors are met, 1 a floor is not met, 2 usage or a mistake in a file,\n"
    "3 a floor is undecided or not measured.";

CLI::Validator share() { return parsed_by(parse_fraction, "SHARE"); }

void add_common(CLI::App* cmd, ContractOptionsCli& options) {
  cmd->add_flag("--accept-damaged", options.accept_damaged,
                "Read on behind lines that do not fit their hashes; what they hold is no evidence");
  cmd->add_flag("--json", options.json, "Print JSON");
}

void add_check(CLI::App& parent, ContractOptionsCli& options, Chosen& chosen) {
  CLI::App* cmd = parent.add_subcommand("check", "Hold runs against the floors of terms");
  cmd->footer(std::string("Example:\n  stepmark contract check terms.yaml nov1.smk nov2.smk\n\n") +
              kVerdictCodes);
  cmd->add_option("terms", options.terms, "TERMS.yaml")->required();
  cmd->add_option("journals", options.journals, "Journals (FILE.smk)")->required();
  add_common(cmd, options);
  cmd->callback([&] { chosen = [&] { return contract_check_command(options); }; });
}

void add_explain(CLI::App& parent, ContractOptionsCli& options, Chosen& chosen) {
  CLI::App* cmd = parent.add_subcommand(
      "explain", "Walk from a floor's verdict to its runs, their medians and samples");
  cmd->footer("Example:\n  stepmark contract explain terms.yaml all-reduce-8-nodes nov1.smk\n\n" +
              std::string(kVerdictCodes));
  cmd->add_option("terms", options.terms, "TERMS.yaml")->required();
  cmd->add_option("floor", options.floor, "Name of the floor")->required();
  cmd->add_option("journals", options.journals, "Journals (FILE.smk)")->required();
  add_common(cmd, options);
  cmd->callback([&] { chosen = [&] { return contract_explain_command(options); }; });
}

void add_credits(CLI::App& parent, ContractOptionsCli& options, Chosen& chosen) {
  CLI::App* cmd = parent.add_subcommand(
      "credits", "Credits owed over months, for outages and for floors that were not met");
  cmd->footer(
      "Runs are needed only where floors have credits; each counts in the month in which it "
      "began.\n"
      "Example:\n"
      "  stepmark contract credits terms.yaml nov*.smk --from 2026-11 --to 2027-01\n"
      "  stepmark contract credits terms.yaml --history history.db --from 2026-11\n\n"
      "Exit code 3 when runs were given and a floor's credit does not follow from them.");
  cmd->add_option("terms", options.terms, "TERMS.yaml")->required();
  cmd->add_option("journals", options.journals, "Journals (FILE.smk)");
  cmd->add_option("--from", options.from, "First month, such as 2026-12 (UTC)")->required();
  cmd->add_option("--to", options.to, "Last month, included (default: the first)");
  cmd->add_option("--history", options.history,
                  "Runs of this history too: their medians (stepmark history)");
  cmd->add_option("--place", options.place, "With --history: only runs of this cluster");
  add_common(cmd, options);
  cmd->callback([&] { chosen = [&] { return contract_credits_command(options); }; });
}

void add_propose(CLI::App& parent, ContractOptionsCli& options, Chosen& chosen) {
  CLI::App* cmd = parent.add_subcommand("propose", "Draft floors from measured runs");
  cmd->footer(
      "A floor is a quantile of run medians less a margin; a case with a single run has none.\n"
      "Example:\n"
      "  stepmark contract propose a1.smk a2.smk a3.smk --quantile 10% --margin 2% -o "
      "terms.yaml\n\n"
      "Exit code 3 when nothing can be proposed.");
  cmd->add_option("journals", options.journals, "Journals (FILE.smk)")->required();
  cmd->add_option("-o,--out", options.out, "Terms to write (default: printed)");
  cmd->add_option("--quantile", options.quantile, "Of run medians: 1% to 99%; 50% is the median")
      ->check(share())
      ->capture_default_str();
  cmd->add_option("--confidence", options.confidence, "Of the floors' verdicts: 50% to 99.9%")
      ->check(share())
      ->capture_default_str();
  cmd->add_option("--margin", options.margin, "By which a floor is less than what was reached")
      ->check(share())
      ->capture_default_str();
  cmd->add_option("--metric", options.metric, "Instead of the one that each family shows first");
  cmd->add_option("--sla", options.sla,
                  "Availability that a provider publishes (stepmark list sla), or a .yaml file");
  cmd->add_option("--only", options.only, "Only cases whose id contains one of these texts");
  cmd->add_option("--gpus-per-node", options.gpus_per_node,
                  "GPUs (or ranks) of a node, where the runs do not name their hosts")
      ->check(CLI::Range(1, 1024));
  cmd->add_flag("--accept-damaged", options.accept_damaged,
                "Read on behind lines that do not fit their hashes; what they hold is left out");
  cmd->callback([&] { chosen = [&] { return contract_propose_command(options); }; });
}

}  // namespace

void add_contract(CLI::App& app, ContractOptionsCli& options, Chosen& chosen) {
  CLI::App* cmd = app.add_subcommand("contract", "Floors, availability and credits of terms");
  cmd->footer(std::string("stepmark contract COMMAND --help says more.\n\n") + kVerdictCodes);
  cmd->require_subcommand(1);
  add_check(*cmd, options, chosen);
  add_explain(*cmd, options, chosen);
  add_credits(*cmd, options, chosen);
  add_propose(*cmd, options, chosen);
}

}  // namespace stepmark
