// SPDX-License-Identifier: Apache-2.0
// Rows of tokens that ranks send to each other's experts and compute there where a seed routes
// (routing.h), without the program that does it: for lists of plans.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "harness/spec/model.h"
#include "harness/spec/plan.h"
#include "harness/spec/stages.h"

namespace stepmark {

// Of one model: choices are drawn once for all plans that route alike.
class RoutedRows {
 public:
  explicit RoutedRows(const Model& model) : model_(model) {}
  // Of the layers of a stage, in a forward pass of one micro-step, of the rank that has most of
  // either.
  struct Most {
    std::int64_t sent = 0;  // rows that leave it: of its tokens, and what its experts send back
    std::int64_t kept = 0;  // that its experts get
    // That the experts of each layer's fullest rank get, over the layers: others wait for it before
    // they go on.
    std::int64_t waited_for = 0;
    // Ranks of a stage, counted from its first one: the one whose experts get most, and the one
    // whose experts get most in a single layer.
    std::int32_t keeper = 0, keeper_of_layer = 0;
  };
  // `plan` must be resolved.
  [[nodiscard]] Most most(const Plan& plan, std::span<const ModelStage> parts);

 private:
  // By rank of the expert axis: rows of a layer that the tokens of `rank` go to.
  [[nodiscard]] std::vector<std::int64_t> rows_of(const Plan& plan, std::int64_t layer,
                                                  std::int32_t rank);

  Model model_;
  // By way of routing, and layer.
  std::map<std::pair<std::string, std::int64_t>, std::vector<std::int32_t>> choices_;
  std::map<std::string, Most> most_;  // by what of a plan decides it
};

}  // namespace stepmark
