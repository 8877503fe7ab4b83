// SPDX-License-Identifier: Apache-2.0
// What is lost and where: scaling, exposed communication, jitter, energy, time paid for and not
// used. Definitions and sources: docs/decisions.md.
#pragma once

#include "results/normalise/figure.h"

namespace stepmark::normalise {

// Throughput per GPU at some size; the base size is part of every scaling efficiency.
struct Size {
  double gpus = 0;
  Measured tokens_per_s;
};
// Throughput per GPU at `size` against `base`. `weak`: the batch grew with the GPUs; else the same
// work on more GPUs (strong). N/A where the base is not smaller.
struct Scaling {
  Figure efficiency;
  double base_gpus = 0, gpus = 0;
  bool weak = false;
};
[[nodiscard]] Scaling scaling_efficiency(const Size& base, const Size& size, bool weak);

// Exposed communication of the step / its time: what the step waits for messages that nothing
// hides.
[[nodiscard]] Figure exposed_communication(std::optional<double> exposed_s,
                                           std::optional<double> step_s);
// p99 / p50 of the samples; N/A with fewer than 100, where a 99th percentile is the largest value.
[[nodiscard]] Figure jitter(std::optional<double> p50_s, std::optional<double> p99_s,
                            std::int64_t samples);
// Energy of all devices per step / tokens per step.
[[nodiscard]] Figure joules_per_token(std::optional<double> joules_per_step,
                                      std::optional<double> tokens);
// Time that advanced the job / time that was paid for, in one unit.
[[nodiscard]] Figure goodput(std::optional<double> productive, std::optional<double> paid);

}  // namespace stepmark::normalise
