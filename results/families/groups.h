// SPDX-License-Identifier: Apache-2.0
// Names of the facts of family `groups`: collectives of all axes of a plan at the same time. Those
// that begin with "_" follow the name of an axis. Depends on nothing.
#pragma once

namespace stepmark::facts::groups {

inline constexpr const char* kFamily = "groups";
inline constexpr const char* kAxes = "axes";  // a list: "tp,dp"
inline constexpr const char* kOpOf = "_op";
inline constexpr const char* kRanksOf = "_ranks";
inline constexpr const char* kSizeBytesOf = "_size_bytes";
inline constexpr const char* kCallsOf = "_calls";
// Of a plan, where a call is the sequence of ops that its step has in a group.
inline constexpr const char* kWorkload = "of_workload";
inline constexpr const char* kPlan = "of_plan";
inline constexpr const char* kOpsOf = "_ops_per_step";
inline constexpr const char* kBusBytesOf = "_bus_bytes";  // per step
// Series.
inline constexpr const char* kAloneSOf = "_alone_s";
inline constexpr const char* kTogetherSOf = "_together_s";

}  // namespace stepmark::facts::groups
