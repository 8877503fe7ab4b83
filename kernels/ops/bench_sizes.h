// SPDX-License-Identifier: Apache-2.0
// Sizes of the models whose layers the bench shapes are taken from. What is too large for a host is
// left out there by bytes and FLOPs (suites, kernels/bench), not here.
#pragma once

#include <cstdint>

namespace stepmark::bench {

// Llama 3 8B (arXiv 2407.21783, table 3) at 8192 tokens: one sequence of its training length.
inline constexpr std::int64_t kTokens = 8192;
inline constexpr std::int64_t kHidden = 4096;
inline constexpr std::int64_t kFfn = 14336;
inline constexpr std::int64_t kHeads = 32;
inline constexpr std::int64_t kKvHeads = 8;
inline constexpr std::int64_t kHeadDim = 128;
inline constexpr std::int64_t kVocab = 128256;
inline constexpr std::int64_t kQkv = (kHeads + 2 * kKvHeads) * kHeadDim;
// Parameters of one layer: what an optimizer step, or a gradient bucket, of it touches.
inline constexpr std::int64_t kLayerParams =
    kHidden * (kQkv + kHeads * kHeadDim + 3 * kFfn) + 2 * kHidden;

struct Linear {
  std::int64_t in, out;
};
// Query/key/value projection, attention output, gate and up, down.
inline constexpr Linear kLayer[] = {
    {kHidden, kQkv}, {kHidden, kHidden}, {kHidden, 2 * kFfn}, {kFfn, kHidden}};

}  // namespace stepmark::bench
