// SPDX-License-Identifier: Apache-2.0
// The only door to OpenBLAS.
//
// OpenBLAS computes on one thread; tiles of the result are shared among threads here. Its own
// threads share packed blocks and wait for each other several times per GEMM, spinning: on two
// cores of an idle machine that costs a few percent at the sizes of a training step, and a third
// of the rate where anything else wants a core. Tiles meet once, at the end.
#pragma once

#include <cblas.h>
#include <omp.h>

#include <algorithm>
#include <cstdint>
#include <limits>

namespace stepmark::host {

struct Matrix {  // row-major, `stride` elements from row to row
  const float* data;
  std::int64_t stride;
  bool transposed = false;

  // op(matrix) from that row and column on.
  [[nodiscard]] Matrix from(std::int64_t row, std::int64_t col) const {
    const std::int64_t at = transposed ? col * stride + row : row * stride + col;
    return {.data = data + at, .stride = stride, .transposed = transposed};
  }
};

// On the calling thread alone where it is inside a parallel region.
inline void sgemm_call(std::int64_t m, std::int64_t n, std::int64_t k, float alpha, Matrix a,
                       Matrix b, float beta, float* c, std::int64_t c_stride) {
  const auto narrow = [](std::int64_t v) {
    return static_cast<blasint>(std::max<std::int64_t>(1, v));
  };
  cblas_sgemm(CblasRowMajor, a.transposed ? CblasTrans : CblasNoTrans,
              b.transposed ? CblasTrans : CblasNoTrans, static_cast<blasint>(m),
              static_cast<blasint>(n), static_cast<blasint>(k), alpha, a.data, narrow(a.stride),
              b.data, narrow(b.stride), beta, c, narrow(c_stride));
}

struct Tiles {
  std::int64_t rows, cols;  // of a tile; those at the ends may have less
};

// At most one tile per thread. A tile of r rows and c columns costs r c multiply-adds and packs
// r + c vectors; packing an element costs about as much as 40 multiply-adds.
[[nodiscard]] inline Tiles tiles_for(std::int64_t m, std::int64_t n, std::int64_t threads) {
  constexpr std::int64_t kGrain = 16, kPackCost = 40;  // grain: whole kernels and cache lines
  const auto share = [](std::int64_t size, std::int64_t parts) {
    return std::min(size, ((size + parts - 1) / parts + kGrain - 1) / kGrain * kGrain);
  };
  Tiles best{.rows = m, .cols = n};
  std::int64_t lowest = std::numeric_limits<std::int64_t>::max();
  for (std::int64_t down = 1; down <= threads; ++down) {
    const Tiles tiles{.rows = share(m, down), .cols = share(n, threads / down)};
    const std::int64_t cost = tiles.rows * tiles.cols + kPackCost * (tiles.rows + tiles.cols);
    if (cost >= lowest) continue;
    lowest = cost;
    best = tiles;
  }
  return best;
}

// c (m, n) = alpha op(a) op(b) + beta c, on one thread per OpenMP thread of the caller, and on the
// calling thread alone inside a parallel region. c may hold NaN when beta is 0.
inline void sgemm(std::int64_t m, std::int64_t n, std::int64_t k, float alpha, Matrix a, Matrix b,
                  float beta, float* c, std::int64_t c_stride) {
  if (m == 0 || n == 0) return;
  // Below this many multiply-adds waking other threads costs more than it saves.
  constexpr std::int64_t kSerialGemm = 1 << 19;
  const std::int64_t threads =
      omp_in_parallel() != 0 || m * n * k < kSerialGemm ? 1 : omp_get_max_threads();
  const Tiles tiles = tiles_for(m, n, threads);
  const std::int64_t across = (n + tiles.cols - 1) / tiles.cols;
  const std::int64_t count = (m + tiles.rows - 1) / tiles.rows * across;
#pragma omp parallel for schedule(static) if (count > 1)
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t row = i / across * tiles.rows, col = i % across * tiles.cols;
    sgemm_call(std::min(tiles.rows, m - row), std::min(tiles.cols, n - col), k, alpha,
               a.from(row, 0), b.from(0, col), beta, c + row * c_stride + col, c_stride);
  }
}

}  // namespace stepmark::host
