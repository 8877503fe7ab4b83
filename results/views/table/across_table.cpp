// SPDX-License-Identifier: Apache-2.0
// A section per work; a table each for plans, pairs, costs and break-even prices. A refused work is
// said with its reason, never left out.
#include "results/views/table/across_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "results/views/table/format.h"
#include "results/views/table/measured_text.h"
#include "results/views/table/text_table.h"

namespace stepmark {
namespace {

std::string value_of(const BestPlan& plan, std::string_view name) {
  for (const Figure& figure : plan.figures) {
    if (figure.definition->name != name) continue;
    return figure.definition->unit == "1" && name != "jitter" ? format_percent(figure.value)
                                                              : format_number(figure.value);
  }
  return kNotAvailable;
}

std::string chosen_text(const BestPlan& plan) {
  const auto plans = std::count_if(plan.plans.begin(), plan.plans.end(),
                                   [](const auto& one) { return one.excluded.empty(); });
  switch (plan.selection) {
    case Selection::only_one:
      return "only plan";
    case Selection::confirmed:
      return fmt::format("best of {}, confirmed", plans);
    case Selection::corrected:
      return fmt::format("best of {}, corrected", plans);
  }
  return {};
}

std::string plans_table(const WorkAcross& work) {
  TextTable table({{"provider", Align::left},
                   {"plan", Align::left},
                   {"GPUs"},
                   {"runs"},
                   {"step"},
                   {"tokens/s/GPU"},
                   {"MFU"},
                   {"causal"},
                   {"HFU"},
                   {"exposed"},
                   {"chosen", Align::left}});
  for (const BestPlan& plan : work.best) {
    table.add({plan.provider, plan.plans.front().plan, fmt::format("{:g}", plan.gpus),
               fmt::format("{}", plan.runs), format_time(plan.step_s.value.value_or(NAN)),
               value_of(plan, "tokens_per_s_per_gpu"), value_of(plan, "mfu"),
               value_of(plan, "mfu_causal"), value_of(plan, "hfu"),
               value_of(plan, "exposed_communication"), chosen_text(plan)});
  }
  return table.text();
}

std::string verdict_text(Verdict verdict, const std::string& a, const std::string& b,
                         std::string_view better) {
  switch (verdict) {
    case Verdict::faster:
      return fmt::format("{} {}", b, better);
    case Verdict::slower:
      return fmt::format("{} {}", a, better);
    default:
      return std::string(name_of(verdict));
  }
}

std::string pairs_table(const WorkAcross& work) {
  TextTable table({{"against each other", Align::left},
                   {"tokens/s/GPU ratio [interval]"},
                   {"verdict", Align::left},
                   {"spread of runs", Align::left}});
  for (const PairVerdict& pair : work.pairs) {
    const auto& a = work.best[pair.a].provider;
    const auto& b = work.best[pair.b].provider;
    table.add({fmt::format("{} / {}", a, b), with_interval(pair.rate_ratio),
               verdict_text(pair.verdict, a, b, "faster"),
               fmt::format("{:.2f} %, {}", 100 * pair.run_sd, name_of(pair.spread))});
  }
  return table.empty() ? std::string() : table.text();
}

std::string costs_table(const WorkAcross& work, const std::string& currency) {
  TextTable table({{"cost", Align::left},
                   {"price", Align::left},
                   {currency + "/GPU-h"},
                   {"beside"},
                   {"per 1e6 tokens"},
                   {"delivered"},
                   {"per step"},
                   {"tokens per " + currency}});
  for (const ProviderCost& cost : work.costs) {
    table.add({cost.provider, std::string(name_of(cost.kind)), format_number(cost.per_gpu_hour),
               format_number(cost.extra_per_gpu_hour),
               money_text(cost.per_million_tokens.measured()), format_number(cost.delivered.value),
               format_number(cost.per_step.value), format_number(cost.tokens_per_money.value)});
  }
  return table.empty() ? std::string() : table.text();
}

void add_break_even(TextTable& table, const std::string& of, const std::string& with,
                    const PairMoney& money_of, const Measured& price,
                    const std::optional<double>& asked, const std::string& verdict) {
  if (!price.value) return;
  table.add({of, fmt::format("{} {}", with, name_of(money_of.kind)), money_text(price),
             format_number(asked), verdict});
}

std::string break_even_table(const WorkAcross& work, const std::string& currency) {
  TextTable table({{"breaks even", Align::left},
                   {"with", Align::left},
                   {fmt::format("at {}/GPU-h [interval]", currency)},
                   {"asks"},
                   {"verdict", Align::left}});
  for (const PairVerdict& pair : work.pairs) {
    const auto& a = work.best[pair.a].provider;
    const auto& b = work.best[pair.b].provider;
    for (const PairMoney& one : pair.money) {
      const auto verdict =
          one.cheaper ? verdict_text(*one.cheaper, a, b, "cheaper") : std::string(kNotAvailable);
      add_break_even(table, a, b, one, one.break_even_a, one.price_a, verdict);
      add_break_even(table, b, a, one, one.break_even_b, one.price_b, verdict);
    }
  }
  return table.empty() ? std::string() : table.text();
}

// What the slower provider's speed costs, where that is decided.
std::string months_text(const WorkAcross& work, const std::string& currency) {
  std::string out;
  for (const PairVerdict& pair : work.pairs) {
    for (const PairMoney& one : pair.money) {
      if (pair.verdict != Verdict::slower || !one.price_b) continue;
      out += wrapped(
          fmt::format("  {} {}: being slower than {} costs {} {} a month on {:g} GPUs.",
                      work.best[pair.b].provider, name_of(one.kind), work.best[pair.a].provider,
                      currency, money_text(one.slower_per_month), work.best[pair.b].gpus),
          4);
    }
  }
  return out;
}

std::string equal_text(const Work& work) {
  std::string out;
  for (const auto& [name, value] : work) {
    if (name == "model") continue;
    out += fmt::format("{}{} {}", out.empty() ? "" : ", ", name, value);
  }
  return out;
}

std::string excluded_text(const WorkAcross& work) {
  std::string out;
  for (const BestPlan& best : work.best) {
    for (const PlanTime& plan : best.plans) {
      if (plan.excluded.empty()) continue;
      out += wrapped(
          fmt::format("  {} {}: does not count: {}", best.provider, plan.case_id, plan.excluded),
          4);
    }
  }
  return out;
}

std::string work_text(const WorkAcross& work, const std::string& currency) {
  std::string out = fmt::format("{}\n", work.work.front().second) +
                    wrapped(fmt::format("Equal: {}", equal_text(work.work)), 2);
  if (!work.refused.empty()) {
    return out + wrapped(fmt::format("Not compared: {}", work.refused), 2) + "\n";
  }
  for (const std::string& part : {plans_table(work), pairs_table(work), costs_table(work, currency),
                                  break_even_table(work, currency)}) {
    if (!part.empty()) out += fmt::format("\n{}", part);
  }
  return out + months_text(work, currency) + excluded_text(work) + "\n";
}

std::string differed_text(const Across& across) {
  std::string out;
  for (std::size_t i = 0; i < across.differed.size(); ++i) {
    TextTable table({{"differed", Align::left},
                     {across.providers.front(), Align::left},
                     {across.providers[i + 1], Align::left}});
    for (const Difference& one : across.differed[i]) {
      if (!one.fingerprint || one.section == "config") continue;
      table.add({fmt::format("{} {}", one.section, one.name),
                 one.baseline.empty() ? "-" : one.baseline,
                 one.candidate.empty() ? "-" : one.candidate});
    }
    out += table.empty() ? fmt::format("{} and {}: the same environment.\n",
                                       across.providers.front(), across.providers[i + 1])
                         : table.text();
  }
  return out;
}

}  // namespace

std::string across_table(const Across& across) {
  const std::string currency = across.options.prices ? across.options.prices->currency : "";
  std::string out;
  for (const WorkAcross& work : across.works) out += work_text(work, currency);
  out += differed_text(across) + "\nAssumed\n";
  for (const auto& one : across.assumed) out += wrapped(fmt::format("  {}", one), 4);
  if (!across.remarks.empty()) out += "Remarks\n";
  for (const auto& one : across.remarks) out += wrapped(fmt::format("  {}", one), 4);
  const CompareOptions& how = across.options.compare;
  out += wrapped(
      fmt::format("\nA ratio over 1: the first has more tokens/s/GPU. Intervals are {:.0f} % each; "
                  "verdicts hold at {:.0f} % for all works and pairs together, differences up to "
                  "{:.1f} % count as same.",
                  100 * how.confidence, 100 * how.confidence, 100 * how.margin),
      2);
  return out + wrapped(fmt::format("{} of {} works compared between {} providers; exit code {}",
                                   across.compared(), across.works.size(), across.providers.size(),
                                   static_cast<int>(exit_code(across))),
                       2);
}

}  // namespace stepmark
