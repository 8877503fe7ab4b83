// SPDX-License-Identifier: Apache-2.0
// "Which provider": the best measured plan of each for the same work, and at which price that
// turns. Hardware, stack and plan may differ; the work may not. Method and assumptions:
// docs/decisions.md.
#pragma once

#include <chrono>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/error.h"
#include "results/across/work.h"
#include "results/compare/compare.h"
#include "results/money/cost.h"
#include "results/money/prices.h"

namespace stepmark {

struct Provider {
  std::string name;
  std::vector<Run> runs;
};
// Sides with a name are that provider; journals of the others belong to the cluster that their
// records name. Error(kUsage) for a journal without one, and for a run given twice.
struct NamedSide {
  std::string name;  // empty: not stated
  RunSide side;
};
[[nodiscard]] std::vector<Provider> providers_of(std::vector<NamedSide> sides);

struct AcrossOptions {
  CompareOptions compare;  // margin, confidence and run_spread count
  std::optional<PriceFile> prices;
  std::chrono::sys_days today;
  // Filled by across(): kinds of which every provider with a price states its goodput. Only there
  // do costs compare as delivered; a goodput that one side does not state would favour it.
  std::vector<PriceKind> delivered = {};
};

// How the plan that stands for a provider was found among several.
enum class Selection : std::uint8_t {
  only_one,   // nothing to select
  confirmed,  // chosen on every second run, and measured by the others
  corrected   // too few runs for that: verdicts and intervals allow for all plans
};
[[nodiscard]] std::string_view name_of(Selection selection);

struct PlanTime {
  std::string case_id, plan;
  int runs = 0;
  double gpus = 0, seconds = 0;  // geometric mean of the runs' medians
  std::string excluded;          // why it was not a candidate
};

// A provider's entry for one work.
struct BestPlan {
  std::string provider;
  std::vector<PlanTime> plans;  // the chosen one first
  Selection selection = Selection::only_one;
  int correction = 1;                        // plans that the verdicts allow for
  std::vector<std::vector<double>> samples;  // [run][sample] of the chosen plan; empty: not counted
  int runs = 0;                              // that count
  double gpus = 0;
  Measured step_s;  // with a 95 % interval from two runs on
  std::vector<Figure> figures;
};

struct PairMoney {
  PriceKind kind = PriceKind::on_demand;
  std::optional<double> price_a, price_b;  // list, per GPU-hour
  // List price at which a costs what b does, and b what a does.
  Measured break_even_a, break_even_b;
  // With both prices: cost of b / of a, and which is cheaper by more than the margin: `faster`: b.
  std::optional<Verdict> cheaper;
  Measured cost_ratio;
  Measured slower_per_month;  // what b's work costs more than at a's speed, at b's price
};

struct PairVerdict {
  std::size_t a = 0, b = 0;              // of WorkAcross::best
  Verdict verdict = Verdict::undecided;  // of b against a: `faster`, `slower`, `same`, `undecided`
  Measured rate_ratio;                   // tokens/s/GPU of a / of b
  // The same with bounds that hold for all pairs, works and plans at once (Bonferroni): what is
  // decided by them stands at whatever prices.
  Measured decided_ratio;
  double adjusted_p = 1, same_p = 1;
  Spread spread = Spread::measured;
  double run_sd = 0;  // relative, of one run
  std::vector<PairMoney> money;
};

struct ProviderCost {
  std::string provider;
  PriceKind kind = PriceKind::on_demand;
  double per_gpu_hour = 0, extra_per_gpu_hour = 0;
  std::optional<double> goodput;  // stated
  Figure per_million_tokens, delivered, per_step, tokens_per_money;
};

struct WorkAcross {
  Work work;
  std::string refused;  // why nothing is compared: what differs
  std::vector<BestPlan> best;
  std::vector<PairVerdict> pairs;
  std::vector<ProviderCost> costs;
};

struct Across {
  AcrossOptions options;
  std::vector<std::string> providers;
  std::vector<WorkAcross> works;
  std::vector<std::vector<Difference>> differed;  // of provider i + 1 from the first
  std::vector<std::string> assumed, remarks;
  [[nodiscard]] int compared() const;  // works
};

// Error(kUsage) for fewer than two providers.
[[nodiscard]] Across across(std::span<const Provider> providers, const AcrossOptions& options);
// kNotMeasured where a work is refused or nothing is compared, else kOk: which provider is better
// is no failure.
[[nodiscard]] ExitCode exit_code(const Across& across);

}  // namespace stepmark
