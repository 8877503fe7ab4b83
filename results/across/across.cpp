// SPDX-License-Identifier: Apache-2.0
// Steps are gathered by the work they did, each provider gets its plan per work, and pairs of
// providers are judged over all works that both have. What no two providers did is refused with
// what differs from the nearest work of another.
#include "results/across/across.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <set>

#include "core/error.h"
#include "results/across/best_plan.h"
#include "results/across/pair.h"
#include "results/compare/run_differences.h"
#include "results/compare/side_samples.h"
#include "results/families/step.h"

namespace stepmark {
namespace {

// The plans of every provider that did one work: [provider].
struct Gathered {
  Work work;
  std::map<std::size_t, std::vector<PlanSamples>> usable;
  std::map<std::size_t, std::vector<PlanTime>> excluded;
};

Gathered& of_work(std::vector<Gathered>& all, const Work& work) {
  const auto found =
      std::find_if(all.begin(), all.end(), [&](const Gathered& one) { return one.work == work; });
  if (found != all.end()) return *found;
  all.push_back({.work = work});
  return all.back();
}

// The records of one case: the first usable one, or why a run's is not.
struct CaseOfProvider {
  const Run* run = nullptr;
  const Record* record = nullptr;
  std::string excluded;
};

CaseOfProvider case_of(const Provider& provider, const std::string& id) {
  CaseOfProvider out;
  for (const Run& run : provider.runs) {
    const Record* record = run.find(id);
    if (record == nullptr || record->outcome == Outcome::skipped) continue;
    if (out.record == nullptr) {
      out.run = &run;
      out.record = record;
    } else if (auto other = work_difference(work_of(*out.run, *out.record), work_of(run, *record));
               !other.empty()) {
      out.excluded = fmt::format("its runs did different work: {}", other);
    }
    if (auto why = why_no_step(run, *record); !why.empty()) {
      out.excluded = fmt::format("{}: {}", run.path, why);
    }
  }
  return out;
}

void gather(const Provider& provider, std::size_t index, std::vector<Gathered>& all) {
  std::set<std::string> ids;
  for (const Run& run : provider.runs) {
    for (const Record& record : run.records) {
      if (!record.text(facts::step::kWorkload).empty()) ids.insert(record.case_id);
    }
  }
  for (const std::string& id : ids) {
    const CaseOfProvider found = case_of(provider, id);
    if (found.record == nullptr) continue;
    Gathered& work = of_work(all, work_of(*found.run, *found.record));
    PlanTime plan{.case_id = id,
                  .plan = found.record->text(facts::step::kPlan),
                  .gpus = found.record->number(facts::step::kGpus).value_or(0),
                  .excluded = found.excluded};
    Groups samples = samples_of(provider.runs, *found.record);
    plan.runs = runs_in(samples);
    plan.seconds = time_of(samples).value.value_or(0);
    if (plan.excluded.empty() && plan.runs == 0) {
      plan.excluded = fmt::format("fewer than {} steady samples", kFewestSamples);
    }
    if (plan.excluded.empty() && !(plan.gpus > 0))
      plan.excluded = "its number of GPUs is not known";
    if (!plan.excluded.empty()) {
      work.excluded[index].push_back(std::move(plan));
    } else {
      work.usable[index].push_back({std::move(plan), found.run, found.record, std::move(samples)});
    }
  }
}

// Whose work differs least from this one, and in what.
std::string nearest_difference(const std::vector<Gathered>& all, const Gathered& of,
                               std::span<const Provider> providers) {
  std::string out;
  std::size_t fewest = of.work.size();
  for (const Gathered& other : all) {
    const auto whose = std::find_if(other.usable.begin(), other.usable.end(), [&](const auto& one) {
      return !of.usable.contains(one.first);
    });
    if (&other == &of || whose == other.usable.end()) continue;
    std::size_t differing = 0;
    for (std::size_t i = 0; i < of.work.size(); ++i) {
      differing += of.work[i].second != other.work[i].second ? 1U : 0U;
    }
    if (differing < fewest && of.work.front() == other.work.front()) {
      fewest = differing;
      out = fmt::format("{} did other work: {}", providers[whose->first].name,
                        work_difference(of.work, other.work));
    }
  }
  return out;
}

std::string why_refused(const std::vector<Gathered>& all, const Gathered& of,
                        std::span<const Provider> providers) {
  for (const auto& [provider, plans] : of.excluded) {
    if (!of.usable.contains(provider)) {
      return fmt::format("{} has no plan that counts: {}", providers[provider].name,
                         plans.front().excluded);
    }
  }
  const std::string nearest = nearest_difference(all, of, providers);
  return nearest.empty()
             ? fmt::format("only {} measured it", providers[of.usable.begin()->first].name)
             : nearest;
}

WorkAcross entries_of(const Gathered& gathered, const std::vector<Gathered>& all,
                      std::span<const Provider> providers) {
  WorkAcross out{.work = gathered.work};
  if (gathered.usable.size() < 2) out.refused = why_refused(all, gathered, providers);
  for (const auto& [provider, plans] : gathered.usable) {
    out.best.push_back(best_plan(providers[provider].name, plans));
    if (const auto excluded = gathered.excluded.find(provider);
        excluded != gathered.excluded.end()) {
      auto& listed = out.best.back().plans;
      listed.insert(listed.end(), excluded->second.begin(), excluded->second.end());
    }
  }
  return out;
}

const BestPlan* entry(const WorkAcross& work, const std::string& provider) {
  const auto found = std::find_if(work.best.begin(), work.best.end(),
                                  [&](const BestPlan& one) { return one.provider == provider; });
  return found == work.best.end() ? nullptr : &*found;
}

void judge_pairs(Across& out) {
  const std::size_t count = out.providers.size();
  for (std::size_t a = 0; a < count; ++a) {
    for (std::size_t b = a + 1; b < count; ++b) {
      std::vector<PairOfPlans> plans;
      for (std::size_t w = 0; w < out.works.size(); ++w) {
        const BestPlan* of_a = entry(out.works[w], out.providers[a]);
        const BestPlan* of_b = entry(out.works[w], out.providers[b]);
        if (of_a != nullptr && of_b != nullptr) plans.push_back({w, of_a, of_b});
      }
      auto verdicts = judge_pair(plans, out.options, count * (count - 1) / 2);
      for (std::size_t i = 0; i < plans.size(); ++i) {
        WorkAcross& work = out.works[plans[i].work];
        verdicts[i].a = static_cast<std::size_t>(plans[i].a - work.best.data());
        verdicts[i].b = static_cast<std::size_t>(plans[i].b - work.best.data());
        work.pairs.push_back(std::move(verdicts[i]));
      }
    }
  }
}

void add_costs(Across& out) {
  for (WorkAcross& work : out.works) {
    for (const PriceKind kind : price_kinds()) {
      for (const BestPlan& plan : work.best) {
        const auto hour = gpu_hour(out.options, plan, kind);
        if (!hour) continue;
        const double all_in = hour->list + hour->extra;
        const Measured rate = plan.figures.at(1).measured();  // tokens/s/GPU
        const Figure cost = cost_per_million_tokens(rate, all_in);
        work.costs.push_back({.provider = plan.provider,
                              .kind = kind,
                              .per_gpu_hour = hour->list,
                              .extra_per_gpu_hour = hour->extra,
                              .goodput = hour->stated,
                              .per_million_tokens = cost,
                              .delivered = delivered_cost(cost, hour->stated),
                              .per_step = cost_per_step(plan.step_s, plan.gpus, all_in),
                              .tokens_per_money = tokens_per_money(rate, all_in)});
      }
    }
  }
}

// Kinds of which all providers that have a price state their goodput.
std::vector<PriceKind> delivered_kinds(const Across& out) {
  std::vector<PriceKind> kinds;
  for (const PriceKind kind : price_kinds()) {
    bool all = true;
    for (const std::string& name : out.providers) {
      const ProviderPrices* prices = out.options.prices->find(name);
      const Price* price = prices == nullptr ? nullptr : prices->find(kind);
      all = all && (price == nullptr || price->goodput);
    }
    if (all) kinds.push_back(kind);
  }
  return kinds;
}

// Which costs are compared as delivered, and whose goodput is missing where they are not.
void say_goodput(Across& out) {
  std::set<std::string> silent, stated;
  for (const std::string& name : out.providers) {
    const ProviderPrices* prices = out.options.prices->find(name);
    if (prices == nullptr) continue;
    for (const Price& price : prices->prices) (price.goodput ? stated : silent).insert(name);
  }
  if (silent.empty()) return;
  if (stated.empty()) {
    out.assumed.emplace_back("goodput of all providers is the same: no price states one");
  } else {
    out.assumed.push_back(
        fmt::format("goodput counts only in kinds of prices of which all state it; {} has prices "
                    "without: delivered cost N/A",
                    fmt::join(silent, ", ")));
  }
}

void say_what_is_assumed(Across& out) {
  out.assumed.emplace_back(
      "runs of all providers vary alike: their spread is pooled, and sides are independent");
  out.assumed.emplace_back(
      "a GPU's share of the step counts: tokens/s/GPU, whatever the number of GPUs");
  if (!out.options.prices) return;
  out.assumed.emplace_back("prices and goodput are exact; a month has 730 hours");
  for (const std::string& name : out.providers) {
    const ProviderPrices* prices = out.options.prices->find(name);
    if (prices == nullptr) {
      out.remarks.push_back(fmt::format("{}: no price of {}", out.options.prices->path, name));
    }
  }
  say_goodput(out);
  for (auto& remark : price_remarks(*out.options.prices, out.options.today, out.providers)) {
    out.remarks.push_back(std::move(remark));
  }
}

}  // namespace

int Across::compared() const {
  return static_cast<int>(std::count_if(works.begin(), works.end(),
                                        [](const auto& work) { return !work.pairs.empty(); }));
}

Across across(std::span<const Provider> providers, const AcrossOptions& options) {
  STEPMARK_REQUIRE(providers.size() >= 2,
                   "comparing providers needs two of them, got {}: name each with --label "
                   "NAME=FILES",
                   providers.empty() ? "none" : "only " + providers.front().name);
  Across out{.options = options};
  std::vector<Gathered> gathered;
  for (std::size_t i = 0; i < providers.size(); ++i) {
    out.providers.push_back(providers[i].name);
    gather(providers[i], i, gathered);
    if (i > 0) {
      out.differed.push_back(
          differences(providers.front().runs.front(), providers[i].runs.front()));
    }
    for (const Run& run : providers[i].runs) {
      for (const auto& warning : run.warnings) {
        out.remarks.push_back(fmt::format("{}: {}", run.path, warning));
      }
    }
  }
  if (out.options.prices) out.options.delivered = delivered_kinds(out);
  for (const Gathered& one : gathered) out.works.push_back(entries_of(one, gathered, providers));
  judge_pairs(out);
  add_costs(out);
  say_what_is_assumed(out);
  return out;
}

ExitCode exit_code(const Across& across) {
  const bool refused = std::any_of(across.works.begin(), across.works.end(),
                                   [](const auto& work) { return !work.refused.empty(); });
  return refused || across.compared() == 0 ? ExitCode::kNotMeasured : ExitCode::kOk;
}

}  // namespace stepmark
