// SPDX-License-Identifier: Apache-2.0
// Each is a quotient of a count and a time; scales go into the count, so that the time's interval
// carries through unchanged.
#include "results/normalise/rates.h"

#include <array>

#include "core/units.h"

namespace stepmark::normalise {
namespace {

constexpr Definition kTokens{"tokens_per_s", "tokens/s", "tokens per step / step time",
                             "exemplar recipes: sequence x global batch / step time"};
constexpr Definition kTokensPerGpu{"tokens_per_s_per_gpu", "tokens/s",
                                   "tokens per step / step time / GPUs",
                                   "exemplar recipes, torchtitan metrics.py"};
constexpr Definition kMfu{"mfu", "1", "model FLOPs / step time / (dense peak x GPUs)",
                          "PaLM, arXiv 2204.02311 App. B: attention in full, no recomputation"};
constexpr Definition kMfuCausal{"mfu_causal", "1",
                                "model FLOPs with causal attention / step time / (dense peak x "
                                "GPUs)",
                                "as MFU, attention halved as a causal model computes it"};
constexpr Definition kHfu{"hfu", "1", "FLOPs done / step time / (dense peak x GPUs)",
                          "arXiv 2205.05198: recomputation included"};
constexpr Definition kAchieved{"achieved_peak_use", "1",
                               "FLOPs done / step time / (best GEMM of the machine x GPUs)",
                               "ml-engineering, compute/accelerator (MAMF)"};
constexpr Definition kBusbw{"busbw", "GB/s", "bytes / time x bus factor of the collective",
                            "nccl-tests doc/PERFORMANCE.md"};
constexpr Definition kLink{"link_share", "1", "busbw / declared rate of a GPU's link",
                           "cluster file; per direction"};

const Definition& definition_of(Flops count) {
  constexpr std::array kAll{&kMfu, &kMfuCausal, &kHfu};
  return *kAll.at(static_cast<std::size_t>(count));
}

std::string_view flops_name(Flops count) {
  constexpr std::array<std::string_view, 3> kNames{
      "model_flops_per_step", "model_flops_causal_per_step", "hardware_flops_per_step"};
  return kNames.at(static_cast<std::size_t>(count));
}

std::optional<double> known(std::optional<double> value) {
  return value && *value > 0 ? value : std::nullopt;
}

std::optional<double> product(std::optional<double> a, std::optional<double> b) {
  return known(a) && known(b) ? std::optional(*a * *b) : std::nullopt;
}

std::optional<double> divided(std::optional<double> a, std::optional<double> b) {
  return known(a) && known(b) ? std::optional(*a / *b) : std::nullopt;
}

// `flops` against `peak` of each GPU; the first input that is not known is named.
Figure use_of(const Definition& definition, const Measured& step_s, const Input& flops,
              const Input& peak, std::optional<double> gpus, std::string_view wrong) {
  for (const Input& input : {flops, peak, Input{"gpus", exactly(gpus)}}) {
    if (!known(input.measured.value)) {
      return quotient(definition, input, {"step time", step_s});
    }
  }
  const auto seconds_at_peak = divided(flops.measured.value, product(peak.measured.value, gpus));
  return share(definition, {flops.name, exactly(seconds_at_peak)}, {"step time", step_s}, wrong);
}

}  // namespace

Figure tokens_per_s(const Measured& step_s, std::optional<double> tokens) {
  return quotient(kTokens, {"tokens_per_step", exactly(tokens)}, {"step time", step_s});
}

Figure tokens_per_s_per_gpu(const Measured& step_s, std::optional<double> tokens,
                            std::optional<double> gpus) {
  if (!known(gpus)) return quotient(kTokensPerGpu, {"gpus", {}}, {"step time", step_s});
  return quotient(kTokensPerGpu, {"tokens_per_step", exactly(divided(tokens, gpus))},
                  {"step time", step_s});
}

Figure utilization(Flops count, const Measured& step_s, std::optional<double> flops_per_step,
                   std::optional<double> peak_flops_per_s, std::optional<double> gpus) {
  return use_of(definition_of(count), step_s, {flops_name(count), exactly(flops_per_step)},
                {"dense peak of the device", exactly(peak_flops_per_s)}, gpus,
                "the peak or the FLOP count is wrong");
}

Figure achieved_peak_use(const Measured& step_s, std::optional<double> hardware_flops_per_step,
                         std::optional<double> best_gemm_flops_per_s, std::optional<double> gpus) {
  return use_of(kAchieved, step_s, {"hardware_flops_per_step", exactly(hardware_flops_per_step)},
                {"best GEMM of the machine", exactly(best_gemm_flops_per_s)}, gpus,
                "the best GEMM was measured slower than the step computes");
}

Figure bus_bandwidth(const Measured& time_s, CollectiveKind kind, int ranks,
                     std::optional<double> bytes) {
  const double factor = bus_factor(kind, ranks);
  if (!(factor > 0)) {
    Figure none = not_available(kBusbw, "one rank: nothing crosses a link");
    none.by_nature = true;
    return none;
  }
  return quotient(kBusbw, {"bytes", exactly(product(bytes, factor / kGB))}, {"time", time_s});
}

Figure link_share(const Measured& busbw_gb_per_s, std::optional<double> link_gb_per_s) {
  return quotient(kLink, {"busbw", busbw_gb_per_s}, {"declared link rate", exactly(link_gb_per_s)});
}

}  // namespace stepmark::normalise
