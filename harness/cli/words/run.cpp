// SPDX-License-Identifier: Apache-2.0
// The words of `run`. Durations and shares are checked here, before anything starts.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>

#include "core/units.h"
#include "harness/cli/words/validators.h"
#include "harness/cli/words/words.h"
#include "harness/run/run.h"
#include "harness/spec/limits.h"

namespace stepmark {
namespace {

// Seconds of a deadline: none at all would end everything, and a thread waits for them.
CLI::Validator deadline() {
  return CLI::Validator(
      [](std::string& text) {
        double value = 0;
        const bool good =
            CLI::detail::lexical_cast(text, value) && value > 0 && value <= kMaxSeconds;
        return good ? std::string()
                    : fmt::format(
                          "'{}': expected a positive number of seconds, at most {} (30 days)", text,
                          kMaxSeconds);
      },
      "");
}

double parse_budget(const std::string& text) {
  const double seconds = parse_seconds(text);
  STEPMARK_REQUIRE(seconds <= kMaxSeconds, "'{}': at most 30 days (30d) can be asked for", text);
  return seconds;
}

// What was given for each option, or its default, except for files that may have other names.
std::vector<std::pair<std::string, std::string>> words_of(const CLI::App& command) {
  std::vector<std::pair<std::string, std::string>> words;
  for (const CLI::Option* option : command.get_options()) {
    const std::string name = option->get_name();
    if (name == "--suite" || name == "--workload" || name == "--cluster") continue;
    words.emplace_back(name, option->count() > 0
                                 ? fmt::format("{}", fmt::join(option->results(), " "))
                                 : option->get_default_str());
  }
  return words;
}

}  // namespace

void add_run(CLI::App& app, RunOptions& options, Chosen& chosen) {
  CLI::App* cmd = app.add_subcommand("run", "Measure; runs as one rank, or under mpirun or srun");
  cmd->footer(
      "Examples:\n"
      "  mpirun -np 4 stepmark run --suite quick --repeat 3 --out quick.smk\n"
      "  stepmark run --workload gpt2-124m --plan seq=64,micro_batch=4 --budget 1m\n"
      "  mpirun -np 8 stepmark run --workload llama3-8b --plan tp=8,layers=2 --cluster aws-p5\n"
      "  mpirun -np 4 stepmark run --suite quick --out quick.smk --resume\n\n" +
      std::string(kExitCodes));
  cmd->add_option("--suite", options.suite,
                  "Shipped suite or .yaml file; without it GPUs run training")
      ->capture_default_str();
  cmd->add_option("--workload", options.workload, "Measure one step of this workload instead");
  cmd->add_option("--plan", options.plan, "How the workload is spread: dp=2,tp=2,sp=on,zero=1,...");
  cmd->add_option("--ablate", options.ablate,
                  "Also measure every step without these parts of it, each by itself: an axis (tp, "
                  "dp, ...), communication, compute, all-but-AXIS, joined by commas; or all");
  cmd->add_option("--cluster", options.cluster, "Shipped cluster or .yaml file: peaks for MFU");
  cmd->add_option("--backend", options.backend, "auto, host or cuda")->capture_default_str();
  cmd->add_flag("--eager", options.cases.eager,
                "cuda: launch a step op by op instead of as one captured graph");
  cmd->add_flag("--nccl-choices", options.machine.nccl_choices,
                "record which algorithm, protocol and channels NCCL chose; its log costs time, so "
                "these runs are labelled and no headline");
  cmd->add_flag("--share-gpu", options.machine.share_gpu,
                "let ranks of a host share GPUs: checks correctness, is never performance");
  cmd->add_flag("--verify-only", options.cases.verify_only,
                "check everything and time each case once: says what is right, not how fast");
  cmd->add_option("--repeat", options.repeat,
                  fmt::format("Measure everything this often (1 to {}), each after a restart of "
                              "the whole job, within the same budget (default: the suite's)",
                              kMaxRepetitions))
      ->check(CLI::Range(1, kMaxRepetitions));
  cmd->add_option("--repeat-over", options.repeat_over,
                  "Spread the repetitions evenly over this time, e.g. 1h, so that they meet what "
                  "changes slowly (default: one after the other)")
      ->check(parsed_by(parse_seconds, "DURATION"));
  cmd->add_option("--budget", options.budget, "Time for all cases and repetitions, e.g. 90s or 10m")
      ->check(parsed_by(parse_budget, "DURATION"));
  cmd->add_option("--precision", options.precision,
                  "Stop a case when the 95 % interval of its median is this narrow, e.g. 1%")
      ->check(parsed_by(parse_fraction, "FRACTION"));
  cmd->add_option("--only", options.filters, "Only cases whose id contains one of these texts");
  cmd->add_option("--out", options.out, "Journal to write (FILE.smk)");
  cmd->add_flag("--resume", options.resume,
                "Go on with the journal of --out: measure what is missing")
      ->needs("--out");
  cmd->add_option("--trace", options.cases.trace_dir,
                  "Folder for a Chrome/Perfetto trace of each step");
  cmd->add_option("--case-deadline", options.case_deadline_s,
                  "Seconds after which a case without end is given up (default: from its budget)")
      ->check(deadline());
  cmd->add_option("--start-deadline", options.machine.start_deadline_s,
                  "Seconds in which all ranks must have started")
      ->check(deadline())
      ->capture_default_str();
  cmd->add_flag("--json", options.json, "Print JSON instead of tables");
  cmd->add_flag("--single", options.single,
                "Measure with the ranks that MPI knows, even if the launcher says there are more");
  cmd->callback([&options, &chosen, cmd] {
    options.suite_given = cmd->count("--suite") > 0;
    options.words = words_of(*cmd);
    chosen = [&options] { return execute_run(options); };
  });
}

}  // namespace stepmark
