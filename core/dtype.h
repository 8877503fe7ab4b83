// SPDX-License-Identifier: Apache-2.0
// Element types and their software conversions. bf16, fp16 and fp8 are plain storage types here:
// arithmetic is done in float. Rounding is to nearest, ties to even. fp8 follows the OCP 8-bit
// floating point specification (revision 1.0): e4m3 has no infinity, max 448; e5m2 is IEEE-like,
// max 57344. Conversion to fp8 saturates to the largest finite value (as CUDA's __NV_SATFINITE
// does, infinity included), NaN stays NaN and keeps its sign. fp16 and bf16 overflow to infinity.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>

namespace stepmark {

enum class DType : std::uint8_t { f32, f64, bf16, f16, f8e4m3, f8e5m2, i8, u8, i32, u32, i64, u64 };

[[nodiscard]] std::size_t size_of(DType dtype);
// Names of the command line and of records: fp32 fp64 bf16 fp16 fp8e4m3 fp8e5m2 int8 uint8 ...
[[nodiscard]] std::string_view name_of(DType dtype);
// Throws Error(kUsage) naming the nearest valid name.
[[nodiscard]] DType dtype_from(std::string_view name);
[[nodiscard]] bool is_float(DType dtype);
// Significand bits including the hidden one (fp32 24, bf16 8, fp16 11, e4m3 4, e5m2 3, fp64 53);
// for integers the width.
[[nodiscard]] int significand_bits(DType dtype);

struct bf16 {
  std::uint16_t bits;
};
struct f16 {
  std::uint16_t bits;
};
struct f8e4m3 {
  std::uint8_t bits;
};
struct f8e5m2 {
  std::uint8_t bits;
};

namespace detail {

// Rounds |x| (given as the bits of a float, not NaN) to a format with `exponent_bias` and
// `mantissa_bits`; overflow runs on into the exponents above the format's largest.
[[nodiscard]] constexpr std::uint32_t round_magnitude(std::uint32_t bits,
                                                      std::uint32_t exponent_bias,
                                                      std::uint32_t mantissa_bits) {
  const std::uint32_t rebias = 127 - exponent_bias;
  const std::uint32_t exponent = bits >> 23;
  std::uint32_t value = bits - (rebias << 23);
  std::uint32_t shift = 23 - mantissa_bits;
  if (exponent <= rebias) {  // subnormal in the narrow format
    value = (bits & 0x7FFFFF) | 0x800000;
    shift += rebias + 1 - exponent;
    if (shift > 24) return 0;  // below half of the smallest subnormal
  }
  return (value + (1U << (shift - 1)) - 1 + ((value >> shift) & 1)) >> shift;
}

// The float equal to a finite narrow magnitude.
[[nodiscard]] constexpr float widen_magnitude(std::uint32_t bits, std::uint32_t exponent_bias,
                                              std::uint32_t mantissa_bits) {
  const std::uint32_t rebias = 127 - exponent_bias;
  const std::uint32_t shift = 23 - mantissa_bits;
  const std::uint32_t exponent = bits >> mantissa_bits;
  if (exponent != 0) return std::bit_cast<float>((bits << shift) + (rebias << 23));
  // Subnormal: put the mantissa under the smallest normal's hidden bit, then take that away again.
  const std::uint32_t smallest = (rebias + 1) << 23;
  return std::bit_cast<float>((bits << shift) + smallest) - std::bit_cast<float>(smallest);
}

}  // namespace detail

[[nodiscard]] constexpr bf16 to_bf16(float x) {
  const auto bits = std::bit_cast<std::uint32_t>(x);
  const std::uint32_t rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16;
  const std::uint32_t quiet_nan = (bits >> 16) | 0x40;
  const bool is_nan = (bits & 0x7FFFFFFF) > 0x7F800000;
  return {static_cast<std::uint16_t>(is_nan ? quiet_nan : rounded)};
}
[[nodiscard]] constexpr float to_float(bf16 x) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(x.bits) << 16);
}

[[nodiscard]] constexpr f16 to_f16(float x) {
  const auto bits = std::bit_cast<std::uint32_t>(x);
  const std::uint32_t magnitude = bits & 0x7FFFFFFF;
  const std::uint32_t sign = bits >> 16 & 0x8000;
  if (magnitude > 0x7F800000) {  // NaN: keep the top of its payload, quiet
    return {static_cast<std::uint16_t>(sign | 0x7E00 | (magnitude >> 13 & 0x3FF))};
  }
  const std::uint32_t rounded = detail::round_magnitude(magnitude, 15, 10);
  return {static_cast<std::uint16_t>(sign | (rounded < 0x7C00 ? rounded : 0x7C00))};
}
[[nodiscard]] constexpr float to_float(f16 x) {
  const std::uint32_t magnitude = x.bits & 0x7FFFU;
  const std::uint32_t sign = (x.bits & 0x8000U) << 16;
  const std::uint32_t wide =
      magnitude >= 0x7C00
          ? 0x7F800000 | magnitude << 13  // infinity, NaN
          : std::bit_cast<std::uint32_t>(detail::widen_magnitude(magnitude, 15, 10));
  return std::bit_cast<float>(sign | wide);
}

[[nodiscard]] f8e4m3 to_f8e4m3(float x);
[[nodiscard]] float to_float(f8e4m3 x);
[[nodiscard]] f8e5m2 to_f8e5m2(float x);
[[nodiscard]] float to_float(f8e5m2 x);

// A float rounded to a storage type.
template <class T>
[[nodiscard]] T from_float(float x) {
  if constexpr (std::is_same_v<T, bf16>) {
    return to_bf16(x);
  } else if constexpr (std::is_same_v<T, f16>) {
    return to_f16(x);
  } else if constexpr (std::is_same_v<T, f8e4m3>) {
    return to_f8e4m3(x);
  } else if constexpr (std::is_same_v<T, f8e5m2>) {
    return to_f8e5m2(x);
  } else {
    return static_cast<T>(x);
  }
}

// Calls `use` with a value-initialised element of the type, to choose the instance of a template.
template <class F>
auto with_element(DType dtype, F use) {
  switch (dtype) {
    case DType::f32:
      return use(float{});
    case DType::f64:
      return use(double{});
    case DType::bf16:
      return use(bf16{});
    case DType::f16:
      return use(f16{});
    case DType::f8e4m3:
      return use(f8e4m3{});
    case DType::f8e5m2:
      return use(f8e5m2{});
    case DType::i8:
      return use(std::int8_t{});
    case DType::u8:
      return use(std::uint8_t{});
    case DType::i32:
      return use(std::int32_t{});
    case DType::u32:
      return use(std::uint32_t{});
    case DType::i64:
      return use(std::int64_t{});
    case DType::u64:
      break;
  }
  return use(std::uint64_t{});
}

// Element `index` of an untyped array, as double and back (64-bit integers beyond 2^53 lose bits).
[[nodiscard]] double load_as_double(const void* data, DType dtype, std::size_t index);
// Rounds once (never through float) for floating types; truncates and saturates for integers (NaN
// becomes 0).
void store_from_double(void* data, DType dtype, std::size_t index, double value);

}  // namespace stepmark
