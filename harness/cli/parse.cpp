// SPDX-License-Identifier: Apache-2.0
// The program's words are those of its commands (harness/cli/words): each fills an options struct
// and remembers what to call. A mistake on one of several ranks is told to the others, which may
// have understood.
#include "harness/cli/parse.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <sstream>

#include "core/build_info.h"
#include "core/output.h"
#include "core/utf8.h"
#include "harness/cli/evidence.h"
#include "harness/cli/history_options.h"
#include "harness/cli/options.h"
#include "harness/cli/suggestion.h"
#include "harness/cli/words/validators.h"
#include "harness/cli/words/words.h"
#include "harness/measure/process_start.h"
#include "harness/run/launch.h"
#include "harness/run/run.h"

namespace stepmark {
namespace {

struct Parser {
  CLI::App app{
      "stepmark measures how fast a cluster runs the parallel LLM training step, and says "
      "how sure it is.",
      "stepmark"};
  RunOptions run;
  StepsOptions steps;
  PlanOptions plan;
  CompareOptionsCli compare;
  ReportOptions report;
  ExportOptions exported;
  ImportOptionsCli import;
  SealOptionsCli seal;
  VerifyOptionsCli verify;
  HistoryOptions history;
  ContractOptionsCli contract;
  DoctorOptions doctor;
  ListOptions list;
  std::string shell;
  Chosen chosen;

  Parser() {
    app.require_subcommand(1);
    app.set_version_flag("--version", std::string(build_info().version));
    app.footer(kExitCodes);
    add_run(app, run, chosen);
    add_steps(app, steps, chosen);
    add_plan(app, plan, chosen);
    add_compare(app, compare, chosen);
    add_report(app, report, chosen);
    add_export(app, exported, chosen);
    add_import(app, import, chosen);
    add_evidence(app, seal, verify, chosen);
    add_history(app, history, chosen);
    add_contract(app, contract, chosen);
    add_doctor(app, doctor, chosen);
    add_list(app, list, chosen);
    add_completion(app, shell, chosen);
  }
};

}  // namespace

ExitCode parse_and_run(int argc, char** argv) {
  static_cast<void>(process_start());  // before MPI, CUDA or NCCL set variables of their own
  Parser parser;
  for (int i = 0; i < argc; ++i) parser.run.command.push_back(valid_utf8(argv[i]));
  parser.import.command = parser.run.command;
  try {
    parser.app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == static_cast<int>(CLI::ExitCodes::Success)) {
      std::ostringstream text;  // --help, --version
      static_cast<void>(parser.app.exit(error, text));
      write_stdout(text.str());
      return ExitCode::kOk;
    }
    const std::vector<std::string> words(argv + 1, argv + argc);
    const std::string unknown = unknown_command(parser.app, words);
    const std::string mistake =
        fmt::format("{}{} (stepmark --help shows all)", unknown.empty() ? error.what() : unknown,
                    suggestion(parser.app, words));
    // Other ranks may have understood their words and wait for this one.
    if (words.empty() || words.front() != "run" || !own_launch().several()) {
      throw Error(ExitCode::kUsage, mistake);
    }
    parser.run.mistake = mistake;
    return execute_run(parser.run);
  }
  return parser.chosen();
}

}  // namespace stepmark
