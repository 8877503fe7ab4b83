// SPDX-License-Identifier: Apache-2.0
// What a suite may ask of family `overlap`.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/dtype.h"
#include "core/metrics.h"
#include "harness/cases/entry.h"

namespace stepmark {

// A GEMM beside a collective, or on one rank beside what takes a collective's room on the
// device: every combination of the lists.
struct OverlapEntry {
  std::int64_t m = 0, n = 0, k = 0;
  DType dtype = DType::f32;
  std::vector<CollectiveKind> kinds;
  std::vector<std::int64_t> bytes;
  std::vector<std::int64_t> max_ctas;     // 0: the library's choice
  std::vector<std::int64_t> occupy_ctas;  // of the stand-in
  std::vector<std::string> priorities;    // "normal", "high"
  void expand(const SuiteWorld& world, Expansion& expansion) const;
};

// For each group of a plan's step the call that moves most in it, in all groups of that name at the
// same time, beside the step's largest GEMM.
struct PlanOverlapEntry {
  WorkloadPlans of;
  std::vector<std::int64_t> max_ctas;
  std::vector<std::string> priorities;
  [[nodiscard]] NamedWorkload named_workload() { return {of.workload, of.place}; }
  // Skipped where no plan is legal; a remark where ranks do not talk.
  void expand(const SuiteWorld& world, Expansion& expansion) const;
};

}  // namespace stepmark
