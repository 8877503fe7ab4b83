// SPDX-License-Identifier: Apache-2.0
// A row is taken in pieces that stay in the first cache: a piece's maximum, then its exponentials,
// added up relative to the piece's own maximum. Rows come from memory once; the gradient finds them
// in the second cache.
#include "kernels/ops/loss.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "kernels/host/number.h"
#include "kernels/host/reduce.h"
#include "kernels/host/table.h"
#include "kernels/host/vector_math.h"

namespace stepmark {
namespace {

using host::load;
using host::store;

constexpr std::int64_t kPiece = 2048;
constexpr float kLowest = -std::numeric_limits<float>::infinity();

struct Softmax {
  float largest = kLowest;
  double sum = 0;  // of exp(x - largest)
};

// exp of a piece relative to its own maximum, summed.
template <class T>
Softmax of_piece(const T* x, std::int64_t n) {
  // A NaN is left out here; its exponential makes the sum one.
  const float largest = host::max_in_lanes(0, n, [=](std::int64_t i) { return load(x[i]); });
  // Of -infinities only: each contributes 0, and no difference of infinities may arise.
  const float shift = largest == kLowest ? 0.0F : largest;
  return {largest,
          host::sum_in_lanes(0, n, [=](std::int64_t i) { return host::exp(load(x[i]) - shift); })};
}

Softmax joined(const Softmax& a, const Softmax& b) {
  if (b.largest <= a.largest) {
    return {a.largest, a.sum + (b.sum != 0 ? b.sum * std::exp(double{b.largest} - a.largest) : 0)};
  }
  return {b.largest, b.sum + (a.sum != 0 ? a.sum * std::exp(double{a.largest} - b.largest) : 0)};
}

template <class T>
Softmax of_row(const T* row, std::int64_t cols) {
  Softmax all;
  for (std::int64_t first = 0; first < cols; first += kPiece) {
    all = joined(all, of_piece(row + first, std::min(kPiece, cols - first)));
  }
  return all;
}

// Log of the sum less the target's logit, both relative to the maximum; the row becomes gradient.
template <class T>
double finish_row(T* row, const CeFwdBwdShape& s, std::int64_t target) {
  const Softmax all = of_row(row, s.cols);
  const float shift = all.largest, factor = static_cast<float>(s.scale / all.sum);
  const bool here = target >= 0 && target < s.cols;
  const float at_target = here ? load(row[target]) - shift : 0.0F;
#pragma omp simd
  for (std::int64_t c = 0; c < s.cols; ++c) {
    store(row[c], factor * host::exp(load(row[c]) - shift));
  }
  // From the unrounded probability: a bf16 result must not lose the difference from 1.
  if (here) store(row[target], factor * host::exp(at_target) - static_cast<float>(s.scale));
  for (std::int64_t c = s.cols; c < s.cols + s.padding; ++c) store(row[c], 0.0F);
  return std::log(all.sum) - double{at_target};
}

}  // namespace

void host_ce_fwd_bwd(const OpShape& shape, void* const* operands) {
  const auto s = unpack<CeFwdBwdShape>(shape);
  const auto* targets = host::input<std::int32_t>(operands, 1);
  float* loss = host::output<float>(operands, 2);
  // Of each row, to be added in the order of the rows whatever the number of threads.
  std::vector<double> row_loss(static_cast<std::size_t>(s.rows));
  host::with_type(shape.dtype, [&]<class T>(T) {
    T* logits = host::output<T>(operands, 0);
    host::parallel_each(s.rows, s.cols, [&](std::int64_t r) {
      T* row = logits + r * (s.cols + s.padding);
      row_loss[static_cast<std::size_t>(r)] = finish_row(row, s, targets[r]);
    });
  });
  double total = s.accumulate != 0 ? *loss : 0.0;
  for (const double value : row_loss) total += s.scale * value;
  *loss = static_cast<float>(total);
}

}  // namespace stepmark
