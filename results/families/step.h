// SPDX-License-Identifier: Apache-2.0
// Names of the facts of family `step`: a whole training step. Depends on nothing.
#pragma once

namespace stepmark::facts::step {

inline constexpr const char* kFamily = "step";
inline constexpr const char* kWorkload = "workload";
inline constexpr const char* kPlan = "plan";
inline constexpr const char* kPrecision = "precision";
inline constexpr const char* kGpus = "gpus";
inline constexpr const char* kTokensPerStep = "tokens_per_step";
inline constexpr const char* kParameters = "parameters";
inline constexpr const char* kMemoryBytesPerRank = "memory_bytes_per_rank";
inline constexpr const char* kOptimizerBytesPerRank = "optimizer_bytes_per_rank";  // its state
inline constexpr const char* kBusBytesPrefix = "bus_bytes_";                       // of an axis
// FLOPs of all GPUs together: as published counts have it, with attention counted causally, and
// done.
inline constexpr const char* kModelFlops = "model_flops_per_step";
inline constexpr const char* kModelFlopsCausal = "model_flops_causal_per_step";
inline constexpr const char* kHardwareFlops = "hardware_flops_per_step";
// The dense peak of one GPU, whose it is, and what it stands for.
inline constexpr const char* kPeakFlopsPerS = "peak_flops_per_s";
inline constexpr const char* kPeakSource = "peak_source";
inline constexpr const char* kPeakUnknown = "peak_unknown";
inline constexpr const char* kPeakPowerW = "peak_specified_power_w";
inline constexpr const char* kPeakSmClockMhz = "peak_specified_sm_clock_mhz";
inline constexpr const char* kAchievableFlopsPerS = "achievable_flops_per_s";
// What padding adds.
inline constexpr const char* kPadding = "padding";
inline constexpr const char* kPaddingFlops = "padding_flops_per_step";
inline constexpr const char* kPaddingBytesPerRank = "padding_bytes_per_rank";
inline constexpr const char* kPaddingParametersPerRank = "padding_parameters_per_rank";
// Where a seed sends tokens to experts: the largest load over the mean, by expert and by rank.
inline constexpr const char* kBusiestExpert = "busiest_expert_over_mean";
inline constexpr const char* kBusiestRank = "busiest_rank_over_mean";
// What computed it.
inline constexpr const char* kAttentionEngine = "attention_engine";
inline constexpr const char* kGemmEngine = "gemm_engine";
inline constexpr const char* kEngineOf = "_engine";  // after "attention" or "gemm"
inline constexpr const char* kAlgorithmsOf = "_algorithms";
// What the step came to.
inline constexpr const char* kFirstLoss = "first_loss";
inline constexpr const char* kGradientNorm = "gradient_norm";
inline constexpr const char* kOptimizerOverlappedS = "optimizer_overlapped_s";
// Whether the optimizer went beside the backward pass, why, and what was tried.
inline constexpr const char* kOptimizerForm = "optimizer_form";
inline constexpr const char* kOptimizerChoice = "optimizer_choice";
inline constexpr const char* kStepSerialS = "step_serial_s";
inline constexpr const char* kStepOverlappedS = "step_overlapped_s";
// Standing still in transfers before the last of the others had come: of a rank on the mean over
// ranks; which rank was the last for most of it, and how much of the mean that is.
inline constexpr const char* kWaitingS = "waiting_s";
inline constexpr const char* kWaitedForRank = "waited_for_rank";
inline constexpr const char* kWaitedForS = "waited_for_s";
inline constexpr const char* kClockErrorS = "clock_error_s";       // of the ranks' clocks, at most
inline constexpr const char* kWaitingUnknown = "waiting_unknown";  // why
inline constexpr const char* kGapS = "gap_s";
inline constexpr const char* kExecutorOverheadS = "executor_overhead_s";
inline constexpr const char* kEmptyGraphS = "empty_graph_s";

}  // namespace stepmark::facts::step
