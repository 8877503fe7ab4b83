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
// Declared rates of links, GB/s per accelerator and direction; the one that everything crosses,
// which it is, or why there is no such one.
inline constexpr const char* kScaleUpGbPerS = "scale_up_gb_per_s";
inline constexpr const char* kScaleOutGbPerS = "scale_out_gb_per_s";
inline constexpr const char* kLinkGbPerS = "link_gb_per_s";
inline constexpr const char* kLink = "link";
inline constexpr const char* kLinkUnknown = "link_unknown";
inline constexpr const char* kIsolatedS = "isolated_s";  // series

}  // namespace stepmark::facts::collective
