// SPDX-License-Identifier: Apache-2.0
// Steps are put together by all of their work but the batch; a batch that stays or grows with the
// GPUs then makes a series, strong or weak. What does neither has no efficiency.
#include "results/across/scaling.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "results/across/best_plan.h"
#include "results/families/step.h"
#include "results/normalise/rates.h"
#include "results/record/common_facts.h"

namespace stepmark {
namespace {

namespace names = facts::step;

// What must be alike for two sizes to be of one series.
using Kind = std::pair<std::string, std::string>;  // owner; work without its batch
using SizeKey = std::pair<double, double>;         // GPUs, tokens per step

struct PlanRuns {
  std::string plan;
  std::vector<const Record*> records;
};
using Plans = std::map<std::string, PlanRuns>;  // by case
struct Measurements {
  std::string model;
  std::map<SizeKey, Plans> sizes;
};

std::string machine_of(const Run& run) {
  for (const Record& record : run.records) {
    if (auto cluster = record.text(facts::kCluster); !cluster.empty()) return cluster;
  }
  std::string out;
  for (const auto& fact : run.header.environment.facts) {
    if (fact.section == "hardware" && fact.fingerprint) {
      out += fmt::format("{}{} {}", out.empty() ? "" : ", ", fact.name, fact.value);
    }
  }
  return out;
}

// Batch and FLOPs of a step change with the size; what is computed per token does not.
std::string work_text(const Run& run, const Record& record) {
  std::string out = run.header.backend;
  for (const auto& [name, value] : work_of(run, record)) {
    if (name != "tokens per step" && name != "model FLOPs per step") out += "; " + value;
  }
  return out;
}

bool counts(const Run& run, const Record& record) {
  if (record.family != names::kFamily) return false;
  const std::string why = why_no_step(run, record);
  const auto gpus = record.number(names::kGpus);
  const auto tokens = record.number(names::kTokensPerStep);
  return (why.empty() || why == kNoSamples) && gpus && *gpus > 0 && tokens && *tokens > 0 &&
         record.summary(facts::kTimeS) != nullptr;
}

normalise::Measured step_time(const std::vector<const Record*>& records) {
  Groups medians;
  for (const Record* record : records) medians.push_back({record->summary(facts::kTimeS)->median});
  normalise::Measured out = time_of(medians);
  // Repetitions of one run are restarts too: their interval is one of runs.
  if (records.size() == 1 && records.front()->repetitions > 1) {
    const Summary* time = records.front()->summary(facts::kTimeS);
    out.lower = time->lower;
    out.upper = time->upper;
  }
  return out;
}

ScaledSize best_of(const SizeKey& key, const Plans& plans) {
  ScaledSize out{.gpus = key.first, .tokens = key.second, .plans = static_cast<int>(plans.size())};
  for (const auto& [case_id, one] : plans) {
    const auto step_s = step_time(one.records);
    if (out.step_s.value && !(*step_s.value < *out.step_s.value)) continue;
    out.plan = one.plan.empty() ? case_id : one.plan;
    out.runs = static_cast<int>(one.records.size());
    out.step_s = step_s;
  }
  out.tokens_per_s = normalise::tokens_per_s(out.step_s, out.tokens).measured();
  return out;
}

void hold_against_base(ScalingSeries& series) {
  const auto size_of = [](const ScaledSize& one) {
    return normalise::Size{.gpus = one.gpus, .tokens_per_s = one.tokens_per_s};
  };
  const auto base = size_of(series.sizes.front());
  for (ScaledSize& one : series.sizes) {
    one.against_base = normalise::scaling_efficiency(base, size_of(one), series.weak);
  }
}

// Sizes of one batch (strong), or of one batch per GPU (weak), each with at least two sizes.
std::vector<ScalingSeries> series_of(const Kind& kind, const Measurements& all, bool weak) {
  std::map<double, std::vector<SizeKey>> alike;
  for (const auto& [key, plans] : all.sizes) {
    alike[weak ? key.second / key.first : key.second].push_back(key);
  }
  std::vector<ScalingSeries> out;
  for (const auto& [batch, keys] : alike) {
    if (keys.size() < 2) continue;
    ScalingSeries series{.owner = kind.first, .model = all.model, .weak = weak, .sizes = {}};
    for (const SizeKey& key : keys) series.sizes.push_back(best_of(key, all.sizes.at(key)));
    hold_against_base(series);
    out.push_back(std::move(series));
  }
  return out;
}

}  // namespace

std::vector<ScalingSeries> scaling_of(std::span<const Run> runs,
                                      std::span<const std::string> owners) {
  std::map<Kind, Measurements> all;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    if (runs[i].beside) continue;
    const std::string owner = i < owners.size() ? owners[i] : machine_of(runs[i]);
    for (const Record& record : runs[i].records) {
      if (!counts(runs[i], record)) continue;
      Measurements& own = all[{owner, work_text(runs[i], record)}];
      own.model = record.text(names::kWorkload);
      const SizeKey key{*record.number(names::kGpus), *record.number(names::kTokensPerStep)};
      PlanRuns& plan = own.sizes[key][record.case_id];
      plan.plan = record.text(names::kPlan);
      plan.records.push_back(&record);
    }
  }
  std::vector<ScalingSeries> out;
  for (const auto& [kind, measurements] : all) {
    for (const bool weak : {true, false}) {
      auto found = series_of(kind, measurements, weak);
      std::move(found.begin(), found.end(), std::back_inserter(out));
    }
  }
  const bool one_owner = std::all_of(out.begin(), out.end(), [&](const ScalingSeries& one) {
    return one.owner == out.front().owner;
  });
  for (ScalingSeries& one : out) {
    if (one_owner && owners.empty()) one.owner.clear();
  }
  return out;
}

}  // namespace stepmark
