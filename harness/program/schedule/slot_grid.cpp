// SPDX-License-Identifier: Apache-2.0
// Plays the slots of all stages: each begins when the one before it on its stage and the passes
// whose results it needs have ended.
#include "harness/program/schedule/slot_grid.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <tuple>

#include "core/error.h"

namespace stepmark {
namespace {

using Pass = std::tuple<Work, std::int32_t, std::int32_t>;  // work, micro-batch, stage of the model

class Play {
 public:
  Play(const ScheduleInfo& schedule, PipelinePlace place, const SlotTimes& times)
      : times_(times), stages_(place.stages), last_(place.stages * place.chunks - 1) {
    grid_.split = schedule.splits_backward;
    for (place.stage = 0; place.stage < place.stages; ++place.stage) {
      slots_.push_back(slots_of(schedule, place));
    }
    grid_.rows.resize(slots_.size());
  }

  SlotGrid run() {
    for (bool moved = true; moved;) {
      moved = false;
      for (std::size_t stage = 0; stage < slots_.size(); ++stage) {
        while (advance(stage)) moved = true;
      }
    }
    for (std::size_t stage = 0; stage < slots_.size(); ++stage) {
      const std::size_t done = grid_.rows[stage].size();
      STEPMARK_REQUIRE(done == slots_[stage].size(),
                       "the schedule never ends: stage {} waits at {}", stage,
                       slot_name(slots_[stage][done], grid_.split, last_ >= stages_));
    }
    return std::move(grid_);
  }

 private:
  bool advance(std::size_t stage) {
    auto& row = grid_.rows[stage];
    if (row.size() == slots_[stage].size()) return false;
    const Slot& slot = slots_[stage][row.size()];
    int begin = row.empty() ? 0 : row.back().end;
    for (const Pass& before : needed(slot, static_cast<std::int32_t>(stage))) {
      const auto found = end_.find(before);
      if (found == end_.end()) return false;
      begin = std::max(begin, found->second);
    }
    const int time = slot.work == Work::forward          ? times_.forward
                     : slot.work == Work::backward_input ? times_.input
                                                         : times_.weight;
    row.push_back({.slot = slot, .begin = begin, .end = begin + time});
    grid_.end = std::max(grid_.end, row.back().end);
    end_[{slot.work, slot.micro, model_stage(slot, static_cast<std::int32_t>(stage))}] =
        row.back().end;
    return true;
  }

  [[nodiscard]] std::int32_t model_stage(const Slot& slot, std::int32_t stage) const {
    return slot.chunk * stages_ + stage;
  }

  [[nodiscard]] std::vector<Pass> needed(const Slot& slot, std::int32_t stage) const {
    const std::int32_t own = model_stage(slot, stage);
    // A pass that is not split hands over when all of it is done.
    const Work handed = grid_.split ? Work::backward_input : Work::backward_weight;
    std::vector<Pass> result;
    switch (slot.work) {
      case Work::forward:
        if (own > 0) result.emplace_back(Work::forward, slot.micro, own - 1);
        break;
      case Work::backward_input:
        result.emplace_back(Work::forward, slot.micro, own);
        if (own < last_) result.emplace_back(handed, slot.micro, own + 1);
        break;
      case Work::backward_weight:
        result.emplace_back(Work::backward_input, slot.micro, own);
    }
    return result;
  }

  SlotTimes times_;
  std::int32_t stages_, last_;
  std::vector<std::vector<Slot>> slots_;  // by stage
  std::map<Pass, int> end_;
  SlotGrid grid_;
};

}  // namespace

SlotGrid slot_grid(const ScheduleInfo& schedule, PipelinePlace place, const SlotTimes& times) {
  return Play(schedule, place, times).run();
}

double bubble_fraction(const SlotGrid& grid) {
  double work = 0;
  for (const auto& row : grid.rows) {
    for (const SlotGrid::Cell& cell : row) work += cell.end - cell.begin;
  }
  return 1.0 - work / (static_cast<double>(grid.end) * static_cast<double>(grid.rows.size()));
}

std::string slot_name(const Slot& slot, bool split, bool chunks) {
  const char work = slot.work == Work::forward          ? 'F'
                    : !split                            ? 'B'
                    : slot.work == Work::backward_input ? 'I'
                                                        : 'W';
  return fmt::format("{}{}{}", work, slot.micro, chunks ? fmt::format(".{}", slot.chunk) : "");
}

std::string to_text(const SlotGrid& grid) {
  bool chunks = false;
  for (const SlotGrid::Cell& cell : grid.rows.front()) chunks = chunks || cell.slot.chunk > 0;
  std::size_t width = 1;
  for (const SlotGrid::Cell& cell : grid.rows.front()) {
    width = std::max(width, slot_name(cell.slot, grid.split, chunks).size());
  }
  std::string text;
  for (std::size_t stage = 0; stage < grid.rows.size(); ++stage) {
    std::vector<std::string> columns(static_cast<std::size_t>(grid.end), ".");
    for (const SlotGrid::Cell& cell : grid.rows[stage]) {
      for (int t = cell.begin; t < cell.end; ++t) {
        columns[static_cast<std::size_t>(t)] = slot_name(cell.slot, grid.split, chunks);
      }
    }
    std::string line = fmt::format("stage {}", stage);
    for (const std::string& column : columns) line += fmt::format(" {:<{}}", column, width);
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text;
}

}  // namespace stepmark
