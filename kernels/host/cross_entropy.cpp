// SPDX-License-Identifier: Apache-2.0
// Every pass reads its logits once, row by row. Row sums are taken over pieces of kPiece columns in
// fp32 and added up in double, so that 50,000 terms keep fp32's precision.
#include "kernels/ops/cross_entropy.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/host/number.h"
#include "kernels/host/reduce.h"
#include "kernels/host/table.h"
#include "kernels/host/vector_math.h"

namespace stepmark {
namespace {

using host::load;
using host::store;

constexpr std::int64_t kPiece = 2048;

template <class T>
float max_of(const T* x, std::int64_t n) {
  return host::max_in_lanes(0, n, [=](std::int64_t i) { return load(x[i]); });
}

template <class T>
double sum_exp(const T* x, std::int64_t n, float shift) {
  double total = 0;
  for (std::int64_t first = 0; first < n; first += kPiece) {
    const std::int64_t end = std::min(n, first + kPiece);
    total += host::sum_in_lanes(first, end,
                                [=](std::int64_t i) { return host::exp(load(x[i]) - shift); });
  }
  return total;
}

}  // namespace

void host_ce_max(const OpShape& shape, void* const* operands) {
  const auto s = unpack<CeMaxShape>(shape);
  host::with_type(shape.dtype, [&]<class T>(T) {
    const T* logits = host::input<T>(operands, 0);
    float* row_max = host::output<float>(operands, 1);
    host::parallel_each(s.rows, s.cols, [=](std::int64_t r) {
      row_max[r] = max_of(logits + r * (s.cols + s.padding), s.cols);
    });
  });
}

void host_ce_sum(const OpShape& shape, void* const* operands) {
  const auto s = unpack<CeSumShape>(shape);
  const float* row_max = host::input<float>(operands, 1);
  const auto* targets = host::input<std::int32_t>(operands, 2);
  float* sums = host::output<float>(operands, 3);
  host::with_type(shape.dtype, [&]<class T>(T) {
    const T* logits = host::input<T>(operands, 0);
    host::parallel_each(s.rows, s.cols, [=](std::int64_t r) {
      const T* row = logits + r * (s.cols + s.padding);
      const std::int64_t target = targets[r] - s.vocab_begin;
      sums[r] = static_cast<float>(sum_exp(row, s.cols, row_max[r]));
      sums[s.rows + r] = target >= 0 && target < s.cols ? load(row[target]) - row_max[r] : 0.0F;
    });
  });
}

void host_ce_bwd(const OpShape& shape, void* const* operands) {
  const auto s = unpack<CeBwdShape>(shape);
  const float* row_max = host::input<float>(operands, 1);
  const auto* targets = host::input<std::int32_t>(operands, 2);
  const float* sums = host::input<float>(operands, 3);
  float* loss = host::output<float>(operands, 4);
  double total = s.accumulate != 0 ? *loss : 0.0;
  for (std::int64_t r = 0; r < s.rows; ++r) {
    total += s.scale * (std::log(static_cast<double>(sums[r])) - sums[s.rows + r]);
  }
  *loss = static_cast<float>(total);
  host::with_type(shape.dtype, [&]<class T>(T) {
    T* logits = host::output<T>(operands, 0);
    host::parallel_each(s.rows, s.cols, [=](std::int64_t r) {
      T* row = logits + r * (s.cols + s.padding);
      const float shift = row_max[r], factor = static_cast<float>(s.scale / sums[r]);
      const std::int64_t target = targets[r] - s.vocab_begin;
      const bool here = target >= 0 && target < s.cols;
      const float at_target = here ? host::exp(load(row[target]) - shift) : 0.0F;
#pragma omp simd
      for (std::int64_t c = 0; c < s.cols; ++c) {
        store(row[c], factor * host::exp(load(row[c]) - shift));
      }
      // From the unrounded probability: a bf16 result must not lose the difference from 1.
      if (here) store(row[target], factor * at_target - static_cast<float>(s.scale));
      std::fill_n(row + s.cols, s.padding, T{});
    });
  });
}

}  // namespace stepmark
