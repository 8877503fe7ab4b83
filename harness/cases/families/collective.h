// SPDX-License-Identifier: Apache-2.0
// What a suite may ask of family `collective`.
#pragma once

#include "collectives/sweep.h"
#include "harness/cases/entry.h"

namespace stepmark {

// Every size, dtype, operator and placement; sizes that leave a rank without an element make no
// case, with a remark.
struct CollectiveEntry {
  SweepSpec sweep;
  void expand(const SuiteWorld& world, Expansion& expansion) const;
};

}  // namespace stepmark
