// SPDX-License-Identifier: Apache-2.0
// Division per element type. fp32 and wider divide in their own type; small floats divide in float
// and round once; 8-bit integers divide in int, since the number of ranks may exceed the type.
#include "collectives/average.h"

#include <cmath>
#include <cstdint>

namespace stepmark {
namespace {

// Small floats divide as floats; the number of ranks may not fit an 8-bit integer.
template <class T>
T quotient(T x, int ranks) {
  if constexpr (!std::is_arithmetic_v<T>) {
    return from_float<T>(to_float(x) / static_cast<float>(ranks));
  } else if constexpr (sizeof(T) == 1) {
    return static_cast<T>(x / ranks);
  } else {
    return x / static_cast<T>(ranks);
  }
}

}  // namespace

double average_of(double sum, int ranks, DType dtype) {
  if (!is_float(dtype)) return std::trunc(sum / ranks);
  if (dtype == DType::f64) return sum / ranks;
  return static_cast<double>(static_cast<float>(sum) / static_cast<float>(ranks));
}

void divide_in_place(void* data, std::size_t count, DType dtype, int ranks) {
  with_element(dtype, [=](auto element) {
    auto* x = static_cast<decltype(element)*>(data);
    for (std::size_t i = 0; i < count; ++i) x[i] = quotient(x[i], ranks);
  });
}

}  // namespace stepmark
