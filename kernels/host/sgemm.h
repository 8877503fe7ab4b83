// SPDX-License-Identifier: Apache-2.0
// The only door to OpenBLAS.
#pragma once

#include <cblas.h>

#include <algorithm>
#include <cstdint>

namespace stepmark::host {

struct Matrix {  // row-major, `stride` elements from row to row
  const float* data;
  std::int64_t stride;
  bool transposed = false;
};

// c (m, n) = alpha op(a) op(b) + beta c. Uses OpenBLAS's threads, one per OpenMP thread of the
// caller, and only the calling thread inside a parallel region. c may hold NaN when beta is 0.
inline void sgemm(std::int64_t m, std::int64_t n, std::int64_t k, float alpha, Matrix a, Matrix b,
                  float beta, float* c, std::int64_t c_stride) {
  const auto narrow = [](std::int64_t v) {
    return static_cast<blasint>(std::max<std::int64_t>(1, v));
  };
  cblas_sgemm(CblasRowMajor, a.transposed ? CblasTrans : CblasNoTrans,
              b.transposed ? CblasTrans : CblasNoTrans, static_cast<blasint>(m),
              static_cast<blasint>(n), static_cast<blasint>(k), alpha, a.data, narrow(a.stride),
              b.data, narrow(b.stride), beta, c, narrow(c_stride));
}

}  // namespace stepmark::host
