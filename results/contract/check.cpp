// SPDX-License-Identifier: Apache-2.0
// A floor becomes cells: one per case, size and node count that it names, and none for what it does
// not name. "Met" needs every cell, so each may use the whole error (intersection-union, Berger,
// Technometrics 24, 1982); for "not met" one is enough, so they share it (Bonferroni).
#include "results/contract/check.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "results/contract/floor_match.h"

namespace stepmark {
namespace {

struct CellKey {
  std::optional<std::int64_t> size;
  std::int64_t nodes;
};

std::vector<CellKey> keys_of(const Floor& floor) {
  std::vector<CellKey> out;
  std::vector<std::optional<std::int64_t>> sizes(floor.sizes.begin(), floor.sizes.end());
  if (sizes.empty()) sizes.emplace_back();
  for (const auto& size : sizes) {
    for (const std::int64_t nodes : floor.nodes) out.push_back({.size = size, .nodes = nodes});
  }
  return out;
}

bool in_cell(const CellKey& key, const RunResult& result) {
  return result.nodes == key.nodes && (!key.size || result.size_bytes == key.size);
}

// Mean over the runs of the relative variance that their own samples explain: of a 95 % interval.
double within_sd_of(const std::vector<FloorEvidence>& runs) {
  constexpr double kWidth = 2 * 1.959964;  // of a normal's 95 % range, in standard deviations
  double sum = 0;
  for (const FloorEvidence& one : runs) {
    const RunFigure& figure = *one.figure;
    if (!figure.lower || !figure.upper || !(*figure.lower > 0)) continue;
    const double width = std::log(*figure.upper / *figure.lower) / kWidth;
    if (std::isfinite(width)) sum += width * width;
  }
  return runs.empty() ? 0 : std::sqrt(sum / static_cast<double>(runs.size()));
}

// What is measured of its case, for a cell of which nothing is.
std::string measured_elsewhere(const Floor& floor, std::span<const RunResult> results) {
  std::set<std::pair<std::int64_t, std::int64_t>> found;  // size, nodes
  for (const RunResult& result : results) {
    if (has_case_of(floor, result) && result.unusable.empty() && result.nodes) {
      found.emplace(result.size_bytes.value_or(0), *result.nodes);
    }
  }
  if (found.empty()) return "no run has its case";
  std::vector<std::string> texts;
  for (const auto& [size, nodes] : found) {
    if (texts.size() == 6) {
      texts.push_back(fmt::format("{} more", found.size() - texts.size()));
      break;
    }
    texts.push_back(size > 0 && !floor.sizes.empty() ? fmt::format("{} B on {} nodes", size, nodes)
                                                     : fmt::format("{} nodes", nodes));
  }
  return fmt::format("runs have its case for {}, from which nothing follows for it",
                     fmt::join(texts, ", "));
}

// Runs of one provenance: measured ones where there are any; others are never counted beside them.
std::vector<FloorEvidence> of_one_provenance(const std::vector<FloorEvidence>& runs,
                                             std::vector<SetAside>& aside) {
  Provenance kept = Provenance::imported;
  for (const FloorEvidence& one : runs) kept = std::min(kept, one.run->provenance);
  std::vector<FloorEvidence> out;
  for (const FloorEvidence& one : runs) {
    if (one.run->provenance == kept) {
      out.push_back(one);
    } else {
      aside.push_back({.run = one.run,
                       .why = fmt::format("it is {}, beside {} runs", name_of(one.run->provenance),
                                          name_of(kept))});
    }
  }
  return out;
}

std::string why_undecided(const Floor& floor, const FloorCell& cell, std::size_t runs) {
  if (runs < 2) return "one run does not say what runs differ by";
  const bool lower = cell.bounds.lower.method != BoundMethod::none;
  const bool upper = cell.bounds.upper.method != BoundMethod::none;
  if (!lower && !upper) {
    return runs < 3 ? "two runs are too few for a bound"
                    : "its runs do not differ at all, so that nothing tells their spread, and they "
                      "are too few for order statistics";
  }
  return fmt::format("the {} may lie on either side of it",
                     floor.quantile == 0.5 ? "median" : "quantile");
}

FloorCell judged_cell(const Floor& floor, const CellKey& key, std::string id,
                      std::vector<FloorEvidence> runs, std::size_t cells) {
  std::vector<double> figures;
  for (const FloorEvidence& one : runs) figures.push_back(*one.figure->value);
  const double within_sd = within_sd_of(runs);
  FloorCell cell = judge(floor, figures, within_sd, cells);
  if (cell.verdict == FloorVerdict::undecided) {
    cell.further_runs = further_values(figures, floor.value, floor.quantile, cell.tails, within_sd);
  }
  cell.case_id = std::move(id);
  cell.size_bytes = key.size;
  cell.nodes = key.nodes;
  cell.provenance = runs.front().run->provenance;
  cell.runs = std::move(runs);
  return cell;
}

FloorVerdict worst(const std::vector<FloorCell>& cells) {
  auto out = FloorVerdict::met;
  for (const FloorCell& cell : cells) out = std::max(out, cell.verdict);
  return out;
}

}  // namespace

std::string_view name_of(FloorVerdict verdict) {
  switch (verdict) {
    case FloorVerdict::met:
      return "met";
    case FloorVerdict::undecided:
      return "undecided";
    case FloorVerdict::not_measured:
      return "not measured";
    case FloorVerdict::not_met:
      break;
  }
  return "not met";
}

int ContractCheck::count(FloorVerdict verdict) const {
  return static_cast<int>(std::count_if(floors.begin(), floors.end(), [&](const FloorResult& one) {
    return one.verdict == verdict;
  }));
}

FloorCell judge(const Floor& floor, std::span<const double> figures, double within_sd,
                std::size_t cells) {
  const double each = (1 - floor.confidence) / 2;
  const double shared = each / static_cast<double>(std::max<std::size_t>(1, cells));
  const bool least = floor.direction == FloorDirection::at_least;
  FloorCell out;
  out.tails = least ? Tails{.below = each, .above = shared} : Tails{.below = shared, .above = each};
  out.bounds = quantile_bounds(figures, floor.quantile, out.tails, within_sd);
  const bool above = out.bounds.lower.value >= floor.value;
  const bool below = out.bounds.upper.value <= floor.value;
  // At the floor exactly it is kept; both can only be where few runs are no log-normal at all.
  const bool met = least ? above : below;
  const bool not_met =
      least ? out.bounds.upper.value < floor.value : out.bounds.lower.value > floor.value;
  if (figures.size() >= 2 && met != not_met) {
    out.verdict = met ? FloorVerdict::met : FloorVerdict::not_met;
    return out;
  }
  out.verdict = FloorVerdict::undecided;
  out.reason = why_undecided(floor, out, figures.size());
  return out;
}

FloorResult check_floor(const Floor& floor, const Dates& dates,
                        std::span<const RunResult> results) {
  FloorResult out{.floor = &floor};
  std::vector<FloorEvidence> usable;
  for (const RunResult& result : results) {
    if (!has_case_of(floor, result) || !has_size_of(floor, result)) continue;
    const bool elsewhere = result.nodes && std::find(floor.nodes.begin(), floor.nodes.end(),
                                                     *result.nodes) == floor.nodes.end();
    if (elsewhere) continue;
    if (std::string why = why_aside(floor, dates, result); !why.empty()) {
      out.aside.push_back({.run = &result, .why = std::move(why)});
    } else {
      usable.push_back({.run = &result, .figure = result.figure(floor.metric)});
    }
  }
  std::vector<std::pair<CellKey, std::map<std::string, std::vector<FloorEvidence>>>> measured;
  std::size_t cells = 0;
  for (const CellKey& key : keys_of(floor)) {
    std::map<std::string, std::vector<FloorEvidence>> cases;
    for (const FloorEvidence& one : usable) {
      if (in_cell(key, *one.run)) cases[one.run->case_id].push_back(one);
    }
    cells += cases.size();
    measured.emplace_back(key, std::move(cases));
  }
  for (auto& [key, cases] : measured) {
    for (auto& [id, runs] : cases) {
      out.cells.push_back(judged_cell(floor, key, id, of_one_provenance(runs, out.aside), cells));
    }
    if (cases.empty()) {
      out.cells.push_back({.case_id = {},
                           .size_bytes = key.size,
                           .nodes = key.nodes,
                           .reason = measured_elsewhere(floor, results)});
    }
  }
  out.verdict = worst(out.cells);
  return out;
}

ContractCheck check_contract(const Terms& terms, std::span<const RunResult> results) {
  ContractCheck out{.terms = &terms};
  for (const Floor& floor : terms.floors) {
    out.floors.push_back(check_floor(floor, {.span = terms.valid}, results));
  }
  return out;
}

ExitCode exit_code(const ContractCheck& check) {
  if (check.count(FloorVerdict::not_met) > 0) return ExitCode::kCheckFailed;
  const bool open = check.count(FloorVerdict::undecided) + check.count(FloorVerdict::not_measured);
  return open ? ExitCode::kNotMeasured : ExitCode::kOk;
}

}  // namespace stepmark
