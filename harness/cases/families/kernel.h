// SPDX-License-Identifier: Apache-2.0
// What a suite may ask of family `kernel`.
#pragma once

#include <limits>
#include <memory>
#include <vector>

#include "harness/cases/entry.h"
#include "kernels/op.h"

namespace stepmark {

struct KernelEntry {
  std::vector<OpId> ops;
  std::vector<DType> dtypes;
  // Only shapes of an op's list that move and compute at most, or move at least, this much per
  // call.
  double min_bytes = 0;
  double max_bytes = std::numeric_limits<double>::infinity();
  double max_gflop = std::numeric_limits<double>::infinity();
  YamlPlace place = {};  // of `dtypes`
  void expand(const SuiteWorld& world, Expansion& expansion) const;
};

[[nodiscard]] std::unique_ptr<Case> make_kernel_case(const OpShape& shape);

}  // namespace stepmark
