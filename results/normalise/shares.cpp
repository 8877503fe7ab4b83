// SPDX-License-Identifier: Apache-2.0
// Quotients again. A share of nothing is 0 and known; one of something unknown is N/A.
#include "results/normalise/shares.h"

#include <fmt/format.h>

#include <cmath>

namespace stepmark::normalise {
namespace {

constexpr std::int64_t kFewestForP99 = 100;

constexpr Definition kWeak{"weak_scaling_efficiency", "1",
                           "tokens/s/GPU at the size / tokens/s/GPU at the base size",
                           "batch in proportion to GPUs; exemplar recipes"};
constexpr Definition kStrong{"strong_scaling_efficiency", "1",
                             "tokens/s/GPU at the size / tokens/s/GPU at the base size",
                             "the same batch; Megatron-LM README"};
constexpr Definition kExposed{"exposed_communication", "1",
                              "communication beside which no kernel runs / step time",
                              "split of the step, slowest rank", false};
constexpr Definition kJitter{"jitter", "1", "p99 / p50 of the samples", "tail of the step time",
                             false};
constexpr Definition kJoules{"joules_per_token", "J/token",
                             "energy of all devices per step / tokens per step",
                             "devices' own counters; hosts and cooling are not in it", false};
constexpr Definition kGoodput{"goodput", "1", "time that advanced the job / time paid for",
                              "ML Productivity Goodput, arXiv 2502.06982; ETTR, arXiv 2410.21680"};

// Throughput per GPU.
Measured per_gpu(const Size& size) {
  const auto scaled = [&](const std::optional<double>& value) {
    return value ? std::optional(*value / size.gpus) : std::nullopt;
  };
  return {scaled(size.tokens_per_s.value), scaled(size.tokens_per_s.lower),
          scaled(size.tokens_per_s.upper)};
}

// 0 of something is 0.
Figure part(const Definition& definition, const Input& above, const Input& below,
            std::string_view wrong) {
  const bool nothing = above.measured.value && *above.measured.value == 0;
  if (!nothing) return share(definition, above, below, wrong);
  Figure whole = quotient(definition, below, below);
  if (whole.value) whole.value = 0;
  return whole;
}

}  // namespace

Scaling scaling_efficiency(const Size& base, const Size& size, bool weak) {
  const Definition& definition = weak ? kWeak : kStrong;
  Scaling out{.efficiency = {}, .base_gpus = base.gpus, .gpus = size.gpus, .weak = weak};
  if (!(base.gpus > 0) || !(size.gpus > base.gpus)) {
    out.efficiency = not_available(
        definition,
        fmt::format("a base of {:g} GPUs is not smaller than {:g}", base.gpus, size.gpus));
    return out;
  }
  out.efficiency = quotient(definition, {"tokens/s at the size", per_gpu(size)},
                            {"tokens/s at the base size", per_gpu(base)});
  return out;
}

Figure exposed_communication(std::optional<double> exposed_s, std::optional<double> step_s) {
  return part(kExposed, {"exposed communication", exactly(exposed_s)},
              {"step time", exactly(step_s)}, "the parts are longer than the step");
}

Figure jitter(std::optional<double> p50_s, std::optional<double> p99_s, std::int64_t samples) {
  if (samples < kFewestForP99) {
    return not_available(
        kJitter, fmt::format("{} samples: a 99th percentile needs {}", samples, kFewestForP99));
  }
  return quotient(kJitter, {"p99", exactly(p99_s)}, {"p50", exactly(p50_s)});
}

Figure joules_per_token(std::optional<double> joules_per_step, std::optional<double> tokens) {
  return quotient(kJoules, {"joules_per_sample", exactly(joules_per_step)},
                  {"tokens_per_step", exactly(tokens)});
}

Figure goodput(std::optional<double> productive, std::optional<double> paid) {
  return part(kGoodput, {"productive time", exactly(productive)}, {"paid time", exactly(paid)},
              "more time was productive than was paid for");
}

}  // namespace stepmark::normalise
