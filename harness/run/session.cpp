// SPDX-License-Identifier: Apache-2.0
// The command `run`: start the job, measure case by case, keep everything, print the tables.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <string_view>
#include <thread>
#include <unordered_set>

#include "core/log.h"
#include "core/output.h"
#include "core/rng.h"
#include "core/together.h"
#include "core/units.h"
#include "harness/backend/backends.h"
#include "harness/backend/openmpi_leftovers.h"
#include "harness/backend/resources.h"
#include "harness/cases/common.h"
#include "harness/cli/commands.h"
#include "harness/run/agreement.h"
#include "harness/run/case_rules.h"
#include "harness/run/config.h"
#include "harness/run/device_peaks.h"
#include "harness/run/guard.h"
#include "harness/run/header.h"
#include "harness/run/launch.h"
#include "harness/run/ledger.h"
#include "harness/run/library_stderr.h"
#include "harness/run/peers.h"
#include "harness/run/progress.h"
#include "harness/run/repeat.h"
#include "harness/run/signals.h"
#include "results/record/journal_limits.h"
#include "results/record/json_text.h"
#include "results/table/table.h"

namespace stepmark {
namespace {

constexpr double kMinCaseBudget = 0.5;     // seconds
constexpr double kDeadlineFactor = 10.0;   // a case may take this often its budget ...
constexpr double kDeadlineBase = 120.0;    // ... and this for set-up and checks
constexpr double kFailureGrace = 15.0;     // for other ranks to notice a failure
constexpr std::uint64_t kSeed = 20240229;  // of all synthetic data

class RunSession {
 public:
  // `repeat` outlives the session and may start the next one.
  RunSession(const RunOptions& options, Repeat& repeat) : options_(options), repeat_(repeat) {}

  ExitCode execute() {
    const Launch& launch = own_launch();
    remove_own_leftovers();
    guard_.expect("start of the job (MPI_Init)", options_.start_deadline_s);
    if (repeat_.continued() && !repeat_.state().journal.empty()) {
      guard_.keep(repeat_.state().journal);  // on rank 0
    }
    {
      const StartWatch watch(repeat_);
      job_ = make_job();
    }
    try {
      check_launch(launch);
      const ExitCode code = measure();
      guard_.conclude(code);
      return code;
    } catch (const QuietStop& stop) {
      guard_.conclude(stop.code);
      return stop.code;
    } catch (const std::exception& error) {
      job_->abandon();
      const auto* own = dynamic_cast<const Error*>(&error);
      give_up(error.what(), own != nullptr ? own->code() : ExitCode::kEnvironment);
      throw;
    }
  }

 private:
  // A run under way that cannot go on, such as with a full disk: what has no result gets a line,
  // as far as it can be written, and the message says where the run was.
  void give_up(const std::string& reason, ExitCode code) {
    const std::string message = guard_.last_words(reason);
    const std::string kept = guard_.end_journal(message, code);
    if (kept.empty()) return;
    log_error("{}; {}", message, kept);
    guard_.conclude(code);
    throw QuietStop{code};
  }

  Control& control() { return job_->control(); }
  [[nodiscard]] bool is_root() { return control().rank() == 0; }

  void check_launch(const Launch& launch) {
    if (options_.single || !options_.mistake.empty()) return;
    const std::string mpi = job_facts().front().value;
    const std::string wrong = launch_disagreement(launch, control().size(), control().rank(),
                                                  mpi.substr(0, mpi.find(',')));
    if (!wrong.empty()) throw Error(ExitCode::kEnvironment, wrong);
  }

  // Reads the configuration and compares it, and everything else that must be equal, between ranks.
  void agree() {
    FlatConfig notes = program_notes();
    std::exception_ptr mistake;
    try {
      if (!options_.mistake.empty()) throw Error(ExitCode::kUsage, options_.mistake);
      (void)resolve_backend(options_.backend);
      config_ = make_run_config(options_, control().size());
    } catch (const Error& error) {
      mistake = std::current_exception();
      notes.emplace_back(kReady, error.what());
    }
    if (!mistake) append_notes(notes);
    compare_notes(control(), notes);
    // The same mistake on all ranks.
    together(control(), [&] {
      if (mistake) std::rethrow_exception(mistake);
    });
  }

