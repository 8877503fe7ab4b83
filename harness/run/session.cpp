// SPDX-License-Identifier: Apache-2.0
// Each phase has its deadline before it begins. Ranks agree on every decision that leads to a
// collective call; an error of one rank reaches the others as QuietStop or by the guard.
#include "harness/run/session.h"

#include <fmt/format.h>

#include <exception>
#include <utility>

#include "core/log.h"
#include "core/together.h"
#include "core/units.h"
#include "harness/backend/backends.h"
#include "harness/backend/openmpi_leftovers.h"
#include "harness/run/agreement.h"
#include "harness/run/deadlines.h"
#include "harness/run/device_peaks.h"
#include "harness/run/header.h"
#include "harness/run/show_results.h"

namespace stepmark {

ExitCode RunSession::execute() {
  const Launch& launch = own_launch();
  remove_own_leftovers();
  guard_.expect("start of the job (MPI_Init)", options_.machine.start_deadline_s);
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

void RunSession::give_up(const std::string& reason, ExitCode code) {
  const std::string message = guard_.last_words(reason);
  const std::string kept = guard_.end_journal(message, code);
  if (kept.empty()) return;
  log_error("{}; {}", message, kept);
  guard_.conclude(code);
  throw QuietStop{code};
}

void RunSession::check_launch(const Launch& launch) {
  if (options_.single || !options_.mistake.empty()) return;
  const std::string mpi = job_facts().front().value;
  const std::string wrong =
      launch_disagreement(launch, control().size(), control().rank(), mpi.substr(0, mpi.find(',')));
  if (!wrong.empty()) throw Error(ExitCode::kEnvironment, wrong);
}

void RunSession::agree() {
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

void RunSession::append_notes(FlatConfig& notes) const {
  notes.emplace_back(kReady, "yes");
  for (const auto& [name, value] : options_.words) notes.emplace_back("option " + name, value);
  for (auto& one : flatten_config(config_.echo)) notes.push_back(std::move(one));
  for (std::size_t i = 0; i < config_.cases.size(); ++i) {
    notes.emplace_back(fmt::format("case {}", i + 1), config_.cases[i]->id());
  }
}

ExitCode RunSession::measure() {
  agree();
  open_devices();
  journal_ = open_journal(control(), options_, config_,
                          make_run_header(options_, config_, *job_, *machine_, *peers_, resources_),
                          repeat_);
  if (journal_.run_journal) guard_.keep(journal_.run_journal.get());
  if (is_root()) announce();
  find_peaks();
  CaseLoop loop({.control = control(),
                 .machine = *machine_,
                 .options = options_,
                 .config = config_,
                 .oversubscribed = resources_.oversubscribed,
                 .reference = reference_,
                 .peaks = peaks_,
                 .links = links_},
                repeat_, guard_, journal_.run_journal.get());
  const ExitCode code = repeat_.worst(loop.run(journal_.todo));
  guard_.expect("end of the run", kDeadlineBase);
  if (!repeat_.is_last() && !loop.stopped_early()) {
    repeat_.prepare_next(control(), journal_.path, code);
    return code;
  }
  bool shown = true;
  together(control(), [&] {
    if (!is_root()) return;
    journal_.run_journal->close(code);
    shown = show_results(journal_, options_, repeat_.asked() == 1, code);
  });
  guard_.disarm();
  return shown ? code : ExitCode::kEnvironment;
}

void RunSession::open_devices() {
  peers_.emplace(control());
  guard_.watch(&*peers_);
  resources_ = share_resources(control());
  guard_.expect("opening the devices of the ranks", options_.machine.start_deadline_s);
  machine_ = open_machine(options_.backend, *job_, resources_, options_.machine);
  reference_ = device_peaks(control(), config_.cluster, machine_->found());
  links_ = link_reference(config_.cluster, peers_->hosts());
}

void RunSession::announce() const {
  const std::string name = repeat_.name();
  log_info("{}suite {}: {} cases on {} ranks, {} compute threads per rank, budget {}{}",
           name.empty() ? "" : name + ": ", config_.suite.name, journal_.todo.size(),
           job_->control().size(), resources_.compute_threads,
           format_seconds(config_.suite.budget_s),
           repeat_.asked() > 1 ? " for all repetitions" : "");
  if (repeat_.continued()) return;  // said before the first repetition
  for (const auto* remarks : {&config_.remarks, &resources_.remarks}) {
    for (const std::string& remark : *remarks) log_warning("{}", remark);
  }
}

void RunSession::find_peaks() {
  guard_.expect("measuring the device's peaks", kDeadlineBase);
  // Ranks that take turns on a core or a GPU have no peaks of their own: rooflines are then N/A.
  const bool exclusive = all_ranks(control(), machine_->exclusive());
  const bool timed = exclusive && !options_.cases.verify_only;
  if (!journal_.todo.empty() && timed) peaks_ = probe_peaks(control(), machine_->executor());
  peaks_.cache_bytes = machine_->cache_bytes();
}

}  // namespace stepmark
