// SPDX-License-Identifier: Apache-2.0
// What versions of cuDNN are known to do wrong in attention. Knows no header of cuDNN, so that
// whoever finds a version can ask.
#pragma once

#include <cstdint>

namespace stepmark::cuda {

// The backward pass reads invalid memory where the number of keys is no multiple of 128, there is
// no padding mask and it is replayed in a CUDA graph, which is how steps run. Source: release notes
// of cuDNN frontend 1.16.0, "SDPA", which name 9.15.1 as the first version without it
// (https://github.com/NVIDIA/cudnn-frontend/releases/tag/v1.16.0). Versions as cudnnGetVersion
// counts.
inline constexpr std::int64_t kCudnnBackwardFixed = 91501;
inline constexpr std::int64_t kCudnnBackwardKeys = 128;

[[nodiscard]] constexpr bool cudnn_backward_is_faulty(std::int64_t version, std::int64_t keys) {
  return version < kCudnnBackwardFixed && keys % kCudnnBackwardKeys != 0;
}

}  // namespace stepmark::cuda
