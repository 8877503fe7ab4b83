// SPDX-License-Identifier: Apache-2.0
// Which rows belong to a token, in order. One pass over the tokens leaves, per table row, the first
// and the last row that has it (integer maxima, which no order of threads changes). A block that
// needs a token's rows scans the tokens between those two.
//
// Cost: most tokens of a batch occur once and scan nothing. One that occurs again reads up to all
// tokens once per block, 4 bytes each from the L2 cache: for 8192 tokens of which 1500 recur, 50 MB
// at most, next to 67 MB of dy (4096 columns, bf16) from memory.
#pragma once

#include "kernels/cuda/vector.cuh"

namespace stepmark::cuda {

struct TokenRows {
  const std::int32_t* tokens = nullptr;
  std::int64_t rows = 0, vocab_begin = 0, vocab_rows = 0;
  // Per table row; 0: no row has this token.
  std::int32_t* rows_from_first = nullptr;  // `rows` - the first one
  std::int32_t* end = nullptr;              // the last one + 1

  // The table row of a row's token, or -1 when it lies outside.
  __device__ std::int64_t table_row(std::int64_t row) const {
    const std::int64_t local = tokens[row] - vocab_begin;
    return local >= 0 && local < vocab_rows ? local : -1;
  }
  // The same, but only for the first row with that token.
  __device__ std::int64_t row_of_first(std::int64_t row) const {
    const std::int64_t local = table_row(row);
    return local >= 0 && rows - rows_from_first[local] == row ? local : -1;
  }
};

[[nodiscard]] inline std::size_t scratch_bytes(const TokenRows& of) {
  return 2 * static_cast<std::size_t>(of.vocab_rows) * sizeof(std::int32_t);
}

inline constexpr unsigned kTokenThreads = 256;

static __global__ void __launch_bounds__(kTokenThreads) token_rows_kernel(TokenRows of) {
  const std::int64_t step = std::int64_t{gridDim.x} * kTokenThreads;
  for (std::int64_t r = std::int64_t{blockIdx.x} * kTokenThreads + threadIdx.x; r < of.rows;
       r += step) {
    const std::int64_t local = of.table_row(r);
    if (local < 0) continue;
    atomicMax(of.rows_from_first + local, static_cast<std::int32_t>(of.rows - r));
    atomicMax(of.end + local, static_cast<std::int32_t>(r + 1));
  }
}

// Fills in what the kernels need, in scratch of scratch_bytes.
inline void enqueue_token_rows(TokenRows& of, void* scratch, int sm_count, cudaStream_t stream) {
  of.rows_from_first = static_cast<std::int32_t*>(scratch);
  of.end = of.rows_from_first + of.vocab_rows;
  STEPMARK_CUDA_CHECK(cudaMemsetAsync(scratch, 0, scratch_bytes(of), stream));
  launch(&token_rows_kernel,
         {.blocks = blocks_for(of.rows, kTokenThreads, sm_count), .threads = kTokenThreads}, stream,
         of);
}

inline constexpr int kScanWords = 64;  // of 32 rows, scanned at a time
inline constexpr int kPositionsAtOnce = 8;
inline constexpr std::size_t kPositionsShared = kScanWords * sizeof(unsigned);

// The set bits of kScanWords words, in order.
class SetBits {
 public:
  __device__ explicit SetBits(const unsigned* words) : words_(words), bits_(words[0]) {}
  // -1 at the end.
  __device__ int next() {
    while (bits_ == 0) {
      if (word_ + 1 >= kScanWords) return -1;
      bits_ = words_[++word_];
    }
    const int bit = __ffs(static_cast<int>(bits_)) - 1;
    bits_ &= bits_ - 1;
    return word_ * 32 + bit;
  }

 private:
  const unsigned* words_;
  unsigned bits_;
  int word_ = 0;
};

// Calls f with arrays of rows that have the token of a table row, in order, filled up with -1: in
// all threads of the block, which are whole warps and all take part. shared: kPositionsShared
// bytes.
template <class F>
__device__ inline void for_positions(const TokenRows& of, std::int64_t table_row, unsigned* shared,
                                     F f) {
  const std::int32_t end = of.end[table_row];
  if (end == 0) return;
  const auto rows = static_cast<std::int32_t>(of.rows);
  const std::int32_t first = rows - of.rows_from_first[table_row];
  if (first + 1 == end) {
    const std::int32_t only[1] = {first};
    f(only);
    return;
  }
  const auto token = static_cast<std::int32_t>(of.vocab_begin + table_row);
  const unsigned warp = threadIdx.x / kWarp, lane = threadIdx.x % kWarp;
  for (std::int64_t base = first; base < end; base += kScanWords * 32) {
    for (unsigned word = warp; word < kScanWords; word += blockDim.x / kWarp) {
      const std::int64_t row = base + word * 32 + lane;
      const unsigned bits = __ballot_sync(kFullMask, row < end && of.tokens[row] == token);
      if (lane == 0) shared[word] = bits;
    }
    __syncthreads();
    SetBits found(shared);
    for (;;) {
      std::int32_t at[kPositionsAtOnce];
      for (std::int32_t& row : at) {
        const int bit = found.next();
        row = bit < 0 ? -1 : static_cast<std::int32_t>(base) + bit;
      }
      if (at[0] < 0) break;
      f(at);
    }
    __syncthreads();
  }
}

}  // namespace stepmark::cuda
