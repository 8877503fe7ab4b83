// SPDX-License-Identifier: Apache-2.0
// Names of the facts of family `collective`: one collective by itself. Depends on nothing.
#pragma once

namespace stepmark::facts::collective {

inline constexpr const char* kFamily = "collective";
inline constexpr const char* kCollective = "collective";  // which: all_reduce, ...
inline constexpr const char* kOp = "op";                  // of reductions
inline constexpr const char* kPlacement = "placement";
inline constexpr const char* kInPlace = "in-place";  // a placement
inline constexpr const char* kSizeBytes = "size_bytes";
inline constexpr const char* kCallsPerSample = "calls_per_sample";
inline constexpr const char* kFirstCallS = "first_call_s";
inline constexpr const char* kIsolatedS = "isolated_s";  // series

}  // namespace stepmark::facts::collective
