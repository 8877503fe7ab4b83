// SPDX-License-Identifier: Apache-2.0
// The one place where exceptions of a case end: it becomes a failed record, on all ranks alike. An
// error on one rank gives the others a short deadline, since they may wait for it inside the case.
#include "harness/run/one_case.h"

#include <fmt/format.h>

#include <chrono>
#include <exception>
#include <string>
#include <utility>

#include "harness/measure/sampler.h"
#include "harness/run/case_rules.h"
#include "harness/run/data_seed.h"
#include "harness/run/deadlines.h"

namespace stepmark {
namespace {

double unix_seconds() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

// A case that failed on any rank has failed; rank 0 keeps the lowest failing rank's reason.
void share_failure(Control& control, Record& record) {
  const bool failed = record.outcome == Outcome::failed;
  if (all_ranks(control, !failed)) return;
  const auto reasons = control.gather(failed ? record.reason : std::string());
  record.outcome = Outcome::failed;
  for (std::size_t rank = 0; rank < reasons.size() && record.reason.empty(); ++rank) {
    if (!reasons[rank].empty()) record.reason = fmt::format("rank {}: {}", rank, reasons[rank]);
  }
}

// What is true of every record of the run.
void label(Record& record, const CaseSettings& settings) {
  if (settings.oversubscribed) record.labels.emplace_back("oversubscribed");
  for (std::string& label : settings.machine.labels()) record.labels.push_back(std::move(label));
  if (settings.options.machine.nccl_choices) record.labels.emplace_back("NCCL log on");
  if (const std::string why = settings.machine.not_performance(); !why.empty()) {
    withhold_performance_claim(record, why);
  }
  if (settings.options.cases.verify_only) withhold_performance_claim(record, "verified only");
}

Record failure(const std::string& reason) {
  Record record;
  record.outcome = Outcome::failed;
  record.reason = reason;
  return record;
}

}  // namespace

Record measure_case(Case& one, const CaseSettings& settings, double budget_s, const Repeat& repeat,
                    RunGuard& guard, OpChecks& op_checks, const Progress& progress) {
  Control& control = settings.control;
  const RunOptions& options = settings.options;
  CaseContext context{
      .control = control,
      .world = settings.machine.world(),
      .executor = settings.machine.executor(),
      .reference = settings.reference,
      .peaks = settings.peaks,
      .rule = sampling_rule(settings.config.suite.precision, budget_s, options.cases.verify_only),
      .progress = progress,
      .seed = kDataSeed,
      .memory_limit_bytes = settings.machine.memory_bytes(),
      .telemetry = settings.machine.telemetry(),
      .op_checks = &op_checks,
      .links = &settings.links,
      .options = options.cases};
  context.options.trace_dir = repeat.trace_dir(options.cases.trace_dir);
  const double begin = steady_clock_seconds();
  const double started = unix_seconds();
  Record record;
  try {
    record = one.run(context);
  } catch (const std::exception& error) {
    // Others may be waiting inside the case for this rank. If they do not arrive here soon, this
    // rank's deadline ends the job.
    guard.expect(
        fmt::format("{} (after an error on rank {}: {})", one.id(), control.rank(), error.what()),
        kFailureGrace);
    record = failure(error.what());
  }
  share_failure(control, record);
  record.case_id = one.id();
  record.repetition = repeat.current();
  record.family = std::string(one.family());
  record.started_unix_s = started;
  record.wall_s = steady_clock_seconds() - begin;
  label(record, settings);
  return record;
}

}  // namespace stepmark
