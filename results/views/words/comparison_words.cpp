// SPDX-License-Identifier: Apache-2.0
// Counts are listed over all verdicts in a fixed order, zeros included, so that a script may look
// for them. The reason of the exit code is found from the same counts as the code.
#include "results/views/words/comparison_words.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include "results/compare/outcome.h"

namespace stepmark {
namespace {

constexpr std::array kCompared = {Verdict::same, Verdict::faster, Verdict::slower,
                                  Verdict::undecided};
constexpr std::array kWithoutVerdict = {Verdict::failed, Verdict::missing, Verdict::not_comparable,
                                        Verdict::skipped};

void add_remark(std::string& reason, const std::string& remark) {
  reason += (reason.empty() ? "" : "; ") + remark;
}

template <class Verdicts, class Count>
std::string listed(const Verdicts& verdicts, Count count) {
  std::string out;
  for (const auto verdict : verdicts) {
    out += fmt::format("{}{} {}", out.empty() ? "" : ", ", count(verdict), name_of(verdict));
  }
  return out;
}

template <class Count>
std::string counted(Count count) {
  int compared = 0;
  for (const auto verdict : kCompared) {
    compared += count(verdict);
  }
  return fmt::format("{} case{} compared: {}; {}", compared, compared == 1 ? "" : "s",
                     listed(kCompared, count), listed(kWithoutVerdict, count));
}

std::string reason_of(const Comparison& comparison, ExitCode code) {
  if (code == ExitCode::kCheckFailed) {
    return comparison.count(Verdict::failed) == 0   ? "slower cases"
           : comparison.count(Verdict::slower) == 0 ? "failed cases"
                                                    : "failed and slower cases";
  }
  if (code == ExitCode::kNotMeasured) {
    return has_empty_side(comparison)
               ? "nothing was compared"
               : "cases are missing or not comparable; --allow-missing accepts that";
  }
  const bool accepted =
      comparison.count(Verdict::missing) + comparison.count(Verdict::not_comparable) > 0;
  return accepted ? "nothing slower or failed; missing cases accepted" : "nothing slower or failed";
}

}  // namespace

std::string reason_text(const CaseVerdict& verdict) {
  std::string out = verdict.reason;
  if (!is_compared(verdict.verdict)) return out;
  const auto drift = [&](const char* side, double rise) {
    if (rise != 0) {
      add_remark(out, fmt::format("{} drifts by {:+.1f} % through a run", side, 100 * rise));
    }
  };
  drift("baseline", verdict.drift_baseline);
  drift("candidate", verdict.drift_candidate);
  if (verdict.clock_tick_s > 0) {
    add_remark(out,
               fmt::format("the clock's step of {:.3g} s counts as error", verdict.clock_tick_s));
  }
  if (!verdict.to_decide.why.empty()) {
    add_remark(out, fmt::format("no number of runs decides: {}", verdict.to_decide.why));
  }
  if (verdict.to_decide.from_margin > 0 && verdict.to_decide.need != Need::no_runs) {
    add_remark(out, fmt::format("its ratio lies {:.2f} % from the margin",
                                100 * verdict.to_decide.from_margin));
  }
  if (verdict.spread == Spread::generous && verdict.verdict != Verdict::undecided) {
    add_remark(out, fmt::format("decided beyond a generous spread of {:.0f} % between runs",
                                100 * kGenerousSpread));
  }
  return out;
}

namespace {

// On which nodes the runs were, where that is part of the error.
std::string nodes_text(const NodeLevel& nodes) {
  if (nodes.is_confounded()) {
    return fmt::format(
        "The baseline ran on one node and the candidate on another: what the sides differ by "
        "cannot be told from what these nodes differ by (confounded with node), however many runs "
        "there are. Only differences beyond a generous spread of {:.0f} % between nodes, or one "
        "stated by --run-spread, are decided. Run both sides on the same nodes, or each on "
        "several; --of-nodes if the nodes themselves are what is compared.",
        100 * kGenerousSpread);
  }
  if (nodes.level == Level::nodes) {
    return fmt::format(
        "Runs on one node are no independent samples of nodes: compared are the means over each "
        "node's runs, {} of the baseline and {} of the candidate, and what these differ by is the "
        "spread.",
        nodes.baseline_nodes, nodes.candidate_nodes);
  }
  if (nodes.level == Level::node_pairs) {
    return fmt::format(
        "Both sides ran on the same {} nodes: compared are the differences on each node, and what "
        "these differ by is the spread.",
        nodes.baseline_nodes);
  }
  return {};
}

}  // namespace

std::vector<std::string> notes_text(const SideComparison& side) {
  std::vector<std::string> out = side.notes;
  if (auto nodes = nodes_text(side.nodes); !nodes.empty()) out.push_back(std::move(nodes));
  if (side.nodes.is_confounded()) return out;
  const auto generous = std::any_of(side.cases.begin(), side.cases.end(), [](const auto& c) {
    return std::isfinite(c.ratio) && c.spread == Spread::generous;
  });
  if (generous) {
    out.push_back(fmt::format(
        "One run per side does not say what runs differ by: only differences beyond a generous "
        "spread of {:.0f} % between runs are decided, and intervals of undecided cases are "
        "within-run intervals. To decide more, measure the spread: run --repeat 3, several runs "
        "as A1.smk,A2.smk,A3.smk, --spread-from earlier runs of one thing, or --run-spread if you "
        "know it.",
        100 * kGenerousSpread));
  }
  return out;
}

std::string need_text(const ToDecide& need) {
  const char* unit = need.of_nodes ? "nodes" : "runs";
  const auto more = [&] {
    return need.more_baseline == need.more_candidate
               ? fmt::format("+{} {}", need.more_baseline, unit)
               : fmt::format("+{}/+{} {}", need.more_baseline, need.more_candidate, unit);
  };
  switch (need.need) {
    case Need::nothing:
      return {};
    case Need::spread:
      return fmt::format("{}?", more());
    case Need::runs:
      return more();
    case Need::samples:
      return fmt::format("{} {} of {}x", need.runs, unit, need.samples_factor);
    case Need::no_runs:
      return "none";
  }
  return {};
}

namespace {

std::string what_decides(Need need, const ToDecide& most, const char* unit) {
  if (need == Need::samples) {
    return fmt::format("{} new {} of each side with {} times the samples", most.runs, unit,
                       most.samples_factor);
  }
  if (need == Need::no_runs) return "no number of runs that can be made; the remarks say why";
  return fmt::format(
      "{} more {} of the baseline and {} of the candidate{}", most.more_baseline, unit,
      most.more_candidate,
      need == Need::spread ? ", which tell what they differ by: then ask again" : "");
}

}  // namespace

std::string deciding_text(const SideComparison& side, const CompareOptions& options) {
  struct Kind {
    int cases = 0;
    ToDecide most;
  };
  std::map<Need, Kind> kinds;
  for (const auto& c : side.cases) {
    if (c.verdict != Verdict::undecided) continue;
    auto& kind = kinds[c.to_decide.need];
    ++kind.cases;
    kind.most.runs = std::max(kind.most.runs, c.to_decide.runs);
    kind.most.more_baseline = std::max(kind.most.more_baseline, c.to_decide.more_baseline);
    kind.most.more_candidate = std::max(kind.most.more_candidate, c.to_decide.more_candidate);
    kind.most.samples_factor = std::max(kind.most.samples_factor, c.to_decide.samples_factor);
  }
  if (kinds.empty()) return {};
  std::string out;
  const auto of_nodes = side.nodes.level != Level::runs;
  for (const auto& [need, kind] : kinds) {
    const auto& most = kind.most;
    const auto what = what_decides(need, most, of_nodes ? "nodes" : "runs");
    out += fmt::format("{}{} undecided case{}: {}", out.empty() ? "To decide " : "; ", kind.cases,
                       kind.cases == 1 ? "" : "s", what);
  }
  const auto promise = fmt::format(
      ". So counted that a difference of {:g} % is found{}, each in {:g} of 100 comparisons.",
      100 * smallest_difference(options),
      options.margin > 0 ? " and no difference is called same" : "", 100 * options.power);
  const bool promised = kinds.contains(Need::runs) || kinds.contains(Need::samples);
  return fmt::format("{}{} `compare --plan-next` prints the commands.", out,
                     promised ? promise : std::string("."));
}

std::string counts_text(const SideComparison& side) {
  return counted([&](Verdict verdict) { return side.count(verdict); });
}

std::string closing_text(const Comparison& comparison) {
  const ExitCode code = exit_code(comparison);
  return fmt::format("{}. Exit code {}: {}.",
                     counted([&](Verdict verdict) { return comparison.count(verdict); }),
                     static_cast<int>(code), reason_of(comparison, code));
}

}  // namespace stepmark
