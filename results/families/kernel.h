// SPDX-License-Identifier: Apache-2.0
// Names of the facts of family `kernel`: one op by itself. Depends on nothing.
#pragma once

namespace stepmark::facts::kernel {

inline constexpr const char* kFamily = "kernel";
inline constexpr const char* kOp = "op";
inline constexpr const char* kShape = "shape";
inline constexpr const char* kEngine = "engine";
inline constexpr const char* kFlops = "flops";
inline constexpr const char* kBytes = "bytes";
// What the device reaches, measured in the same run.
inline constexpr const char* kPeakGflops = "peak_gflops";
inline constexpr const char* kCopyGbps = "copy_gbps";

}  // namespace stepmark::facts::kernel
