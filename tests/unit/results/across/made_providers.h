// SPDX-License-Identifier: Apache-2.0
// Providers with known truth: steps of plans, runs that differ by themselves, samples that scatter.
#pragma once

#include <fmt/format.h>

#include <cmath>
#include <string>
#include <vector>

#include "results/across/across.h"
#include "results/families/derive.h"
#include "synthetic.h"

namespace stepmark::made {

using synthetic::Noise;

struct PlanSpec {
  std::string plan = "dp=8,tp=1";
  double seconds = 1;  // the truth
  double gpus = 8;
  double tokens = 8192;
  std::string precision = "bf16";
  double parameters = 1e9;
  std::string version = "1.0";
};

struct Spread {
  double between_runs = 0.01, within_run = 0.01;
  int samples = 12;
};

inline Record step(const PlanSpec& spec, double seconds, const Spread& spread, Noise& noise) {
  static double started = 1790000000;
  Record out{.case_id = fmt::format("step/w/{}", spec.plan), .family = "step"};
  out.numbers = {{"tokens_per_step", spec.tokens},
                 {"gpus", spec.gpus},
                 {"ranks", spec.gpus},
                 {"parameters", spec.parameters},
                 {"model_flops_per_step", 6 * spec.parameters * spec.tokens}};
  out.texts = {{"workload", "w"}, {"plan", spec.plan}, {"precision", spec.precision}};
  out.series = {
      {.name = "time_s",
       .unit = "s",
       .values = synthetic::times(
           {.median_s = seconds, .count = spread.samples, .noise = spread.within_run}, noise)}};
  out.checks = {{"loss", true, ""}};
  out.started_unix_s = started += 1;
  derive(out);
  return out;
}

// Each run measures all plans; every plan's time shifts by its own draw.
inline Provider provider(const std::string& name, const std::vector<PlanSpec>& plans, int runs,
                         Noise& noise, const Spread& spread = {}) {
  static int count = 0;
  Provider out{.name = name, .runs = {}};
  for (int r = 0; r < runs; ++r) {
    Run run{.path = fmt::format("{}{}.smk", name, r)};
    run.header.run_id = fmt::format("made-{}", ++count);
    run.header.tool_version = plans.front().version;
    for (const PlanSpec& plan : plans) {
      const double shift = std::exp(spread.between_runs * noise.normal());
      run.records.push_back(step(plan, plan.seconds * shift, spread, noise));
      run.header.cases.push_back(run.records.back().case_id);
    }
    out.runs.push_back(std::move(run));
  }
  return out;
}

}  // namespace stepmark::made
