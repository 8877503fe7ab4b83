// SPDX-License-Identifier: Apache-2.0
// Agreement between ranks whose programs differ, as those of pipeline stages do. Internal to
// harness/cases.
#pragma once

#include <string>
#include <vector>

#include "core/control.h"

namespace stepmark {

struct Offer {
  double weight = 0;  // not negative
  std::string text;
};
// For each of several things, which all ranks offer in the same order, the offer of the greatest
// weight; of the lowest rank, where several have it. The same on all ranks. Collective.
[[nodiscard]] std::vector<Offer> greatest_offers(Control& control, const std::vector<Offer>& own);

}  // namespace stepmark
