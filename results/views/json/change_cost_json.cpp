// SPDX-License-Identifier: Apache-2.0
// What a side has no price for is null.
#include "results/views/json/change_cost_json.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "results/record/json_reader.h"

namespace stepmark {
namespace {

nlohmann::json number(const std::optional<double>& value) {
  return number_or_null(value.value_or(NAN));
}

nlohmann::json measured(const Measured& value) {
  return {{"value", number(value.value)},
          {"lower", number(value.lower)},
          {"upper", number(value.upper)}};
}

}  // namespace

nlohmann::json change_costs_json(std::span<const ChangeCost> costs) {
  auto out = nlohmann::json::array();
  for (const ChangeCost& one : costs) {
    out.push_back({{"case_id", one.case_id},
                   {"kind", name_of(one.kind)},
                   {"gpus", one.gpus},
                   {"price_baseline", number(one.price_baseline)},
                   {"price_candidate", number(one.price_candidate)},
                   {"per_step_baseline", number(one.per_step_baseline)},
                   {"per_step_candidate", number(one.per_step_candidate)},
                   {"per_month", measured(one.per_month)},
                   {"break_even_candidate", measured(one.break_even_candidate)}});
  }
  return out;
}

}  // namespace stepmark
