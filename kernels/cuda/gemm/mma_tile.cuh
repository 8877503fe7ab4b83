// SPDX-License-Identifier: Apache-2.0
// A block's 128x128 results of a GEMM of bf16 on the tensor cores: tiles of the operands, 32 deep,
// are on their way to shared memory while those before are multiplied; each of four warps adds up
// 64x64 results in fp32.
//
// What is added up runs along the depth. An operand's elements follow each other in memory along
// the depth ("deep") or along its rows; in shared memory they lie the same way, in lines of chunks
// of 16 bytes, whose order in a line makes the eight that an ldmatrix reads lie on different banks.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/cuda/vector.cuh"

namespace stepmark::cuda::mma {

inline constexpr int kTile = 128, kDepth = 32, kStages = 4, kWarpTile = 64;
inline constexpr int kThreads = 128;
inline constexpr int kChunk = 8;  // elements in 16 bytes
inline constexpr int kTileElements = kTile * kDepth;
inline constexpr std::size_t kSharedBytes =
    std::size_t{2} * kStages * kTileElements * sizeof(bfloat);

// Element (row, d) of an operand is data[row * pitch + d] when deep, else data[d * pitch + row].
// data and pitch are multiples of a chunk, and so is what runs along lines: depth when deep, else
// rows.
template <bool kDeep>
struct Operand {
  const bfloat* data;
  std::int64_t pitch, rows, depth;
};

// Where the chunks of a tile lie, and which of them a thread copies: one line in kLines / kCopies.
template <bool kDeep>
struct TileLayout {
  static constexpr int kLines = kDeep ? kTile : kDepth;
  static constexpr int kLineChunks = kTileElements / kLines / kChunk;
  static constexpr int kCopies = kTileElements / kChunk / kThreads;
  static constexpr int kStep = kLines / kCopies;
  static_assert(kStep % 8 == 0, "all lines of a thread have their chunks in the same order");

  // Two lines of four chunks, or half a line of sixteen, fill all banks.
  __device__ static int order(int line) { return kDeep ? line / 2 % 4 : line % 8; }
  __device__ static int place(int line, int chunk) {
    return (line * kLineChunks + (chunk ^ order(line))) * kChunk;
  }
};

// A thread's copies of one tile of an operand after the other, along the depth.
template <bool kDeep>
class TileCopies {
  using L = TileLayout<kDeep>;

 public:
  __device__ TileCopies(const Operand<kDeep>& x, std::int64_t row0) : x_(x) {
    const int line = static_cast<int>(threadIdx.x) / L::kLineChunks;
    const int chunk = static_cast<int>(threadIdx.x) % L::kLineChunks;
    place_ = L::place(line, chunk);
    row_ = row0 + (kDeep ? line : chunk * kChunk);
    depth_ = kDeep ? chunk * kChunk : line;
    from_ = x.data + (kDeep ? row_ * x.pitch + depth_ : depth_ * x.pitch + row_);
  }
  // What is beyond the operand becomes zero.
  __device__ void next(bfloat* tile) {
    STEPMARK_UNROLL
    for (int i = 0; i < L::kCopies; ++i) {
      const std::int64_t row = row_ + (kDeep ? i * L::kStep : 0);
      const std::int64_t depth = depth_ + (kDeep ? 0 : i * L::kStep);
      const bool inside = row < x_.rows && depth < x_.depth;
      copy_async_16(tile + place_ + i * L::kStep * L::kLineChunks * kChunk,
                    inside ? from_ + i * L::kStep * x_.pitch : x_.data, inside);
    }
    depth_ += kDepth;
    from_ += kDeep ? kDepth : kDepth * x_.pitch;
  }

 private:
  Operand<kDeep> x_;
  const bfloat* from_;
  std::int64_t row_, depth_;
  int place_;
};

// Blocks of 16 rows by 16 deep of a tile as the tensor core takes them: words 0 and 1 are the lower
// and upper eight rows of the first eight deep, words 2 and 3 those of the next. Rows and depths of
// blocks change no bits of a chunk's place that differ between lanes.
template <bool kDeep>
class Blocks {
  using L = TileLayout<kDeep>;

 public:
  // From the tile's `row0`, a multiple of kWarpTile, on.
  __device__ explicit Blocks(int row0) {
    const int lane = static_cast<int>(threadIdx.x) % static_cast<int>(kWarp);
    const int upper = lane / 8 % 2, later = lane / 16;
    const int line = kDeep ? row0 + lane % 16 : lane % 8 + 8 * later;
    line_ = line * L::kLineChunks * kChunk;
    chunk_ = (kDeep ? later : row0 / kChunk + upper) ^ L::order(line);
  }
  // `row` and `depth`: multiples of 16, below kWarpTile and kDepth.
  __device__ void load(std::uint32_t (&words)[4], const bfloat* tile, int row, int depth) const {
    const int lines = kDeep ? row : depth, chunks = (kDeep ? depth : row) / kChunk;
    const bfloat* from =
        tile + line_ + lines * L::kLineChunks * kChunk + (chunk_ ^ chunks) * kChunk;
    if (kDeep) {
      load_matrix_x4(words, from);
    } else {
      load_matrix_x4_transposed(words, from);
    }
  }

