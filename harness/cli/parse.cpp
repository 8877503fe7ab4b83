// SPDX-License-Identifier: Apache-2.0
// CLI11 and nothing but CLI11: each subcommand fills an options struct and remembers what to call.
// Values are checked here with core's parsers, so that a mistake is said before anything starts; on
// one of several ranks it is told to the others, which may have understood.
#include "harness/cli/parse.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <sstream>

#include "core/build_info.h"
#include "core/output.h"
#include "core/units.h"
#include "core/utf8.h"
#include "core/yaml.h"
#include "harness/cli/commands.h"
#include "harness/cli/completion.h"
#include "harness/cli/contract_words.h"
#include "harness/cli/evidence.h"
#include "harness/cli/history_options.h"
#include "harness/measure/process_start.h"
#include "harness/run/launch.h"
#include "harness/run/run.h"
#include "harness/spec/limits.h"
#include "results/import/import.h"
#include "results/record/record.h"
#include "results/views/format/format.h"

namespace stepmark {
namespace {

constexpr const char* kExitCodes =
    "Exit codes: 0 all measured and passed, 1 a check failed, 2 usage or configuration error,\n"
    "3 some cases were not measured, 4 environment unusable.";

constexpr const char* kAcceptDamaged =
    "Read on behind lines that do not fit their hashes, and label what they hold";

// Checks a text with one of core/units' parsers while parsing the command line.
template <class Parse>
CLI::Validator parsed_by(Parse parse, const char* what) {
  return CLI::Validator(
      [parse](std::string& text) {
        try {
          (void)parse(text);
          return std::string();
        } catch (const Error& error) {
          return error.message();
        }
      },
      what);
}

// A whole number in a range, said before anything is made of it.
CLI::Validator whole(std::int64_t least, std::int64_t most) {
  return CLI::Validator(
      [least, most](std::string& text) {
        std::int64_t value = 0;
        const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), value);
        const bool good = status == std::errc{} && end == text.data() + text.size() &&
                          value >= least && value <= most;
        return good ? std::string()
                    : fmt::format("'{}': expected a whole number from {} to {}", text, least, most);
      },
      "");
}

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
  std::function<ExitCode()> chosen;

  Parser() {
    app.require_subcommand(1);
    app.set_version_flag("--version", std::string(build_info().version));
    app.footer(kExitCodes);
    add_run();
    add_steps();
    add_plan();
    add_compare();
    add_report();
    add_export();
    add_import();
    add_evidence_commands(app, seal, verify, chosen);
    add_history(app, history, chosen);
    add_contract_words(app, contract, chosen);
    add_doctor();
    add_list();
    add_completion();
  }

  void add_run() {
    CLI::App* cmd = app.add_subcommand("run", "Measure; runs as one rank, or under mpirun or srun");
    cmd->footer(
        "Examples:\n"
        "  mpirun -np 4 stepmark run --suite quick --repeat 3 --out quick.smk\n"
        "  stepmark run --workload gpt2-124m --plan seq=64,micro_batch=4 --budget 1m\n"
        "  mpirun -np 8 stepmark run --workload llama3-8b --plan tp=8,layers=2 --cluster aws-p5\n"
        "  mpirun -np 4 stepmark run --suite quick --out quick.smk --resume\n\n" +
        std::string(kExitCodes));
    cmd->add_option("--suite", run.suite, "Shipped suite or .yaml file")->capture_default_str();
    cmd->add_option("--workload", run.workload, "Measure one step of this workload instead");
    cmd->add_option("--plan", run.plan, "How the workload is spread: dp=2,tp=2,sp=on,zero=1,...");
    cmd->add_option("--cluster", run.cluster, "Shipped cluster or .yaml file: peaks for MFU");
    cmd->add_option("--backend", run.backend, "auto, host or cuda")->capture_default_str();
    cmd->add_flag("--eager", run.cases.eager,
                  "cuda: launch a step op by op instead of as one captured graph");
    cmd->add_flag(
        "--nccl-choices", run.machine.nccl_choices,
        "record which algorithm, protocol and channels NCCL chose; its log costs time, so "
        "these runs are labelled and no headline");
    cmd->add_flag("--share-gpu", run.machine.share_gpu,
                  "let ranks of a host share GPUs: checks correctness, is never performance");
    cmd->add_flag("--verify-only", run.cases.verify_only,
                  "check everything and time each case once: says what is right, not how fast");
    cmd->add_option("--repeat", run.repeat,
                    fmt::format("Measure everything this often (1 to {}), each after a restart of "
                                "the whole job, within the same budget (default: the suite's)",
                                kMaxRepetitions))
        ->check(CLI::Range(1, kMaxRepetitions));
    cmd->add_option("--repeat-over", run.repeat_over,
                    "Spread the repetitions evenly over this time, e.g. 1h, so that they meet what "
                    "changes slowly (default: one after the other)")
        ->check(parsed_by(parse_seconds, "DURATION"));
    cmd->add_option("--budget", run.budget, "Time for all cases and repetitions, e.g. 90s or 10m")
        ->check(parsed_by(parse_budget, "DURATION"));
    cmd->add_option("--precision", run.precision,
                    "Stop a case when the 95 % interval of its median is this narrow, e.g. 1%")
        ->check(parsed_by(parse_fraction, "FRACTION"));
    cmd->add_option("--only", run.filters, "Only cases whose id contains one of these texts");
    cmd->add_option("--out", run.out, "Journal to write (FILE.smk)");
    cmd->add_flag("--resume", run.resume,
                  "Go on with the journal of --out: measure what is missing")
        ->needs("--out");
    cmd->add_option("--trace", run.cases.trace_dir,
                    "Folder for a Chrome/Perfetto trace of each step");
    cmd->add_option("--case-deadline", run.case_deadline_s,
                    "Seconds after which a case without end is given up (default: from its budget)")
        ->check(deadline());
    cmd->add_option("--start-deadline", run.machine.start_deadline_s,
                    "Seconds in which all ranks must have started")
        ->check(deadline())
        ->capture_default_str();
    cmd->add_flag("--json", run.json, "Print JSON instead of tables");
    cmd->add_flag(
        "--single", run.single,
        "Measure with the ranks that MPI knows, even if the launcher says there are more");
    cmd->callback([this, cmd] {
      run.suite_given = cmd->count("--suite") > 0;
      run.words = words_of(*cmd);
      chosen = [this] { return execute_run(run); };
    });
  }

  void add_steps() {
    CLI::App* cmd = app.add_subcommand(
        "steps", "Time steps of one rank on request, for scripts that alternate with others");
    cmd->footer(
        "One JSON line in, one out:\n"
        "  {\"do\": \"prepare\", \"workload\": \"gpt2-124m\", \"plan\": "
        "\"seq=1024,precision=bf16\"}\n"
        "  {\"do\": \"step\", \"count\": 10}   so many steps without waiting in between: seconds "
        "of one\n"
        "  {\"do\": \"release\"}               its memory");
    cmd->add_option("--backend", steps.backend, "auto, host or cuda")->capture_default_str();
    cmd->callback([this] { chosen = [this] { return steps_command(steps); }; });
  }

  void add_plan() {
    CLI::App* cmd = app.add_subcommand("plan", "Say what a plan will do, or why it is impossible");
    cmd->footer(
        "Examples:\n"
        "  stepmark plan --workload llama3-70b --plan tp=8,dp=2 --ranks 16 --cluster "
        "az-nd-h100-v5\n"
        "  stepmark plan --workload tiny --plan tp=2 --ranks 4 --program 0");
    cmd->add_option("--workload", plan.workload, "Shipped workload or .yaml file")->required();
    cmd->add_option("--plan", plan.plan, "dp=2,tp=2,sp=on,zero=1,...");
    cmd->add_option("--ranks", plan.ranks, "World size")
        ->check(whole(1, kMaxRanks))
        ->capture_default_str();
    cmd->add_option("--cluster", plan.cluster, "Shipped cluster or .yaml file: does it fit?");
    cmd->add_option("--backend", plan.backend,
                    "Whose padding: auto (the cluster's, else what run takes here), host or cuda")
        ->check(CLI::IsMember({"auto", "host", "cuda"}))
        ->capture_default_str();
    cmd->add_option("--program", plan.program_of, "Print the program of this rank as text")
        ->check(whole(0, kMaxRanks - 1));
    cmd->add_flag("--json", plan.json, "Print JSON");
    cmd->callback([this] { chosen = [this] { return plan_command(plan); }; });
  }

  void add_compare() {
    CLI::App* cmd = app.add_subcommand("compare", "Compare runs with the first, with verdicts");
    cmd->footer(
        "Each argument is a side; repetitions of a side are joined by commas.\n"
        "Examples:\n"
        "  stepmark compare monday.smk tuesday.smk\n"
        "  stepmark compare a1.smk,a2.smk,a3.smk b1.smk,b2.smk,b3.smk --html compare.html\n"
        "  stepmark compare a.smk b.smk --spread-from week1.smk,week2.smk,week3.smk\n"
        "  stepmark compare --across a1.smk,a2.smk b1.smk,b2.smk --prices prices.yaml\n"
        "  stepmark compare --across --label A=a1.smk,a2.smk --label B=b1.smk,b2.smk\n\n"
        "Exit code 1 when a case of a candidate failed or is slower by more than the margin, 3 "
        "when\n"
        "one is missing or cannot be compared.");
    cmd->add_option("files", compare.files, "FILE.smk[,FILE.smk...], the first is the baseline");
    cmd->add_option("--margin", compare.margin, "Differences up to this are 'same'")
        ->check(parsed_by(parse_fraction, "FRACTION"))
        ->capture_default_str();
    cmd->add_flag("--allow-missing", compare.allow_missing,
                  "Missing cases and cases that cannot be compared are listed, but no error");
    cmd->add_flag("--accept-damaged", compare.accept_damaged, kAcceptDamaged);
    auto* stated = cmd->add_option("--run-spread", compare.run_spread,
                                   "Relative standard deviation from run to run, if you know it")
                       ->check(parsed_by(parse_fraction, "FRACTION"));
    cmd->add_option("--spread-from", compare.spread_from,
                    "A1.smk,A2.smk,...: earlier runs of one unchanged thing on this machine and "
                    "suite; what they differ by is what runs differ by")
        ->excludes(stated);
    cmd->add_option("--html", compare.html, "Write the report page of all runs too");
    auto* across = cmd->add_flag("--across", compare.across,
                                 "Providers: the same work on machines, stacks and plans that may "
                                 "differ; the best plan of each");
    cmd->add_option("--label", compare.labels,
                    "NAME=FILE.smk[,FILE.smk...]: runs of that provider; without it the cluster "
                    "that the run was given")
        ->needs(across);
    auto* prices = cmd->add_option("--prices", compare.prices,
                                   "Price file (YAML): costs and break-even prices");
    prices->needs(across);
    cmd->add_option("--portfolio", compare.portfolio,
                    "Mix of workloads (YAML): where each should run, and what that costs")
        ->needs(prices);
    cmd->add_flag("--json", compare.json, "Print JSON");
    cmd->callback([this] { chosen = [this] { return compare_command(compare); }; });
  }

  void add_report() {
    CLI::App* cmd = app.add_subcommand("report", "Show runs: tables, one HTML page, CSV");
    cmd->footer("Example:\n  stepmark report quick.smk --html report.html --csv quick.csv");
    cmd->add_option("files", report.files, "Journals (FILE.smk)")->required();
    cmd->add_option(
           "--beside", report.beside,
           "Figures of others as marks: published:NAME (stepmark list published), or a file")
        ->expected(1)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    cmd->add_flag("--accept-damaged", report.accept_damaged, kAcceptDamaged);
    for (const FileFormat& format : file_formats()) {
      cmd->add_option("--" + format.option, report.written[format.option], format.help);
    }
    cmd->add_flag("--json", report.json, "Print JSON");
    cmd->callback([this] { chosen = [this] { return report_command(report); }; });
  }

  void add_import() {
    CLI::App* cmd = app.add_subcommand("import", "Make a journal of what other benchmarks printed");
    cmd->footer(fmt::format(
        "FORMAT is one of {}; left out, it is seen from the files.\n"
        "Examples:\n"
        "  stepmark import all_reduce.log --out provider-a.smk\n"
        "  stepmark import nccl-tests old.log --collective all_gather --ranks 16 --out old.smk\n\n"
        "Exit code 1 when a tool's own check failed, 3 when a file was cut or a row has no time.",
        fmt::join(import_formats(), ", ")));
    cmd->add_option("files", import.words, "[FORMAT] and the files; of one case, repetitions")
        ->required();
    cmd->add_option("--out", import.out, "Journal to write (FILE.smk)")->required();
    cmd->add_option("--collective", import.collective,
                    "Which collective it is, where the log does not say: all_reduce, ...");
    cmd->add_option("--ranks", import.ranks,
                    "How many ranks there were, where the log does not say")
        ->check(whole(1, kMaxRanks));
    cmd->callback([this] {
      import.command = run.command;
      chosen = [this] { return import_command(import); };
    });
  }

  void add_export() {
    CLI::App* cmd = app.add_subcommand("export", "Write a run in a form that others' tools read");
    cmd->footer(
        "Example:\n  stepmark export ccl-bench run.smk --out llama3-8b-stepmark-16gpu "
        "--cluster aws-p5");
    cmd->add_option("format", exported.format,
                    "ccl-bench: a workload card and a trace per rank (arXiv 2605.06544)")
        ->required()
        ->check(CLI::IsMember({"ccl-bench"}));
    cmd->add_option("file", exported.file, "Journal (FILE.smk)")->required();
    cmd->add_option("--out", exported.out, "Folder to write: new, or empty")->required();
    cmd->add_option("--case", exported.case_id, "Which step, where the run has several");
    cmd->add_option("--cluster", exported.cluster,
                    "Whose links they were: a shipped cluster or a .yaml file");
    cmd->callback([this] { chosen = [this] { return export_command(exported); }; });
  }

  void add_doctor() {
    CLI::App* cmd = app.add_subcommand("doctor", "Check this machine before measuring on it");
    cmd->add_option("--ranks", doctor.ranks, "Ranks that shall run on this host")
        ->check(whole(1, kMaxRanks))
        ->capture_default_str();
    cmd->add_flag("--json", doctor.json, "Print JSON");
    cmd->callback([this] { chosen = [this] { return doctor_command(doctor); }; });
  }

  void add_list() {
    CLI::App* cmd = app.add_subcommand("list", "List what can be named elsewhere");
    cmd->add_option("what", list.what,
                    "workloads, suites, clusters, gpus, published, cases or backends")
        ->required()
        ->check(CLI::IsMember(
            {"workloads", "suites", "clusters", "gpus", "published", "cases", "backends"}));
    cmd->add_option("--suite", list.suite, "Suite whose cases are listed")->capture_default_str();
    cmd->add_option("--ranks", list.ranks, "World size the cases are for")
        ->check(whole(1, kMaxRanks))
        ->capture_default_str();
    cmd->add_flag("--json", list.json, "Print JSON");
    cmd->callback([this] { chosen = [this] { return list_command(list); }; });
  }

  // The long options of a command that are not among `words` yet.
  static void add_options(const CLI::App& command, std::vector<std::string>& words) {
    for (const CLI::Option* option : command.get_options()) {
      for (const std::string& name : option->get_lnames()) {
        const std::string word = "--" + name;
        if (std::find(words.begin(), words.end(), word) == words.end()) words.push_back(word);
      }
    }
  }

  void add_completion() {
    CLI::App* cmd = app.add_subcommand("completion", "Print a shell completion script");
    cmd->footer("Example:\n  source <(stepmark completion bash)");
    cmd->add_option("shell", shell, "bash or zsh")
        ->required()
        ->check(CLI::IsMember({"bash", "zsh"}));
    cmd->callback([this] {
      chosen = [this] {
        std::vector<CommandWords> commands;
        for (const CLI::App* sub : app.get_subcommands({})) {
          CommandWords words{
              .name = sub->get_name(), .help = sub->get_description(), .options = {}};
          if (words.name == "import") words.options = import_formats();
          for (const CLI::App* part : sub->get_subcommands({})) {
            words.options.push_back(part->get_name());
            add_options(*part, words.options);
          }
          add_options(*sub, words.options);
          commands.push_back(std::move(words));
        }
        write_stdout(completion_script(shell, commands));
        return ExitCode::kOk;
      };
    });
  }

  // What is wrong with the first word, when that is not a command.
  [[nodiscard]] std::string unknown_command(const std::vector<std::string>& words) const {
    if (words.empty() || words.front().substr(0, 1) == "-") return {};
    std::string known;
    for (const CLI::App* sub : app.get_subcommands({})) {
      if (sub->get_name() == words.front()) return {};
      known += (known.empty() ? "" : ", ") + sub->get_name();
    }
    return fmt::format("there is no command '{}', but: {}", words.front(), known);
  }

  // The nearest subcommand or option to a word that was not understood.
  [[nodiscard]] std::string suggestion(const std::vector<std::string>& words) const {
    const CLI::App* scope = &app;
    std::size_t depth = 0;  // words that were commands
    for (; !scope->get_subcommands().empty(); ++depth) scope = scope->get_subcommands().back();
    std::vector<std::string> commands, options;
    for (const CLI::App* sub : scope->get_subcommands({})) commands.push_back(sub->get_name());
    for (const CLI::Option* option : scope->get_options()) {
      for (const std::string& name : option->get_lnames()) options.push_back(name);
    }
    for (const std::string& word : words) {
      const bool is_option = word.starts_with("-");
      const std::size_t place = static_cast<std::size_t>(&word - words.data());
      if (!is_option && (place != depth || commands.empty())) continue;  // a value, or understood
      const std::string name = name_in(word);
      const std::string dashes = is_option ? "--" : "";
      const auto& known = is_option ? options : commands;
      const bool is_known = std::find(known.begin(), known.end(), name) != known.end();
      if (is_known && word.starts_with(dashes + name)) continue;
      const auto nearest = nearest_name(name, is_option ? not_given(options, words) : commands);
      if (!nearest.empty()) {
        return fmt::format("; did you mean '{}{}' instead of '{}'?", dashes, nearest, word);
      }
    }
    return {};
  }

  // "out" of "--out=x": what all options have in common makes none the nearer.
  [[nodiscard]] static std::string name_in(std::string_view word) {
    word.remove_prefix(std::min(word.find_first_not_of('-'), word.size()));
    return std::string(word.substr(0, word.find('=')));
  }

  // An option that is already given cannot be what was meant.
  [[nodiscard]] static std::vector<std::string> not_given(const std::vector<std::string>& options,
                                                          const std::vector<std::string>& words) {
    std::vector<std::string> free;
    std::copy_if(options.begin(), options.end(), std::back_inserter(free), [&](const auto& name) {
      return std::none_of(words.begin(), words.end(), [&](const std::string& word) {
        return word == "--" + name || word.starts_with("--" + name + "=");
      });
    });
    return free;
  }
};

}  // namespace

ExitCode parse_and_run(int argc, char** argv) {
  static_cast<void>(process_start());  // before MPI, CUDA or NCCL set variables of their own
  Parser parser;
  for (int i = 0; i < argc; ++i) parser.run.command.push_back(valid_utf8(argv[i]));
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
    const std::string unknown = parser.unknown_command(words);
    const std::string mistake =
        fmt::format("{}{} (stepmark --help shows all)", unknown.empty() ? error.what() : unknown,
                    parser.suggestion(words));
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
