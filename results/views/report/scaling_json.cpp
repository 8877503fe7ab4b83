// SPDX-License-Identifier: Apache-2.0
// What is not known is null. The base has no efficiency of its own: it is what others have theirs
// of.
#include "results/views/report/scaling_json.h"

#include <nlohmann/json.hpp>

#include "results/across/scaling.h"

namespace stepmark {
namespace {

using nlohmann::json;

json or_null(const std::optional<double>& value) { return value ? json(*value) : json(nullptr); }

json measured_json(const normalise::Measured& one) {
  return {
      {"value", or_null(one.value)}, {"lower", or_null(one.lower)}, {"upper", or_null(one.upper)}};
}

}  // namespace

json scaling_json(std::span<const Run> runs, std::span<const std::string> owners) {
  json out = json::array();
  for (const ScalingSeries& series : scaling_of(runs, owners)) {
    json sizes = json::array();
    for (const ScaledSize& one : series.sizes) {
      sizes.push_back({{"gpus", one.gpus},
                       {"tokens", one.tokens},
                       {"plan", one.plan},
                       {"plans", one.plans},
                       {"runs", one.runs},
                       {"step_s", or_null(one.step_s.value)},
                       {"tokens_per_s", measured_json(one.tokens_per_s)},
                       {"efficiency", measured_json(one.against_base.efficiency.measured())}});
    }
    out.push_back({{"owner", series.owner},
                   {"model", series.model},
                   {"weak", series.weak},
                   {"base_gpus", series.sizes.front().gpus},
                   {"sizes", std::move(sizes)}});
  }
  return out;
}

}  // namespace stepmark