  void append_notes(FlatConfig& notes) const {
    notes.emplace_back(kReady, "yes");
    for (const auto& [name, value] : options_.words) notes.emplace_back("option " + name, value);
    for (auto& one : flatten_config(config_.echo)) notes.push_back(std::move(one));
    for (std::size_t i = 0; i < config_.cases.size(); ++i) {
      notes.emplace_back(fmt::format("case {}", i + 1), config_.cases[i]->id());
    }
  }

  ExitCode measure() {
    agree();
    peers_.emplace(control());
    guard_.watch(&*peers_);
    resources_ = share_resources(control());
    guard_.expect("opening the devices of the ranks", options_.start_deadline_s);
    machine_ = open_machine(options_.backend, *job_,
                            {.resources = resources_,
                             .share_gpu = options_.share_gpu,
                             .nccl_choices = options_.nccl_choices,
                             .deadline_s = options_.start_deadline_s});
    reference_ = device_peaks(control(), config_.cluster, machine_->found());
    const bool exclusive = all_ranks(control(), machine_->exclusive());
    open_journal();
    if (is_root()) announce();
    guard_.expect("measuring the device's peaks", kDeadlineBase);
    // Ranks that take turns on a core or a GPU have no peaks of their own: rooflines are then N/A.
    const bool timed = exclusive && !options_.verify_only;
    if (!todo_.empty() && timed) peaks_ = probe_peaks(control(), machine_->executor());
    peaks_.cache_bytes = machine_->cache_bytes();
    const ExitCode code = repeat_.worst(run_cases());
    guard_.expect("end of the run", kDeadlineBase);
    if (!repeat_.is_last() && !stopped_early_) {
      repeat_.prepare_next(control(), path_, code);
      return code;
    }
    together(control(), [&] {
      if (is_root()) finish(code);
    });
    guard_.disarm();
    return results_written_ ? code : ExitCode::kEnvironment;
  }

  // Rank 0 creates or continues the journal and tells the others what is to be measured.
  void open_journal() {
    RunHeader header =
        make_run_header(options_, config_, *job_, *machine_, *peers_, resources_);  // collective
    std::string list;
    together(control(), [&] {
      if (!is_root()) return;
      path_ = repeat_.continued()    ? repeat_.state().journal
              : options_.out.empty() ? default_journal_name(config_.suite.name)
                                     : options_.out;
      std::set<std::string> done;
      std::optional<Run> before;
      const bool exists =
          std::filesystem::is_regular_file(path_) && std::filesystem::file_size(path_) > 0;
      const bool goes_on = (options_.resume || repeat_.continued()) && exists;
      if (goes_on) {
        before = read_journal(path_);
        repeat_.plan(&*before,
                     options_.repeat > 0 ? config_.suite.repeat : before->header.repetitions);
        done = cases_to_keep(*before, header, repeat_.current());
        if (repeat_.continued()) header.run_id = before->header.run_id;
      } else {
        if (options_.resume && !std::filesystem::is_directory(path_)) {
          log_warning("--resume: there is no journal '{}' yet; starting a new one", path_);
        }
        repeat_.plan(nullptr, config_.suite.repeat);
      }
      header.repetitions = repeat_.asked();
      STEPMARK_REQUIRE(
          config_.cases.size() * static_cast<std::size_t>(repeat_.asked()) <= kMaxCases,
          "{} cases, {} times: at most {} results fit into a journal; split the suite",
          config_.cases.size(), repeat_.asked(), kMaxCases);
      if (repeat_.continued()) header.repetition = repeat_.current();
      std::vector<Ledger::Item> items;
      for (const auto& one : config_.cases) {
        if (done.contains(one->id())) continue;
        list += one->id() + "\n";
        items.push_back(item(*one, repeat_.current()));
      }
      std::vector<Ledger::Item> later = items_of_later_repetitions(before);
      JournalWriter journal =
          goes_on ? JournalWriter::append(path_, header) : JournalWriter::create(path_, header);
      ledger_.emplace(std::move(journal), std::move(items), std::move(later));
      if (!options_.trace_dir.empty()) {
        std::filesystem::create_directories(repeat_.trace_dir(options_.trace_dir));
      }
    });
    repeat_.share(control());
    if (ledger_) guard_.keep(&*ledger_);
    list = control().broadcast(list);
    std::unordered_set<std::string> ids;
    std::istringstream lines(list);
    for (std::string id; std::getline(lines, id);) ids.insert(id);
    for (const auto& one : config_.cases) {
      if (ids.contains(one->id())) todo_.push_back(one.get());
    }
  }

