// SPDX-License-Identifier: Apache-2.0
// Keys in one place per object; what is undefined is null, and a figure that is N/A says why.
#include "results/views/json/across_json.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "results/money/calendar.h"
#include "results/record/json_reader.h"

namespace stepmark {
namespace {

using Json = nlohmann::json;

Json number(const std::optional<double>& value) { return number_or_null(value.value_or(NAN)); }

Json measured_json(const Measured& value) {
  return {{"value", number(value.value)},
          {"lower", number(value.lower)},
          {"upper", number(value.upper)}};
}

Json figure_json(const Figure& figure) {
  Json out = measured_json(figure.measured());
  out["name"] = figure.definition->name;
  out["unit"] = figure.definition->unit;
  out["formula"] = figure.definition->formula;
  out["source"] = figure.definition->source;
  if (!figure.why.empty()) out["not_available"] = figure.why;
  return out;
}

Json plan_json(const PlanTime& plan) {
  return {{"case_id", plan.case_id},
          {"plan", plan.plan},
          {"runs", plan.runs},
          {"gpus", number_or_null(plan.gpus)},
          {"seconds", number_or_null(plan.seconds)},
          {"excluded", plan.excluded}};
}

Json best_json(const BestPlan& best) {
  Json figures = Json::array();
  for (const Figure& figure : best.figures) figures.push_back(figure_json(figure));
  Json plans = Json::array();
  for (const PlanTime& plan : best.plans) plans.push_back(plan_json(plan));
  return {{"provider", best.provider},
          {"plan", best.plans.front().plan},
          {"selection", name_of(best.selection)},
          {"correction", best.correction},
          {"runs", best.runs},
          {"gpus", number_or_null(best.gpus)},
          {"step_s", measured_json(best.step_s)},
          {"figures", std::move(figures)},
          {"plans", std::move(plans)}};
}

Json money_json(const PairMoney& money) {
  return {{"kind", name_of(money.kind)},
          {"price_a", number(money.price_a)},
          {"price_b", number(money.price_b)},
          {"break_even_a", measured_json(money.break_even_a)},
          {"break_even_b", measured_json(money.break_even_b)},
          {"cost_verdict", money.cheaper ? Json(name_of(*money.cheaper)) : Json()},
          {"cost_ratio", measured_json(money.cost_ratio)},
          {"slower_per_month", measured_json(money.slower_per_month)}};
}

Json pair_json(const WorkAcross& work, const PairVerdict& pair) {
  Json money = Json::array();
  for (const PairMoney& one : pair.money) money.push_back(money_json(one));
  return {{"a", work.best[pair.a].provider},
          {"b", work.best[pair.b].provider},
          {"verdict", name_of(pair.verdict)},
          {"rate_ratio", measured_json(pair.rate_ratio)},
          {"decided_ratio", measured_json(pair.decided_ratio)},
          {"adjusted_p", number_or_null(pair.adjusted_p)},
          {"same_p", number_or_null(pair.same_p)},
          {"spread", name_of(pair.spread)},
          {"run_sd", number_or_null(pair.run_sd)},
          {"money", std::move(money)}};
}

Json cost_json(const ProviderCost& cost) {
  return {{"provider", cost.provider},
          {"kind", name_of(cost.kind)},
          {"per_gpu_hour", cost.per_gpu_hour},
          {"extra_per_gpu_hour", cost.extra_per_gpu_hour},
          {"goodput", number(cost.goodput)},
          {"figures",
           {figure_json(cost.per_million_tokens), figure_json(cost.delivered),
            figure_json(cost.per_step), figure_json(cost.tokens_per_money)}}};
}

Json work_json(const WorkAcross& work) {
  Json equal = Json::object();
  for (const auto& [name, value] : work.work) equal[name] = value;
  Json best = Json::array();
  for (const BestPlan& one : work.best) best.push_back(best_json(one));
  Json pairs = Json::array();
  for (const PairVerdict& pair : work.pairs) pairs.push_back(pair_json(work, pair));
  Json costs = Json::array();
  for (const ProviderCost& cost : work.costs) costs.push_back(cost_json(cost));
  return {{"equal", std::move(equal)},
          {"refused", work.refused},
          {"providers", std::move(best)},
          {"pairs", std::move(pairs)},
          {"costs", std::move(costs)}};
}

Json differed_json(const Across& across, std::size_t index) {
  Json list = Json::array();
  for (const Difference& one : across.differed[index]) {
    list.push_back({{"section", one.section},
                    {"name", one.name},
                    {"a", one.baseline},
                    {"b", one.candidate},
                    {"fingerprint", one.fingerprint}});
  }
  return {{"a", across.providers.front()},
          {"b", across.providers[index + 1]},
          {"differences", std::move(list)}};
}

}  // namespace

Json prices_json(const PriceFile& file, std::chrono::sys_days today,
                 std::span<const std::string> of) {
  Json providers = Json::array();
  for (const ProviderPrices& provider : file.providers) {
    if (std::find(of.begin(), of.end(), provider.provider) == of.end()) continue;
    Json terms = Json::array();
    for (const Price& price : provider.prices) {
      terms.push_back({{"kind", name_of(price.kind)},
                       {"per_gpu_hour", price.per_gpu_hour},
                       {"goodput", number(price.goodput)},
                       {"region", price.region},
                       {"verified", price.verified},
                       {"date", to_text(price.date)},
                       {"source", price.source}});
    }
    providers.push_back({{"provider", provider.provider}, {"terms", std::move(terms)}});
  }
  return {{"name", file.name},
          {"currency", file.currency},
          {"today", to_text(today)},
          {"providers", std::move(providers)}};
}

Json to_json(const Across& across) {
  Json works = Json::array();
  for (const WorkAcross& work : across.works) works.push_back(work_json(work));
  Json differed = Json::array();
  for (std::size_t i = 0; i < across.differed.size(); ++i) {
    differed.push_back(differed_json(across, i));
  }
  Json out{{"schema_version", kSchemaVersion},
           {"margin", across.options.compare.margin},
           {"confidence", across.options.compare.confidence},
           {"providers", across.providers},
           {"works", std::move(works)},
           {"differed", std::move(differed)},
           {"assumed", across.assumed},
           {"remarks", across.remarks},
           {"exit_code", static_cast<int>(exit_code(across))}};
  if (across.options.prices) {
    out["prices"] = prices_json(*across.options.prices, across.options.today, across.providers);
  }
  return out;
}

}  // namespace stepmark
