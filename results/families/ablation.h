// SPDX-License-Identifier: Apache-2.0
// Names of the facts of family `ablation`: a step with and without a part of it.
// Depends on nothing.
#pragma once

namespace stepmark::facts::ablation {

inline constexpr const char* kFamily = "ablation";
// Of the whole step. Not named as a step's own facts: comparisons of providers take what has a
// workload for one.
inline constexpr const char* kWorkload = "of_workload";
inline constexpr const char* kPlan = "of_plan";
inline constexpr const char* kPrecision = "of_precision";
inline constexpr const char* kPart = "part";
inline constexpr const char* kStep = "step";  // short name of workload and plan
// Of the whole step's own split: what its rank that waits least stands still for the part.
inline constexpr const char* kExposedS = "exposed_s";
// Series.
inline constexpr const char* kWithoutS = "without_s";
inline constexpr const char* kSavedS = "saved_s";

}  // namespace stepmark::facts::ablation
