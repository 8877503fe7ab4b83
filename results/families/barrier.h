// SPDX-License-Identifier: Apache-2.0
// Names of the facts of family `barrier`: what it costs to wait for everybody. Depends on nothing.
#pragma once

namespace stepmark::facts::barrier {

inline constexpr const char* kFamily = "barrier";
inline constexpr const char* kCalls = "calls";  // back to back, of one sample

}  // namespace stepmark::facts::barrier
