// SPDX-License-Identifier: Apache-2.0
// Five digits, since a floor is often missed or kept in the third.
#include "results/views/table/contract_table.h"

#include <fmt/format.h>

#include <cmath>
#include <map>
#include <set>

#include "core/units.h"
#include "results/views/table/format.h"
#include "results/views/table/text_table.h"
#include "results/views/words/contract_words.h"

namespace stepmark {
namespace {

// Five digits, and whole numbers as they are said: tokens/s go into the millions.
std::string value_text(double value) {
  if (!std::isfinite(value)) return "?";
  constexpr double kWhole = 1e4;
  constexpr double kMostWhole = 1e12;
  const double size = std::abs(value);
  return size >= kWhole && size < kMostWhole ? fmt::format("{:.0f}", value)
                                             : fmt::format("{:.5g}", value);
}

std::string bounds_text(const FloorCell& cell) {
  if (cell.runs.empty()) return kNotAvailable;
  return fmt::format("{} [{}, {}]", value_text(cell.bounds.estimate),
                     value_text(cell.bounds.lower.value), value_text(cell.bounds.upper.value));
}

std::string cell_name(const FloorCell& cell) { return cell.case_id.empty() ? "-" : cell.case_id; }

std::string size_text(const FloorCell& cell) {
  return cell.size_bytes ? format_bytes(static_cast<double>(*cell.size_bytes)) : "-";
}

std::string heading(const Terms& terms) {
  return wrapped(fmt::format("Terms {}: {} for {}, {} until {}, {} nodes of {} GPUs", terms.name,
                             terms.provider, terms.customer, day_text(terms.valid.from),
                             day_text(terms.valid.to - kDayS), terms.nodes, terms.gpus_per_node),
                 2);
}

// One line per reason, with the journals it is true of.
std::string aside_text(const FloorResult& result) {
  std::map<std::string, std::map<std::string, int>> journals;
  for (const SetAside& aside : result.aside) ++journals[aside.why][aside.run->source];
  std::string out;
  for (const auto& [why, counts] : journals) {
    std::string names;
    for (const auto& [name, count] : counts) {
      names += fmt::format("{}{}{}", names.empty() ? "" : ", ", name,
                           count > 1 ? fmt::format(" ({} runs)", count) : "");
    }
    out += wrapped(fmt::format("  set aside: {}: {}", names, why), 4);
  }
  return out;
}

std::string where_text(const FloorCell& cell) {
  return fmt::format("  {} on {} node{}: ", cell.case_id.empty() ? size_text(cell) : cell.case_id,
                     cell.nodes, cell.nodes == 1 ? "" : "s");
}

std::string reason_of(const FloorCell& cell) {
  const auto reason = cell_reason(cell);
  return reason.empty() ? reason : wrapped(where_text(cell) + reason, 4);
}

std::string kind_of(const FloorCell& cell) {
  const auto kind = provenance_text(cell);
  return kind.empty() ? kind : wrapped(where_text(cell) + kind, 4);
}

// `say_kind`: what is not measured is said of each cell, not of all together.
std::string floor_text(const FloorResult& result, bool say_kind) {
  std::string out =
      wrapped(fmt::format("{}: {}", result.floor->name, promise_text(*result.floor)), 2);
  TextTable table({{"case", Align::left},
                   {"size"},
                   {"nodes"},
                   {"runs"},
                   {fmt::format("{} [bounds]", result.floor->unit)},
                   {"bounds by", Align::left},
                   {"verdict", Align::left}});
  for (const FloorCell& cell : result.cells) {
    table.add({cell_name(cell), size_text(cell), fmt::format("{}", cell.nodes),
               fmt::format("{}", cell.runs.size()), bounds_text(cell),
               cell.runs.empty() ? "-" : method_text(cell.bounds),
               std::string(name_of(cell.verdict))});
  }
  out += table.text();
  for (const FloorCell& cell : result.cells) {
    out += reason_of(cell);
    if (say_kind) out += kind_of(cell);
  }
  return out + aside_text(result) + "\n";
}

std::string place_of(const RunResult& run) {
  return run.line > 0 ? fmt::format("{}:{}", run.source, run.line) : run.source;
}

std::string samples_text(const RunResult& run, std::size_t most) {
  const Record* record = run.record;
  if (record == nullptr || record->series.empty() || run.samples == 0) {
    return fmt::format("  {}: a summary without samples\n", place_of(run));
  }
  const Series& series = record->series.front();
  const Summary* summary = record->summary(series.name);
  const auto cut = summary != nullptr ? summary->steady_from : 0;
  std::string out =
      fmt::format("  {}, repetition {}: {} of {} samples, from number {} on, in {}:", place_of(run),
                  run.repetition, run.samples, series.values.size(), cut + 1, series.unit);
  std::size_t printed = 0;
  for (std::size_t i = static_cast<std::size_t>(cut); i < series.values.size(); ++i) {
    if (printed++ == most) {
      out += fmt::format(" ... and {} more in that line", series.values.size() - i);
      break;
    }
    out += fmt::format(" {:.6g}", series.values[i]);
  }
  return wrapped(out, 4);
}

std::string cell_explanation(const Floor& floor, const FloorCell& cell, std::size_t most) {
  std::string out = wrapped(
      fmt::format(
          "{} on {} node{}: {}. Estimate and bounds {} {}, by {}; the lower bound lies above "
          "the quantile in at most {:.3g} % of cases, the upper one below it in {:.3g} %.",
          cell.case_id.empty() ? size_text(cell) : cell.case_id, cell.nodes,
          cell.nodes == 1 ? "" : "s", name_of(cell.verdict), bounds_text(cell), floor.unit,
          method_text(cell.bounds), 100 * cell.tails.below, 100 * cell.tails.above),
      2);
  if (cell.runs.empty()) {
    return wrapped(fmt::format("{} on {} nodes: {}: {}", size_text(cell), cell.nodes,
                               name_of(cell.verdict), cell.reason),
                   2);
  }
  out += reason_of(cell) + kind_of(cell);
  TextTable table({{"run", Align::left},
                   {"repetition"},
                   {"started", Align::left},
                   {"median time"},
                   {fmt::format("{} {}", floor.metric, floor.unit)},
                   {"samples"}});
  for (const FloorEvidence& one : cell.runs) {
    const RunResult& run = *one.run;
    table.add({place_of(run), fmt::format("{}", run.repetition),
               run.started_unix_s > 0 ? moment_text(static_cast<std::int64_t>(run.started_unix_s))
                                      : "not known",
               format_time(run.median_s), value_text(*one.figure->value),
               run.samples > 0 ? fmt::format("{}", run.samples) : kNotAvailable});
  }
  out += table.text();
  for (const FloorEvidence& one : cell.runs) out += samples_text(*one.run, most);
  return out + "\n";
}

std::string month_text(const MonthCredits& month, const Terms& terms, bool say_kind) {
  const std::string& currency = terms.fee->currency;
  std::string out = wrapped(
      fmt::format("{} to {}{}: fee {} {}", day_text(month.span.from), day_text(month.span.to - 1),
                  month.whole ? "" : " (part of a month)", money_text(month.fee), currency),
      2);
  TextTable units({{"unit", Align::left},
                   {"down s"},
                   {"of s"},
                   {"uptime %"},
                   {"credit of its fee"},
                   {currency}});
  for (const UnitCredit& unit : month.units) {
    const double up = static_cast<double>(unit.period_s - unit.down_s);
    units.add({unit.unit, fmt::format("{}", unit.down_s), fmt::format("{}", unit.period_s),
               unit.period_s > 0
                   ? fmt::format("{:.4f}", 100 * up / static_cast<double>(unit.period_s))
                   : kNotAvailable,
               share_text(unit.share), money_text(unit.credit)});
  }
  if (!units.empty()) out += units.text();
  TextTable floors({{"floor", Align::left},
                    {"verdict", Align::left},
                    {"runs"},
                    {"credit of the fee"},
                    {currency}});
  for (const FloorCredit& one : month.floors) {
    floors.add(
        {one.result.floor->name, std::string(name_of(one.result.verdict)),
         fmt::format("{}", one.runs),
         one.credit ? share_text(*one.credit > 0 ? one.result.floor->credit : 0) : kNotAvailable,
         one.credit ? money_text(*one.credit) : kNotAvailable});
  }
  if (!floors.empty()) out += floors.text();
  for (const FloorCredit& one : month.floors) {
    const bool settled = one.result.verdict == FloorVerdict::not_met;
    for (const FloorCell& cell : one.result.cells) {
      if (!settled) out += reason_of(cell);
      if (say_kind) out += kind_of(cell);
    }
    if (!settled) out += aside_text(one.result);
  }
  return out +
         wrapped(fmt::format("  credits {}, cap {}: owed {} {}", money_text(month.sum),
                             money_text(month.cap), money_text(month.owed), currency),
                 4) +
         "\n";
}

}  // namespace

std::string contract_table(const ContractCheck& check) {
  std::string out = heading(*check.terms) + "\n";
  std::vector<const FloorResult*> floors;
  for (const FloorResult& result : check.floors) floors.push_back(&result);
  const std::string kind = provenance_of_all(floors);
  for (const FloorResult& result : check.floors) out += floor_text(result, kind.empty());
  if (!kind.empty()) out += wrapped(kind, 2);
  return out + wrapped(closing_text(check), 2);
}

std::string explanation(const FloorResult& result, std::size_t most_samples) {
  const Floor& floor = *result.floor;
  std::string out =
      wrapped(fmt::format("{} ({}:{}): {}. It is {}.", floor.name, floor.place.file,
                          floor.place.line, promise_text(floor), name_of(result.verdict)),
              2);
  for (const FloorCell& cell : result.cells) {
    out += fmt::format("\n{}", cell_explanation(floor, cell, most_samples));
  }
  return out + aside_text(result);
}

std::string credits_table(const CreditsOwed& credits) {
  std::string out = heading(*credits.terms) + "\n";
  std::vector<const FloorResult*> floors;
  for (const MonthCredits& month : credits.months) {
    for (const FloorCredit& one : month.floors) floors.push_back(&one.result);
  }
  const std::string kind = provenance_of_all(floors);
  for (const MonthCredits& month : credits.months) {
    out += month_text(month, *credits.terms, kind.empty());
  }
  if (!kind.empty()) out += wrapped(kind, 2);
  for (const std::string& remark : credits.remarks) {
    out += wrapped(fmt::format("Note: {}", remark), 2);
  }
  std::string open;
  if (const int count = credits.not_decided(); count > 0) {
    open = fmt::format("; {} of floors {} not decided and add{} nothing to it",
                       count == 1 ? "1 credit" : fmt::format("{} credits", count),
                       count == 1 ? "is" : "are", count == 1 ? "s" : "");
  }
  return out + wrapped(fmt::format("Owed in all: {} {}{}", money_text(credits.owed()),
                                   credits.terms->fee->currency, open),
                       2);
}

}  // namespace stepmark
