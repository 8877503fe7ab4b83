// SPDX-License-Identifier: Apache-2.0
// The commands of `contract`: journals and terms in, verdicts, credits or a draft out.
#include <fmt/format.h>

#include <chrono>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>

#include "core/log.h"
#include "core/output.h"
#include "core/units.h"
#include "harness/cli/commands.h"
#include "harness/spec/data_files.h"
#include "results/contract/check.h"
#include "results/contract/credits.h"
#include "results/contract/propose.h"
#include "results/contract/service_level.h"
#include "results/families/read_journal.h"
#include "results/history/history.h"
#include "results/history/kept_runs.h"
#include "results/record/journal_lines.h"
#include "results/record/json_text.h"
#include "results/views/json/contract_json.h"
#include "results/views/table/contract_table.h"
#include "results/views/words/terms_draft.h"

namespace stepmark {
namespace {

// Journals and what they say; results point into runs.
struct Evidence {
  std::vector<Run> runs;
  std::vector<RunResult> results;
};

std::vector<Run> read_runs(const ContractOptionsCli& options,
                           std::vector<RecordLines>* lines = nullptr) {
  std::vector<Run> runs;
  for (const std::string& file : options.journals) {
    const std::string content = read_journal_file(file);
    runs.push_back(parse_journal(content, file, {.accept_damaged = options.accept_damaged}));
    if (lines != nullptr) lines->push_back(record_lines(content));
    for (const std::string& warning : runs.back().warnings) log_warning("{}: {}", file, warning);
  }
  return runs;
}

// `lines` of the first runs, which are journals.
std::vector<RunResult> results_of(const std::vector<Run>& runs,
                                  const std::vector<RecordLines>& lines, const Terms& terms) {
  std::vector<RunResult> out = run_results(runs, terms);
  for (std::size_t i = 0; i < lines.size(); ++i) add_lines(out, runs[i].path, lines[i]);
  return out;
}

Evidence read_evidence(const ContractOptionsCli& options, const Terms& terms) {
  Evidence out;
  std::vector<RecordLines> lines;
  out.runs = read_runs(options, &lines);
  out.results = results_of(out.runs, lines, terms);
  return out;
}

// Says how many there were. A run whose journal is given counts by its journal, which has more.
std::string add_kept_runs(const ContractOptionsCli& options, const MonthRange& months,
                          std::vector<Run>& runs) {
  const TimeSpan span{.from = month_of(months.first).from, .to = month_of(months.last).to};
  std::set<std::string> known;
  for (const Run& run : runs) known.insert(run.header.run_id);
  const History history(options.history, History::Open::existing);
  std::size_t added = 0;
  std::size_t given = 0;
  for (Run& run : kept_runs(history, {.from = span.from, .to = span.to, .place = options.place})) {
    if (known.contains(run.header.run_id)) {
      ++given;
      continue;
    }
    ++added;
    runs.push_back(std::move(run));
  }
  return fmt::format("{}: {} run{} began from {} until {}{}", options.history, added,
                     added == 1 ? "" : "s", day_text(span.from), day_text(span.to - kDayS),
                     given == 0 ? "" : fmt::format(", and {} whose journals are given", given));
}

void show(const ContractOptionsCli& options, const nlohmann::json& json, const std::string& text) {
  write_stdout(options.json ? json_text(json, {.indent = 2}) + "\n" : text);
}

std::int64_t now() {
  const auto since = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::seconds>(since).count();
}

double share_in(const std::string& text, const char* option, double least, double most) {
  const double value = parse_fraction(text);
  STEPMARK_REQUIRE(value >= least && value <= most, "{} {}: expected {}% to {}%", option, text,
                   100 * least, 100 * most);
  return value;
}

}  // namespace

ExitCode contract_check_command(const ContractOptionsCli& options) {
  const Terms terms = read_terms(options.terms);
  STEPMARK_REQUIRE(!terms.floors.empty(),
                   "{}: the terms have no 'floors', so there is nothing to "
                   "check; credits for outages: stepmark contract credits",
                   options.terms);
  const Evidence evidence = read_evidence(options, terms);
  const ContractCheck check = check_contract(terms, evidence.results);
  show(options, to_json(check), contract_table(check));
  return exit_code(check);
}

ExitCode contract_explain_command(const ContractOptionsCli& options) {
  const Terms terms = read_terms(options.terms);
  const Floor* floor = terms.find(options.floor);
  if (floor == nullptr) {
    std::vector<std::string> names;
    for (const Floor& one : terms.floors) names.push_back(one.name);
    throw Error(ExitCode::kUsage, fmt::format("{}: there is no floor '{}'{}", options.terms,
                                              options.floor, nearest_hint(options.floor, names)));
  }
  const Evidence evidence = read_evidence(options, terms);
  ContractCheck check{.terms = &terms};
  check.floors.push_back(check_floor(*floor, {.span = terms.valid}, evidence.results));
  show(options, explanation_json(check.floors.front()), explanation(check.floors.front()));
  return exit_code(check);
}

ExitCode contract_credits_command(const ContractOptionsCli& options) {
  const Terms terms = read_terms(options.terms);
  const MonthRange months =
      parse_months(options.from, options.to.empty() ? options.from : options.to);
  STEPMARK_REQUIRE(options.place.empty() || !options.history.empty(),
                   "--place is of a history: give --history FILE too");
  Evidence evidence;
  std::vector<RecordLines> lines;
  evidence.runs = read_runs(options, &lines);
  std::string remark;
  if (!options.history.empty()) remark = add_kept_runs(options, months, evidence.runs);
  evidence.results = results_of(evidence.runs, lines, terms);
  CreditsOwed credits = credits_owed(terms, evidence.results, months, now());
  if (!remark.empty()) credits.remarks.push_back(std::move(remark));
  show(options, to_json(credits), credits_table(credits));
  const bool runs_given = !options.journals.empty() || !options.history.empty();
  return runs_given && credits.not_decided() > 0 ? ExitCode::kNotMeasured : ExitCode::kOk;
}

ExitCode contract_propose_command(const ContractOptionsCli& options) {
  const ProposeOptions how{.quantile = share_in(options.quantile, "--quantile", 0.01, 0.99),
                           .confidence = share_in(options.confidence, "--confidence", 0.5, 0.999),
                           .margin = share_in(options.margin, "--margin", 0, 0.5),
                           .gpus_per_node = options.gpus_per_node,
                           .metric = options.metric,
                           .filters = options.only};
  std::error_code ignored;
  STEPMARK_REQUIRE(options.out.empty() || !std::filesystem::is_regular_file(options.out, ignored),
                   "{}: exists already: choose another --out", options.out);
  const std::string availability =
      options.sla.empty() ? ""
                          : service_level_yaml(read_service_level(find_file("sla", options.sla)));
  const std::vector<Run> runs = read_runs(options);
  const Proposal proposal = propose(runs, how);
  for (const std::string& why : proposal.left_out) log_warning("left out: {}", why);
  const std::string text = terms_yaml(proposal) + availability;
  static_cast<void>(read_terms_text(text, "the draft"));  // what is written can be read
  if (options.out.empty()) {
    write_stdout(text);
  } else {
    write_output_file(options.out, text);
    log_info("{}: {} floors from {} journals", options.out, proposal.floors.size(), runs.size());
  }
  return ExitCode::kOk;
}

}  // namespace stepmark
