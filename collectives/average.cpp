// SPDX-License-Identifier: Apache-2.0
// Division per element type. fp32 and wider divide in their own type; small floats divide in float
// and round once; 8-bit integers divide in int, since the number of ranks may exceed the type.
#include "collectives/average.h"

#include <cmath>
#include <cstdint>

namespace stepmark {
namespace {

template <class T>
void divide(void* data, std::size_t count, int ranks) {
  T* x = static_cast<T*>(data);
  const T n = static_cast<T>(ranks);
  for (std::size_t i = 0; i < count; ++i) x[i] = x[i] / n;
}

// 8- and 16-bit integers: the number of ranks may not fit the type itself.
template <class T>
void divide_small_integer(void* data, std::size_t count, int ranks) {
  T* x = static_cast<T*>(data);
  for (std::size_t i = 0; i < count; ++i) x[i] = static_cast<T>(x[i] / ranks);
}

template <class T, T (*FromFloat)(float)>
void divide_small_float(void* data, std::size_t count, int ranks) {
  T* x = static_cast<T*>(data);
  const float n = static_cast<float>(ranks);
  for (std::size_t i = 0; i < count; ++i) x[i] = FromFloat(to_float(x[i]) / n);
}

}  // namespace

double average_of(double sum, int ranks, DType dtype) {
  if (!is_float(dtype)) return std::trunc(sum / ranks);
  if (dtype == DType::f64) return sum / ranks;
  return static_cast<double>(static_cast<float>(sum) / static_cast<float>(ranks));
}

void divide_in_place(void* data, std::size_t count, DType dtype, int ranks) {
  switch (dtype) {
    case DType::f32:
      return divide<float>(data, count, ranks);
    case DType::f64:
      return divide<double>(data, count, ranks);
    case DType::bf16:
      return divide_small_float<bf16, to_bf16>(data, count, ranks);
    case DType::f16:
      return divide_small_float<f16, to_f16>(data, count, ranks);
    case DType::f8e4m3:
      return divide_small_float<f8e4m3, to_f8e4m3>(data, count, ranks);
    case DType::f8e5m2:
      return divide_small_float<f8e5m2, to_f8e5m2>(data, count, ranks);
    case DType::i8:
      return divide_small_integer<std::int8_t>(data, count, ranks);
    case DType::u8:
      return divide_small_integer<std::uint8_t>(data, count, ranks);
    case DType::i32:
      return divide<std::int32_t>(data, count, ranks);
    case DType::u32:
      return divide<std::uint32_t>(data, count, ranks);
    case DType::i64:
      return divide<std::int64_t>(data, count, ranks);
    case DType::u64:
      return divide<std::uint64_t>(data, count, ranks);
  }
}

}  // namespace stepmark
