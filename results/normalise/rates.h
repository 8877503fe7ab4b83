// SPDX-License-Identifier: Apache-2.0
// How fast, in terms of the machine: tokens, utilisation of peaks and of links. Definitions are
// those of docs/decisions.md; times are seconds per step or call, the maximum over ranks.
#pragma once

#include "core/metrics.h"
#include "results/normalise/figure.h"

namespace stepmark::normalise {

// Which FLOPs a utilisation counts: of the model with attention in full (PaLM), of the model with
// attention counted causally, or those done, recomputation included.
enum class Flops : std::uint8_t { model, model_causal, hardware };

// tokens of a step / its time.
[[nodiscard]] Figure tokens_per_s(const Measured& step_s, std::optional<double> tokens);
[[nodiscard]] Figure tokens_per_s_per_gpu(const Measured& step_s, std::optional<double> tokens,
                                          std::optional<double> gpus);
// FLOPs of a step (all GPUs) / time / (dense peak of one GPU x GPUs): MFU, causal MFU, HFU. N/A
// over 1: the peak or the count is wrong then.
[[nodiscard]] Figure utilization(Flops count, const Measured& step_s,
                                 std::optional<double> flops_per_step,
                                 std::optional<double> peak_flops_per_s,
                                 std::optional<double> gpus);
// FLOPs done against the best GEMM of the same machine instead of its datasheet: tells the chip's
// clock and power limits from what the network costs.
[[nodiscard]] Figure achieved_peak_use(const Measured& step_s,
                                       std::optional<double> hardware_flops_per_step,
                                       std::optional<double> best_gemm_flops_per_s,
                                       std::optional<double> gpus);
// algbw x bus factor, GB/s (1e9 bytes), per direction; `bytes` as nccl-tests counts them. N/A on
// one rank where nothing crosses a link.
[[nodiscard]] Figure bus_bandwidth(const Measured& time_s, CollectiveKind kind, int ranks,
                                   std::optional<double> bytes);
// Of the declared rate of one GPU's link, GB/s per direction. May exceed 1 with nothing wrong where
// the network reduces (NVLS, SHARP): no error.
[[nodiscard]] Figure link_share(const Measured& busbw_gb_per_s,
                                std::optional<double> link_gb_per_s);

}  // namespace stepmark::normalise
