// SPDX-License-Identifier: Apache-2.0
// The grammar, a file per command or family of commands: each adds its words to the program's, and
// when it is the chosen one leaves what to call in `chosen`. Values stay in `options`, which must
// outlive `app`, as must `chosen`. A new command is its file here, its line here, and one in
// harness/cli/parse.cpp.
#pragma once

#include <functional>
#include <string>

#include "core/error.h"

namespace CLI {
class App;
}

namespace stepmark {

struct CompareOptionsCli;
struct ContractOptionsCli;
struct DoctorOptions;
struct ExportOptions;
struct HistoryOptions;
struct ImportOptionsCli;
struct ListOptions;
struct PageOptions;
struct PlanOptions;
struct ReportOptions;
struct RunOptions;
struct SealOptionsCli;
struct StepsOptions;
struct VerifyOptionsCli;

using Chosen = std::function<ExitCode()>;

void add_run(CLI::App& app, RunOptions& options, Chosen& chosen);
void add_steps(CLI::App& app, StepsOptions& options, Chosen& chosen);
void add_plan(CLI::App& app, PlanOptions& options, Chosen& chosen);
void add_compare(CLI::App& app, CompareOptionsCli& options, Chosen& chosen);
// What a command's page shows beside the runs; after its option --html.
void add_page_words(CLI::App& cmd, PageOptions& options);
void add_report(CLI::App& app, ReportOptions& options, Chosen& chosen);
void add_export(CLI::App& app, ExportOptions& options, Chosen& chosen);
void add_import(CLI::App& app, ImportOptionsCli& options, Chosen& chosen);
// `seal` and `verify`.
void add_evidence(CLI::App& app, SealOptionsCli& seal, VerifyOptionsCli& verify, Chosen& chosen);
void add_history(CLI::App& app, HistoryOptions& options, Chosen& chosen);
void add_contract(CLI::App& app, ContractOptionsCli& options, Chosen& chosen);
void add_doctor(CLI::App& app, DoctorOptions& options, Chosen& chosen);
void add_list(CLI::App& app, ListOptions& options, Chosen& chosen);
// Of all commands that `app` has when the script is asked for.
void add_completion(CLI::App& app, std::string& shell, Chosen& chosen);

}  // namespace stepmark