  static Ledger::Item item(const Case& one, int repetition) {
    return {.id = one.id(), .family = std::string(one.family()), .repetition = repetition};
  }

  // Without what has a line already: being interrupted again and again adds none.
  [[nodiscard]] std::vector<Ledger::Item> items_of_later_repetitions(
      const std::optional<Run>& before) const {
    const auto known = before ? before->by_repetition() : Run::ByRepetition{};
    std::vector<Ledger::Item> items;
    for (const int repetition : repeat_.planned().subspan(1)) {
      for (const auto& one : config_.cases) {
        if (!known.contains({one->id(), repetition})) items.push_back(item(*one, repetition));
      }
    }
    return items;
  }

  void announce() const {
    const std::string name = repeat_.name();
    log_info("{}suite {}: {} cases on {} ranks, {} compute threads per rank, budget {}{}",
             name.empty() ? "" : name + ": ", config_.suite.name, todo_.size(),
             job_->control().size(), resources_.compute_threads,
             format_seconds(config_.suite.budget_s),
             repeat_.asked() > 1 ? " for all repetitions" : "");
    if (repeat_.continued()) return;  // said before the first repetition
    for (const auto* remarks : {&config_.remarks, &resources_.remarks}) {
      for (const std::string& remark : *remarks) log_warning("{}", remark);
    }
  }

  ExitCode run_cases() {
    ProgressLine progress(is_root(), todo_.size(), repeat_.name());
    double weight_left = 0;
    for (const Case* one : todo_) weight_left += one->weight();
    const double run_start = steady_clock_seconds();
    repeat_.spread(config_.repeat_over_s);
    budget_s_ = repeat_.budget_s(config_.suite.budget_s);
    bool check_failed = false;
    bool missing = false;
    for (std::size_t i = 0; i < todo_.size(); ++i) {
      Case* one = todo_[i];
      const double left = budget_s_ - (steady_clock_seconds() - run_start);
      const double share =
          std::max(kMinCaseBudget, left * one->weight() / std::max(1e-9, weight_left));
      weight_left -= one->weight();
      const CaseStart start = start_case(share);
      if (start.asked_by >= 0) {
        missing = true;
        stop_early(start, i, check_failed ? ExitCode::kCheckFailed : ExitCode::kNotMeasured);
        break;
      }
      const double budget = start.budget_s;
      progress.begin(one->id());
      if (ledger_) ledger_->begin(one->id());
      guard_.expect_case(one->id(), options_.case_deadline_s > 0
                                        ? options_.case_deadline_s
                                        : kDeadlineBase + kDeadlineFactor * budget);
      Record record = run_case(*one, budget, run_start, progress);
      together(control(), [&] {
        if (!is_root()) return;
        if (record.outcome == Outcome::ok) derive(record);
        ledger_->finish(record);
        guard_.keep(&*ledger_);
      });
      guard_.passed(one->id(), i + 1 < todo_.size() ? todo_[i + 1]->id() : "");
      progress.end(record);
      check_failed = check_failed || failed_check(record);
      missing = missing || record.outcome != Outcome::ok;
    }
    // Another repetition is a new process, which does not know what this one was asked.
    if (!stopped_early_ && !repeat_.is_last()) {
      if (const CaseStart next = pause(); next.asked_by >= 0) {
        missing = true;
        stop_early(next, todo_.size(),
                   check_failed ? ExitCode::kCheckFailed : ExitCode::kNotMeasured);
      }
    }
    const ExitCode own = check_failed ? ExitCode::kCheckFailed
                         : missing    ? ExitCode::kNotMeasured
                                      : ExitCode::kOk;
    return static_cast<ExitCode>(static_cast<int>(shared_value(static_cast<double>(own))));
  }

