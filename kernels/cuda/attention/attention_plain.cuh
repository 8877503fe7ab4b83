// SPDX-License-Identifier: Apache-2.0
// What the plain attention kernels share: tiles of rows as fp32 in shared memory. A block owns
// kOwnRows rows, kRowsPerWarp per warp, and walks over tiles of kStreamRows rows, one per lane.
#pragma once

#include "kernels/cuda/attention/attention_layout.cuh"
#include "kernels/cuda/vector.cuh"

namespace stepmark::cuda::plain {

inline constexpr int kWarps = 4, kRowsPerWarp = 4;
inline constexpr int kOwnRows = kWarps * kRowsPerWarp, kStreamRows = 32;
inline constexpr unsigned kThreads = kWarps * kWarp;
static_assert(kStreamRows == kWarp, "a lane per streamed row");

// Pitch of the tiles that are read one row per lane: odd pitches keep lanes on different banks.
__host__ __device__ constexpr int stream_pitch(int head_dim) { return head_dim | 1; }

// kRows rows of which the first `valid` exist; the others become zero. All threads take part.
template <int kRows, class T>
__device__ void load_rows(float* to, int pitch, const T* from, std::int64_t stride,
                          std::int64_t valid, int head_dim) {
  const int warp = static_cast<int>(threadIdx.x) / static_cast<int>(kWarp);
  const int lane = static_cast<int>(threadIdx.x) % static_cast<int>(kWarp);
  for (int row = warp; row < kRows; row += kWarps) {
    for (int d = lane; d < head_dim; d += static_cast<int>(kWarp)) {
      to[row * pitch + d] = row < valid ? load(from[row * stride + d]) : 0.0F;
    }
  }
}

// products[r] = row r of `own` times row `lane` of `stream`.
__device__ inline void products_of(float (&products)[kRowsPerWarp], const float* own,
                                   const float* stream, int head_dim) {
  for (float& product : products) product = 0;
  for (int d = 0; d < head_dim; ++d) {
    const float other = stream[d];
    for (int r = 0; r < kRowsPerWarp; ++r) products[r] += own[r * head_dim + d] * other;
  }
}

// sums[r][c] += sum over the streamed rows j of weights[r][j] * stream[j][lane + 32 c].
template <int kChunks>
__device__ void add_weighted(float (&sums)[kRowsPerWarp][kChunks], const float* weights,
                             const float* stream, int head_dim) {
  const int lane = static_cast<int>(threadIdx.x) % static_cast<int>(kWarp);
  const int pitch = stream_pitch(head_dim);
  for (int j = 0; j < kStreamRows; ++j) {
    for (int c = 0; c < kChunks; ++c) {
      const int d = lane + c * static_cast<int>(kWarp);
      const float other = d < head_dim ? stream[j * pitch + d] : 0.0F;
      for (int r = 0; r < kRowsPerWarp; ++r) sums[r][c] += weights[r * kStreamRows + j] * other;
    }
  }
}

template <int kChunks, class T>
__device__ void store_row(T* to, const float (&row)[kChunks], float factor, int head_dim) {
  const int lane = static_cast<int>(threadIdx.x) % static_cast<int>(kWarp);
  for (int c = 0; c < kChunks; ++c) {
    const int d = lane + c * static_cast<int>(kWarp);
    if (d < head_dim) store(to[d], row[c] * factor);
  }
}

// Calls f with std::integral_constant<int, c>: c * 32 elements hold a row.
template <class F>
auto with_chunks(std::int64_t head_dim, F f) {
  if (head_dim <= 64) return f(std::integral_constant<int, 2>{});
  if (head_dim <= 128) return f(std::integral_constant<int, 4>{});
  return f(std::integral_constant<int, 8>{});
}

}  // namespace stepmark::cuda::plain
