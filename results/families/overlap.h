// SPDX-License-Identifier: Apache-2.0
// Names of the facts of family `overlap`: GEMMs beside a collective. Depends on nothing.
#pragma once

namespace stepmark::facts::overlap {

inline constexpr const char* kFamily = "overlap";
inline constexpr const char* kBeside = "beside";  // a collective, or the stand-in
inline constexpr const char* kCollective = "collective";
inline constexpr const char* kSizeBytes = "size_bytes";
inline constexpr const char* kMaxCtasRequested = "max_ctas_requested";
inline constexpr const char* kOccupyCtas = "occupy_ctas";  // of the stand-in
inline constexpr const char* kOccupyS = "occupy_s";
inline constexpr const char* kPriority = "priority";
inline constexpr const char* kGemm = "gemm";             // op and shape, as programs have them
inline constexpr const char* kGemmTitle = "gemm_title";  // dtype and dims, to be read
inline constexpr const char* kFlops = "flops";           // of one GEMM
inline constexpr const char* kGemmCalls = "gemm_calls";
inline constexpr const char* kCommCalls = "comm_calls";
// Of a plan's step: over which of its groups the collective is.
inline constexpr const char* kWorkload = "of_workload";
inline constexpr const char* kPlan = "of_plan";
inline constexpr const char* kGroup = "group";
inline constexpr const char* kGroupRanks = "group_ranks";
inline constexpr const char* kCommDtype = "comm_dtype";
// Series.
inline constexpr const char* kComputeAloneS = "compute_alone_s";
inline constexpr const char* kCommAloneS = "comm_alone_s";
inline constexpr const char* kComputeTogetherS = "compute_together_s";
inline constexpr const char* kCommTogetherS = "comm_together_s";

}  // namespace stepmark::facts::overlap