 private:
  int line_, chunk_;
};

// Calls write(i, j, x, y) with the sums over the depth of a(i, d) b(j, d) and of a(i, d) b(j+1, d),
// for every i and even j of the tile at (i0, j0) that there is. b has an even number of rows.
template <bool kADeep, bool kBDeep, class Write>
__device__ inline void tile_of(const Operand<kADeep>& a, const Operand<kBDeep>& b, std::int64_t i0,
                               std::int64_t j0, Write write) {
  auto* shared = reinterpret_cast<bfloat*>(block_shared());
  const std::int64_t steps = (a.depth + kDepth - 1) / kDepth;
  TileCopies<kADeep> a_copies(a, i0);
  TileCopies<kBDeep> b_copies(b, j0);
  const auto copy = [&](std::int64_t step) {
    if (step < steps) {
      bfloat* to = shared + step % kStages * 2 * kTileElements;
      a_copies.next(to);
      b_copies.next(to + kTileElements);
    }
    copy_async_commit();
  };
  for (int step = 0; step < kStages - 1; ++step) copy(step);

  constexpr int kSide = kTile / kWarpTile, kRowBlocks = kWarpTile / 16;
  const int warp = static_cast<int>(threadIdx.x) / static_cast<int>(kWarp);
  const int own_i = warp / kSide * kWarpTile, own_j = warp % kSide * kWarpTile;
  const bool has_results = i0 + own_i < a.rows && j0 + own_j < b.rows;
  const Blocks<kADeep> a_blocks(own_i);
  const Blocks<kBDeep> b_blocks(own_j);
  float sums[kRowBlocks][2 * kRowBlocks][4] = {};
  for (std::int64_t step = 0; step < steps; ++step) {
    copy_async_wait<kStages - 2>();
    // This step's tiles are there for all warps, and all are done with those that the next copies
    // replace.
    __syncthreads();
    copy(step + kStages - 1);
    if (!has_results) continue;
    const bfloat* a_tile = shared + step % kStages * 2 * kTileElements;
    const bfloat* b_tile = a_tile + kTileElements;
    STEPMARK_UNROLL
    for (int depth = 0; depth < kDepth; depth += 16) {
      std::uint32_t left[kRowBlocks][4];
      STEPMARK_UNROLL
      for (int m = 0; m < kRowBlocks; ++m) a_blocks.load(left[m], a_tile, 16 * m, depth);
      STEPMARK_UNROLL
      for (int n = 0; n < kRowBlocks; ++n) {
        std::uint32_t right[4];
        b_blocks.load(right, b_tile, 16 * n, depth);
        const std::uint32_t lower[2] = {right[0], right[2]}, upper[2] = {right[1], right[3]};
        STEPMARK_UNROLL
        for (int m = 0; m < kRowBlocks; ++m) {
          mma_bf16_16x8x16(sums[m][2 * n], left[m], lower);
          mma_bf16_16x8x16(sums[m][2 * n + 1], left[m], upper);
        }
      }
    }
  }
  if (!has_results) return;
  const int lane = static_cast<int>(threadIdx.x) % static_cast<int>(kWarp);
  STEPMARK_UNROLL
  for (int m = 0; m < kRowBlocks; ++m) {
    STEPMARK_UNROLL
    for (int half = 0; half < 2; ++half) {
      const std::int64_t i = i0 + own_i + 16 * m + 8 * half + lane / 4;
      if (i >= a.rows) continue;
      STEPMARK_UNROLL
      for (int n = 0; n < 2 * kRowBlocks; ++n) {
        const std::int64_t j = j0 + own_j + 8 * n + lane % 4 * 2;
        if (j < b.rows) write(i, j, sums[m][n][2 * half], sums[m][n][2 * half + 1]);
      }
    }
  }
}

[[nodiscard]] __host__ __device__ constexpr std::int64_t tiles(std::int64_t size) {
  return (size + kTile - 1) / kTile;
}

// Which tile of `down` x `across` a block computes. Blocks that run together make a patch of tiles
// and read the same rows of both operands: eight tiles down before the next eight across.
struct TilePlace {
  std::int64_t down, across;
};
[[nodiscard]] __device__ inline TilePlace place_of(std::int64_t block, std::int64_t down,
                                                   std::int64_t across) {
  constexpr std::int64_t kPatch = 8;
  const std::int64_t first = block / (kPatch * across) * kPatch,
                     of_patch = block % (kPatch * across);
  const std::int64_t height = down - first < kPatch ? down - first : kPatch;
  return {first + of_patch % height, of_patch / height};
}

}  // namespace stepmark::cuda::mma
