// SPDX-License-Identifier: Apache-2.0
// The commands; `run` is harness/run/run.h. Each prints its result to stdout and returns the exit
// code; mistakes are thrown.
#pragma once

#include "core/error.h"
#include "harness/cli/history_options.h"
#include "harness/cli/options.h"

namespace stepmark {

[[nodiscard]] ExitCode steps_command(const StepsOptions& options);
[[nodiscard]] ExitCode plan_command(const PlanOptions& options);
[[nodiscard]] ExitCode compare_command(const CompareOptionsCli& options);
// Its form --across.
[[nodiscard]] ExitCode across_command(const CompareOptionsCli& options);
[[nodiscard]] ExitCode report_command(const ReportOptions& options);
[[nodiscard]] ExitCode export_command(const ExportOptions& options);
[[nodiscard]] ExitCode import_command(const ImportOptionsCli& options);
[[nodiscard]] ExitCode history_add_command(const HistoryOptions& options);
[[nodiscard]] ExitCode history_list_command(const HistoryOptions& options);
[[nodiscard]] ExitCode history_check_command(const HistoryOptions& options);
[[nodiscard]] ExitCode history_annotate_command(const HistoryOptions& options);
[[nodiscard]] ExitCode history_acknowledge_command(const HistoryOptions& options);
[[nodiscard]] ExitCode history_export_command(const HistoryOptions& options);
[[nodiscard]] ExitCode history_compact_command(const HistoryOptions& options);
[[nodiscard]] ExitCode contract_check_command(const ContractOptionsCli& options);
[[nodiscard]] ExitCode contract_explain_command(const ContractOptionsCli& options);
[[nodiscard]] ExitCode contract_credits_command(const ContractOptionsCli& options);
[[nodiscard]] ExitCode contract_propose_command(const ContractOptionsCli& options);
[[nodiscard]] ExitCode doctor_command(const DoctorOptions& options);
[[nodiscard]] ExitCode list_command(const ListOptions& options);

}  // namespace stepmark