  struct CaseStart {
    double budget_s;
    int asked_by;  // the rank that was asked to finish; -1: none
    int signal;
  };

  // Before each case, in one exchange: rank 0's budget, and whether any rank was asked to finish.
  CaseStart start_case(double share) {
    const int signal = guard_.asked_to_finish();
    std::array<double, 3> shared{is_root() ? share : 0.0, signal != 0 ? control().rank() : -1.0,
                                 static_cast<double>(signal)};
    control().max_in_place(shared);
    return {shared[0], static_cast<int>(shared[1]), static_cast<int>(shared[2])};
  }

  // Until the next repetition begins; asks once a second whether a rank was asked to finish.
  CaseStart pause() {
    const double until = steady_clock_seconds() + repeat_.pause_s();
    while (true) {
      const CaseStart next = start_case(until - steady_clock_seconds());
      if (next.asked_by >= 0 || next.budget_s <= 0) return next;
      guard_.expect("the pause before the next repetition", next.budget_s + kDeadlineBase);
      std::this_thread::sleep_for(std::chrono::duration<double>(std::min(1.0, next.budget_s)));
    }
  }

  // The rest of the cases are not measured; the run then ends as any other, with its tables.
  void stop_early(const CaseStart& start, std::size_t done, ExitCode code) {
    stopped_early_ = true;
    const std::string last = done > 0 ? fmt::format("after case '{}'", todo_[done - 1]->id()) : "";
    const std::string next = done < todo_.size()
                                 ? fmt::format("before case '{}'", todo_[done]->id())
                                 : "before the next repetition";
    const std::string place = last + (last.empty() ? "" : ", ") + next;
    if (!ledger_) return;
    const std::string reason = fmt::format("rank {} received {}; stopped {}", start.asked_by,
                                           signal_name(start.signal), place);
    log_error("{}; {}", reason, ledger_->give_up(reason, code));
  }

  // Rank 0's value everywhere.
  double shared_value(double value) {
    return std::stod(control().broadcast(fmt::format("{:.17g}", value)));
  }

  static bool failed_check(const Record& record) {
    return record.outcome == Outcome::failed &&
           std::any_of(record.checks.begin(), record.checks.end(),
                       [](const Check& check) { return !check.passed; });
  }

  Record run_case(Case& one, double budget, double run_start, ProgressLine& progress) {
    const double begin = steady_clock_seconds();
    CaseContext context{
        .control = control(),
        .world = machine_->world(),
        .executor = machine_->executor(),
        .reference = reference_,
        .peaks = peaks_,
        .rule = sampling_rule(config_.suite.precision, budget, options_.verify_only),
        .progress = {},
        .seed = kSeed,
        .memory_limit_bytes = machine_->memory_bytes(),
        .trace_dir = repeat_.trace_dir(options_.trace_dir),
        .capture = !options_.eager,
        .telemetry = machine_->telemetry(),
        .op_checks = &op_checks_,
        .verify_only = options_.verify_only};
    context.progress = [&](int samples, double half_width) {
      progress.update(samples, half_width, budget_s_ - (steady_clock_seconds() - run_start));
    };
    Record record;
    const double started =
        std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
    try {
      record = one.run(context);
    } catch (const std::exception& error) {
      // Others may be waiting inside the case for this rank. If they do not arrive here soon, this
      // rank's deadline ends the job.
      guard_.expect(fmt::format("{} (after an error on rank {}: {})", one.id(), control().rank(),
                                error.what()),
                    kFailureGrace);
      record = {};
      record.outcome = Outcome::failed;
      record.reason = error.what();
    }
    share_failure(record);
    record.case_id = one.id();
    record.repetition = repeat_.current();
    record.family = std::string(one.family());
    record.started_unix_s = started;
    record.wall_s = steady_clock_seconds() - begin;
    if (resources_.oversubscribed) record.labels.emplace_back("oversubscribed");
    for (std::string& label : machine_->labels()) record.labels.push_back(std::move(label));
    if (options_.nccl_choices) record.labels.emplace_back("NCCL log on");
    if (const std::string why = machine_->not_performance(); !why.empty()) {
      withhold_performance_claim(record, why);
    }
    if (options_.verify_only) withhold_performance_claim(record, "verified only");
    return record;
  }

