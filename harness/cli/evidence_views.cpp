// SPDX-License-Identifier: Apache-2.0
// Figures, verdicts and the page as the other commands make them, from runs in memory.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "core/build_info.h"
#include "core/sha256.h"
#include "harness/cli/evidence.h"
#include "harness/cli/portfolio.h"
#include "results/across/across.h"
#include "results/contract/check.h"
#include "results/families/derive.h"
#include "results/money/calendar.h"
#include "results/views/json/across_json.h"
#include "results/views/json/comparison_json.h"
#include "results/views/json/contract_json.h"
#include "results/views/json/portfolio_json.h"
#include "results/views/report/report.h"

namespace stepmark {

namespace {

// How often each word stands under `key` of the objects of a list.
using Tally = std::map<std::string, std::int64_t>;
void tally(Tally& words, const nlohmann::json& list, const char* key) {
  for (const auto& one : list) ++words[one.value(key, std::string("none"))];
}

Verdicts with_tally(nlohmann::json json, const Tally& words) {
  Verdicts out;
  out.json = std::move(json);
  std::vector<std::string> parts;
  for (const auto& [word, count] : words) {
    out.count += count;
    parts.push_back(fmt::format("{} {}", count, word));
  }
  out.summary = fmt::format("{}", fmt::join(parts, ", "));
  return out;
}

Verdicts compared(const VerdictBasis& basis) {
  std::vector<RunSide> named;
  for (const auto& side : basis.sides) {
    std::vector<std::string> files;
    for (const Run& run : side.runs) files.push_back(run.path);
    named.push_back({.label = fmt::format("{}", fmt::join(files, ",")), .runs = side.runs});
  }
  CompareOptions how;
  how.margin = basis.margin;
  auto json = to_json(compare(named, how));
  Tally words;
  for (const auto& side : json.at("sides")) {
    if (side.contains("cases")) tally(words, side["cases"], "verdict");
  }
  return with_tally(std::move(json), words);
}

std::vector<Provider> providers(const VerdictBasis& basis) {
  std::vector<NamedSide> sides;
  for (const auto& side : basis.sides) {
    sides.push_back({.name = side.name, .side = {.label = side.name, .runs = side.runs}});
  }
  return providers_of(std::move(sides));
}

// nullptr: nothing of that kind was agreed.
const std::string_view* agreed(const VerdictBasis& basis, AgreedKind kind) {
  const auto found = basis.agreed.find(kind);
  return found == basis.agreed.end() ? nullptr : &found->second;
}

std::string said_as(const VerdictBasis& basis, AgreedKind kind) {
  const auto found = basis.said_as.find(kind);
  return found == basis.said_as.end() ? agreed_file(kind) : found->second;
}

AcrossVerdicts across_verdicts(const VerdictBasis& basis) {
  const auto day = parse_day(basis.day);
  STEPMARK_REQUIRE(day.has_value(), "'{}': no day, such as 2026-11-29", basis.day);
  AcrossOptions how{.compare = {.margin = basis.margin}, .today = *day};
  if (const auto* prices = agreed(basis, AgreedKind::prices)) {
    how.prices = parse_prices(*prices, said_as(basis, AgreedKind::prices));
  }
  const Across result = across(providers(basis), how);
  AcrossVerdicts out;
  auto json = to_json(result);
  Tally words;
  for (const auto& work : json.at("works")) tally(words, work.at("pairs"), "verdict");
  out.page = json;
  out.across = with_tally(std::move(json), words);
  const auto* mix = agreed(basis, AgreedKind::mix);
  if (mix == nullptr) return out;
  STEPMARK_REQUIRE(how.prices.has_value(), "{}: a mix is allocated by prices, and there are none",
                   said_as(basis, AgreedKind::mix));
  const auto problem =
      portfolio_problem(parse_mix(*mix, said_as(basis, AgreedKind::mix)), result, *how.prices);
  out.portfolio.json = portfolio_json(problem, analyse(problem), how.prices->currency);
  out.portfolio.count = static_cast<std::int64_t>(problem.mix.workloads.size());
  out.portfolio.summary = fmt::format("{} workload{} allocated", out.portfolio.count,
                                      out.portfolio.count == 1 ? "" : "s");
  out.page["portfolio"] = out.portfolio.json;
  out.page["portfolio"]["problem"] = portfolio_problem_json(problem);
  return out;
}

// The runs that terms are held against: of providers, those of the one that the terms name.
std::vector<Run> promised_runs(const VerdictBasis& basis, const Terms& terms) {
  std::vector<Run> runs;
  if (!basis.across) {
    for (const auto& side : basis.sides) {
      runs.insert(runs.end(), side.runs.begin(), side.runs.end());
    }
    return runs;
  }
  std::vector<std::string> names;
  for (auto& one : providers(basis)) {
    if (one.name == terms.provider) return std::move(one.runs);
    names.push_back(one.name);
  }
  throw Error(ExitCode::kUsage,
              fmt::format("{}: the provider '{}' of the terms is none of those that are compared "
                          "({}): give its journals with --label '{}=FILE.smk,...'",
                          terms.file, terms.provider, fmt::join(names, ", "), terms.provider));
}

Verdicts contract_verdicts(const VerdictBasis& basis) {
  const auto* text = agreed(basis, AgreedKind::terms);
  STEPMARK_REQUIRE(text != nullptr, "no terms are in the bundle");
  Terms terms = read_terms_text(*text, said_as(basis, AgreedKind::terms));
  const auto runs = promised_runs(basis, terms);
  terms.file = agreed_file(AgreedKind::terms);  // what the bundle says depends on nobody's folders
  auto results = run_results(runs, terms);
  for (const Run& run : runs) {
    const auto content = basis.journals.find(run.path);
    if (content != basis.journals.end()) {
      add_lines(results, run.path, record_lines(content->second));
    }
  }
  auto json = to_json(check_contract(terms, results));
  Tally words;
  tally(words, json.at("floors"), "verdict");
  return with_tally(std::move(json), words);
}

// What the bundle says of its journals' files is not on it: it lies in the bundle itself.
std::string page_of(std::span<const Run> runs, const nlohmann::json& decision) {
  PageParts parts;
  parts.across = decision;
  return report_html(runs, parts);
}

}  // namespace

const EvidenceViews& evidence_views() {
  static const EvidenceViews views{.derive = derive,
                                   .page = page_of,
                                   .compare = compared,
                                   .across = across_verdicts,
                                   .contract = contract_verdicts};
  return views;
}

SealedBy sealed_by_this() {
  const auto& build = build_info();
  return {.tool_version = std::string(build.version),
          .git_revision = std::string(build.git_revision),
          .build_type = std::string(build.build_type),
          .binary_sha256 = sha256_of_file("/proc/self/exe"),
          .dirty = build.git_dirty};
}

}  // namespace stepmark
