// SPDX-License-Identifier: Apache-2.0
// Names of the facts that published figures have beside those of their family. Depends on nothing.
#pragma once

namespace stepmark::facts::published {

inline constexpr const char* kSet = "published_set";
inline constexpr const char* kSystem = "published_system";
inline constexpr const char* kGpu = "published_gpu";
inline constexpr const char* kNodes = "published_nodes";
inline constexpr const char* kSource = "published_source";
inline constexpr const char* kDate = "published_date";
inline constexpr const char* kWhat =
    "published_what";  // no measurement: a threshold, an expectation
inline constexpr const char* kNccl = "published_nccl";
inline constexpr const char* kNotes = "published_notes";

}  // namespace stepmark::facts::published
