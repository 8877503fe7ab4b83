// SPDX-License-Identifier: Apache-2.0
// How throughput grows with the number of GPUs: the same model at several sizes on machines of one
// kind. Definition of the efficiency: results/normalise/shares.h.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "results/across/work.h"
#include "results/normalise/shares.h"

namespace stepmark {

// The plan with the highest throughput at one size.
struct ScaledSize {
  double gpus = 0, tokens = 0;  // per step
  std::string plan;
  int plans = 0;  // it was chosen from so many: the best of several reads a little high
  int runs = 0;   // of the chosen plan
  normalise::Measured step_s, tokens_per_s;  // intervals from two runs or repetitions on
  normalise::Scaling against_base;           // of the base itself: N/A
};

struct ScalingSeries {
  std::string owner;  // provider, side or cluster; empty: all runs are of one machine
  std::string model;
  bool weak = false;              // the batch grows with the GPUs; else it stays
  std::vector<ScaledSize> sizes;  // at least two; the smallest first, which is the base
};

// `owners`: whose each run is; empty: the cluster that its records name, else its hardware. Steps
// with a failed check or without claim to performance do not count. Empty where no work was
// measured at several sizes.
[[nodiscard]] std::vector<ScalingSeries> scaling_of(std::span<const Run> runs,
                                                    std::span<const std::string> owners = {});

}  // namespace stepmark
