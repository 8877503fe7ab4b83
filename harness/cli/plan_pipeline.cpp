// SPDX-License-Identifier: Apache-2.0
// One program per stage is planned for its memory; the grid is the schedule played in unit times.
#include "harness/cli/plan_pipeline.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/units.h"
#include "harness/program/step.h"
#include "harness/program/step_facts.h"
#include "results/views/table/text_table.h"

namespace stepmark {
namespace {

constexpr int kMostColumns = 48;  // of a grid that is shown

std::string layers_text(const std::vector<ModelStage>& parts) {
  std::string text;
  for (const ModelStage& part : parts) {
    text +=
        fmt::format("{}{}{}", text.empty() ? "" : " ", part.first ? "embedding " : "",
                    part.end - part.begin == 1 ? fmt::format("{}", part.begin)
                                               : fmt::format("{}-{}", part.begin, part.end - 1));
    if (part.last) text += " head";
  }
  return text;
}

}  // namespace

std::int64_t PipelineFacts::most_bytes() const {
  std::int64_t most = 0;
  for (const Stage& stage : stages) most = std::max(most, stage.peak_bytes);
  return most;
}

PipelineFacts pipeline_facts(const Model& model, const Plan& plan, const DeviceTraits& traits) {
  const StepMesh mesh(plan);
  PipelineFacts facts;
  for (std::int32_t stage = 0; stage < mesh.stages(); ++stage) {
    const std::int32_t rank = mesh.first_rank_of(stage);
    facts.stages.push_back({.parts = model_stages(sliced(model, plan), plan, stage),
                            .in_flight = sets_in_flight(plan, rank),
                            .peak_bytes = stage_memory_bytes(model, plan, traits, stage)});
  }
  facts.grid = slot_grid(find_schedule(plan.schedule), place_of(plan, 0));
  return facts;
}

std::string pipeline_text(const Plan& plan, const PipelineFacts& facts) {
  if (facts.stages.empty()) return {};
  const ScheduleInfo& schedule = find_schedule(plan.schedule);
  TextTable table({{.title = "stage"},
                   {.title = "layers", .align = Align::left},
                   {.title = plan.chunks > 1 ? "chunks in flight" : "micro-batches in flight"},
                   {.title = "planned peak of a rank"}});
  for (std::size_t i = 0; i < facts.stages.size(); ++i) {
    const PipelineFacts::Stage& stage = facts.stages[i];
    table.add({std::to_string(i), layers_text(stage.parts), std::to_string(stage.in_flight),
               format_bytes(static_cast<double>(stage.peak_bytes))});
  }
  std::string text = fmt::format(
      "\npipeline: {} stages{}, schedule {} ({}), {} micro-batches\n{}", facts.stages.size(),
      plan.chunks > 1 ? fmt::format(" of {} chunks each", plan.chunks) : "", schedule.name,
      schedule.source, plan.accumulation, table.text());
  text += fmt::format(
      "bubble: {:.1f} % of the step idle (idle over total, of equal stages whose forward, input "
      "gradients and weight gradients take one unit each, transfers none)\n",
      100 * bubble_fraction(facts.grid));
  if (facts.grid.end > kMostColumns) return text;
  return text +
         fmt::format("a column is a unit of time: F forward, {}\n{}",
                     facts.grid.split ? "I input gradients, W weight gradients" : "B backward",
                     to_text(facts.grid));
}

nlohmann::json pipeline_json(const Plan& plan, const PipelineFacts& facts) {
  nlohmann::json stages = nlohmann::json::array();
  for (const PipelineFacts::Stage& stage : facts.stages) {
    nlohmann::json layers = nlohmann::json::array();
    for (const ModelStage& part : stage.parts) layers.push_back({part.begin, part.end});
    stages.push_back({{"layers", layers},
                      {"in_flight", stage.in_flight},
                      {"peak_bytes_per_rank", stage.peak_bytes}});
  }
  return {{"stages", stages},
          {"schedule", plan.schedule},
          {"chunks", plan.chunks},
          {"micro_batches", plan.accumulation},
          {"bubble_idle_over_total", bubble_fraction(facts.grid)}};
}

}  // namespace stepmark
