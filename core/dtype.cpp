// SPDX-License-Identifier: Apache-2.0
// Conversions in software, by tables for fp8. Doubles are narrowed through round-to-odd floats, so
// that rounding twice gives what rounding once would (Boldo & Melquiond 2008).
#include "core/dtype.h"

#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <type_traits>
#include <vector>

#include "core/error.h"
#include "core/yaml.h"

namespace stepmark {
namespace {

struct Traits {
  std::string_view name;
  std::size_t size;
  bool is_float;
  int significand_bits;
};

// In the order of the enum.
constexpr std::array<Traits, 12> kTraits{{{"fp32", 4, true, 24},
                                          {"fp64", 8, true, 53},
                                          {"bf16", 2, true, 8},
                                          {"fp16", 2, true, 11},
                                          {"fp8e4m3", 1, true, 4},
                                          {"fp8e5m2", 1, true, 3},
                                          {"int8", 1, false, 8},
                                          {"uint8", 1, false, 8},
                                          {"int32", 4, false, 32},
                                          {"uint32", 4, false, 32},
                                          {"int64", 8, false, 64},
                                          {"uint64", 8, false, 64}}};

const Traits& traits(DType dtype) { return kTraits.at(static_cast<std::size_t>(dtype)); }

// What the two fp8 formats differ in. `largest` is the largest finite magnitude, `infinity` 0 where
// there is none.
struct Fp8Format {
  std::uint32_t bias, mantissa_bits, largest, infinity, nan;
};
constexpr Fp8Format kE4M3{
    .bias = 7, .mantissa_bits = 3, .largest = 0x7E, .infinity = 0, .nan = 0x7F};
constexpr Fp8Format kE5M2{
    .bias = 15, .mantissa_bits = 2, .largest = 0x7B, .infinity = 0x7C, .nan = 0x7F};

constexpr std::uint8_t encode(float x, const Fp8Format& format) {
  const auto bits = std::bit_cast<std::uint32_t>(x);
  const std::uint32_t magnitude = bits & 0x7FFFFFFF;
  const std::uint32_t sign = bits >> 24 & 0x80;
  if (magnitude > 0x7F800000) return static_cast<std::uint8_t>(sign | format.nan);
  const auto rounded = detail::round_magnitude(magnitude, format.bias, format.mantissa_bits);
  return static_cast<std::uint8_t>(sign | (rounded < format.largest ? rounded : format.largest));
}

constexpr std::array<float, 256> decode_table(const Fp8Format& format) {
  std::array<float, 256> table{};
  for (std::uint32_t bits = 0; bits < 256; ++bits) {
    const std::uint32_t magnitude = bits & 0x7F;
    float value = std::numeric_limits<float>::quiet_NaN();
    if (magnitude <= format.largest) {
      value = detail::widen_magnitude(magnitude, format.bias, format.mantissa_bits);
    } else if (magnitude == format.infinity) {
      value = std::numeric_limits<float>::infinity();
    }
    table.at(bits) = bits < 0x80 ? value : -value;
  }
  return table;
}
constexpr auto kDecodeE4M3 = decode_table(kE4M3);
constexpr auto kDecodeE5M2 = decode_table(kE5M2);

// The float next to `x` rounded to odd: inexact results keep an odd last bit, so that rounding them
// again to a narrower format gives what rounding `x` at once would give (Boldo & Melquiond 2008).
float round_to_odd(double x) {
  const auto nearest = static_cast<float>(x);
  if (std::isnan(x) || static_cast<double>(nearest) == x) return nearest;
  auto bits = std::bit_cast<std::uint32_t>(nearest);
  if (std::fabs(static_cast<double>(nearest)) > std::fabs(x)) --bits;  // towards zero
  return std::bit_cast<float>(bits | 1);
}

template <class T>
T integer_from(double value) {
  // The limits as doubles: the upper one may round up to 2^k, hence >=.
  constexpr auto kLowest = static_cast<double>(std::numeric_limits<T>::min());
  constexpr auto kHighest = static_cast<double>(std::numeric_limits<T>::max());
  if (std::isnan(value)) return 0;
  if (value <= kLowest) return std::numeric_limits<T>::min();
  if (value >= kHighest) return std::numeric_limits<T>::max();
  return static_cast<T>(value);
}

template <class T>
double widen(T value) {
  if constexpr (std::is_arithmetic_v<T>) {
    return static_cast<double>(value);
  } else {
    return static_cast<double>(to_float(value));
  }
}

template <class T>
T narrow(double value) {
  if constexpr (std::is_integral_v<T>) {
    return integer_from<T>(value);
  } else if constexpr (std::is_arithmetic_v<T>) {
    return static_cast<T>(value);
  } else {
    return from_float<T>(round_to_odd(value));
  }
}

}  // namespace

std::size_t size_of(DType dtype) { return traits(dtype).size; }
std::string_view name_of(DType dtype) { return traits(dtype).name; }
bool is_float(DType dtype) { return traits(dtype).is_float; }
int significand_bits(DType dtype) { return traits(dtype).significand_bits; }

DType dtype_from(std::string_view name) {
  std::vector<std::string> valid;
  for (std::size_t i = 0; i < kTraits.size(); ++i) {
    if (kTraits.at(i).name == name) return static_cast<DType>(i);
    valid.emplace_back(kTraits.at(i).name);
  }
  throw Error(ExitCode::kUsage,
              fmt::format("unknown data type '{}'{}", name, nearest_hint(name, valid)));
}

f8e4m3 to_f8e4m3(float x) { return {encode(x, kE4M3)}; }
float to_float(f8e4m3 x) { return kDecodeE4M3[x.bits]; }
f8e5m2 to_f8e5m2(float x) { return {encode(x, kE5M2)}; }
float to_float(f8e5m2 x) { return kDecodeE5M2[x.bits]; }

double load_as_double(const void* data, DType dtype, std::size_t index) {
  return with_element(dtype, [&](auto element) {
    std::memcpy(&element, static_cast<const std::byte*>(data) + index * sizeof(element),
                sizeof(element));
    return widen(element);
  });
}

void store_from_double(void* data, DType dtype, std::size_t index, double value) {
  with_element(dtype, [&](auto element) {
    element = narrow<decltype(element)>(value);
    std::memcpy(static_cast<std::byte*>(data) + index * sizeof(element), &element, sizeof(element));
  });
}

}  // namespace stepmark