  // A case that failed on any rank has failed; rank 0 keeps the lowest failing rank's reason.
  void share_failure(Record& record) {
    const bool failed = record.outcome == Outcome::failed;
    std::array<double, 1> any{failed ? 1.0 : 0.0};
    control().max_in_place(any);
    if (any[0] == 0.0) return;
    const auto reasons = control().gather(failed ? record.reason : std::string());
    record.outcome = Outcome::failed;
    for (std::size_t rank = 0; rank < reasons.size() && record.reason.empty(); ++rank) {
      if (!reasons[rank].empty()) record.reason = fmt::format("rank {}: {}", rank, reasons[rank]);
    }
  }

  void finish(ExitCode code) {
    ledger_->close(code);
    const Run run = read_journal(path_);
    const std::string text =
        options_.json ? json_text(run_json(run), {.indent = 2}) + "\n" : run_table(run);
    std::unordered_set<std::string_view> without;
    for (const Record& record : run.records) {
      const auto& labels = record.labels;
      if (std::find(labels.begin(), labels.end(), kTraceNotWritten) != labels.end()) {
        without.insert(record.case_id);
      }
    }
    const auto traceless = std::count_if(
        todo_.begin(), todo_.end(), [&](const Case* one) { return without.contains(one->id()); });
    if (traceless > 0) {
      results_written_ = false;
      log_error("traces of {} cases could not be written; their times are in the journal",
                traceless);
    }
    print(text);
    log_info("journal: {}", path_);
    if (repeat_.asked() == 1 && code != ExitCode::kCheckFailed) {
      log_info(
          "one repetition says nothing about how much runs differ: --repeat 3 measures it, and "
          "compare needs it");
    }
  }

  // The run is over and kept: what becomes of its table costs no measurement.
  void print(const std::string& text) {
    try {
      write_stdout(text);
    } catch (const OutputClosed&) {  // `run | head`: the reader has seen what it wanted
    } catch (const Error& error) {
      results_written_ = false;
      log_error("{}; the journal is whole: stepmark report {}", error.message(), path_);
    }
  }

  const RunOptions& options_;
  Repeat& repeat_;
  double budget_s_ = 0;  // of this repetition
  std::optional<Peers> peers_;
  std::optional<Ledger> ledger_;
  RunGuard guard_;
  std::unique_ptr<Job> job_;
  Resources resources_;
  RunConfig config_;
  std::string path_;
  bool results_written_ = true;
  bool stopped_early_ = false;  // as a signal asked
  std::vector<Case*> todo_;
  std::unique_ptr<Machine> machine_;
  PeakReference reference_;
  DevicePeaks peaks_;
  OpChecks op_checks_;
};

}  // namespace

ExitCode run_command(const RunOptions& options) {
  Repeat repeat;
  ExitCode code = ExitCode::kOk;
  {
    const LibraryStderr folded;  // before the session's threads, and put back before a restart
    code = RunSession(options, repeat).execute();  // MPI has ended behind it
  }
  if (repeat.prepared()) repeat.start_next();
  return code;
}

}  // namespace stepmark
