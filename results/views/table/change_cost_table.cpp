// SPDX-License-Identifier: Apache-2.0
// A table per kind of price with a row per step, and what the figures mean said once.
#include "results/views/table/change_cost_table.h"

#include <fmt/format.h>

#include <string_view>

#include "results/views/table/format.h"
#include "results/views/table/measured_text.h"
#include "results/views/table/text_table.h"

namespace stepmark {
namespace {

std::string step_name(std::string_view case_id) {
  constexpr std::string_view kPrefix = "step/";
  if (case_id.starts_with(kPrefix)) case_id.remove_prefix(kPrefix.size());
  return std::string(case_id);
}

}  // namespace

std::string change_cost_table(std::span<const ChangeCost> costs, const SideComparison& side,
                              const PriceFile& prices) {
  if (costs.empty()) {
    return wrapped(fmt::format("No cost of the change: {} has a price of {} or {}, but no step of "
                               "both has a time and GPUs.",
                               prices.name, side.baseline, side.candidate),
                   2);
  }
  std::string out;
  for (const PriceKind kind : price_kinds()) {
    TextTable table({{fmt::format("cost of step, {}", name_of(kind)), Align::left},
                     {"baseline"},
                     {"candidate"},
                     {"more per month"},
                     {"breaks even at"}});
    for (const ChangeCost& one : costs) {
      if (one.kind != kind) continue;
      table.add({step_name(one.case_id), format_number(one.per_step_baseline),
                 format_number(one.per_step_candidate), money_text(one.per_month),
                 money_text(one.break_even_candidate)});
    }
    if (!table.empty()) out += table.text() + "\n";
  }
  return out +
         wrapped(fmt::format("In {}: what a step costs, what a month (730 h) of the baseline's "
                             "work costs more at the "
                             "candidate, and the candidate's price per GPU-hour at which a step "
                             "costs the same. Intervals are those of the time ratio; prices are "
                             "taken as exact ({}).",
                             prices.currency, prices.name),
                 2);
}

}  // namespace stepmark
