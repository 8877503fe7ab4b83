// SPDX-License-Identifier: Apache-2.0
// Every conversion against a slow reference that knows only the definition of the format: the value
// of each bit pattern, computed with ldexp in double, and a search for the nearest of them.
#include "core/dtype.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "core/error.h"
#include "core/rng.h"

namespace stepmark {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

struct Format {
  int exponent_bits, mantissa_bits;
  bool ieee_specials;  // all-ones exponent means infinity and NaN
  bool saturates;
};

// Meaning of a bit pattern by definition.
double value_of(std::uint32_t bits, const Format& f) {
  const int bias = (1 << (f.exponent_bits - 1)) - 1;
  const int sign = static_cast<int>(bits >> (f.exponent_bits + f.mantissa_bits)) & 1;
  const int exponent = static_cast<int>(bits >> f.mantissa_bits) & ((1 << f.exponent_bits) - 1);
  const int mantissa = static_cast<int>(bits) & ((1 << f.mantissa_bits) - 1);
  const int top = (1 << f.exponent_bits) - 1;
  double magnitude = 0;
  if (exponent == top && f.ieee_specials) {
    magnitude = mantissa == 0 ? kInf : kNaN;
  } else if (exponent == top && mantissa == (1 << f.mantissa_bits) - 1) {
    magnitude = kNaN;
  } else if (exponent == 0) {
    magnitude = std::ldexp(mantissa, 1 - bias - f.mantissa_bits);
  } else {
    magnitude = std::ldexp(mantissa + (1 << f.mantissa_bits), exponent - bias - f.mantissa_bits);
  }
  return sign != 0 ? -magnitude : magnitude;
}

// Non-negative finite values in order, with the index = bit pattern.
std::vector<double> finite_values(const Format& f) {
  std::vector<double> out;
  for (std::uint32_t bits = 0; std::isfinite(value_of(bits, f)); ++bits) {
    out.push_back(value_of(bits, f));
  }
  return out;
}

// Bits of the magnitude nearest to x >= 0, ties to the even pattern.
std::uint32_t nearest_bits(double x, const std::vector<double>& values, const Format& f) {
  const auto largest = static_cast<std::uint32_t>(values.size() - 1);
  const auto above = std::lower_bound(values.begin(), values.end(), x);
  if (above == values.end()) {
    const double half_way = values.back() + (values.back() - values[largest - 1]) / 2;
    return f.saturates || x < half_way ? largest : largest + 1;  // largest is odd in IEEE formats
  }
  const auto high = static_cast<std::uint32_t>(above - values.begin());
  if (*above == x) return high;
  const std::uint32_t low = high - 1;
  const double to_low = x - values[low];
  const double to_high = values[high] - x;
  if (to_low != to_high) return to_low < to_high ? low : high;
  return low % 2 == 0 ? low : high;
}

template <class T>
struct Under;  // the conversion under test
template <>
struct Under<bf16> {
  static constexpr Format format{8, 7, true, false};
  static bf16 from(float x) { return to_bf16(x); }
};
template <>
struct Under<f16> {
  static constexpr Format format{5, 10, true, false};
  static f16 from(float x) { return to_f16(x); }
};
template <>
struct Under<f8e4m3> {
  static constexpr Format format{4, 3, false, true};
  static f8e4m3 from(float x) { return to_f8e4m3(x); }
};
template <>
struct Under<f8e5m2> {
  static constexpr Format format{5, 2, true, true};
  static f8e5m2 from(float x) { return to_f8e5m2(x); }
};

template <class T>
class NarrowFloat : public testing::Test {};
using NarrowTypes = testing::Types<bf16, f16, f8e4m3, f8e5m2>;
TYPED_TEST_SUITE(NarrowFloat, NarrowTypes);

TYPED_TEST(NarrowFloat, EveryPatternHasItsValueAndComesBack) {
  constexpr Format f = Under<TypeParam>::format;
  const std::uint32_t count = 1U << (1 + f.exponent_bits + f.mantissa_bits);
  for (std::uint32_t bits = 0; bits < count; ++bits) {
    const TypeParam x{static_cast<decltype(TypeParam::bits)>(bits)};
    const double expected = value_of(bits, f);
    const float got = to_float(x);
    if (std::isnan(expected)) {
      ASSERT_TRUE(std::isnan(got)) << bits;
      ASSERT_TRUE(std::isnan(to_float(Under<TypeParam>::from(got)))) << bits;
      ASSERT_EQ(std::signbit(to_float(Under<TypeParam>::from(got))), std::signbit(got)) << bits;
      continue;
    }
    ASSERT_EQ(static_cast<double>(got), expected) << bits;
    ASSERT_EQ(std::signbit(got), std::signbit(expected)) << bits;
    if (std::isinf(expected) && f.saturates) continue;
    ASSERT_EQ(Under<TypeParam>::from(got).bits, bits);
  }
}

TYPED_TEST(NarrowFloat, RoundsToNearestEven) {
  constexpr Format f = Under<TypeParam>::format;
  const std::vector<double> values = finite_values(f);
  const std::uint32_t sign_bit = 1U << (f.exponent_bits + f.mantissa_bits);
  const auto expect_rounded = [&](float x) {
    const std::uint32_t expected = nearest_bits(static_cast<double>(x), values, f);
    ASSERT_EQ(Under<TypeParam>::from(x).bits, expected) << x;
    ASSERT_EQ(Under<TypeParam>::from(-x).bits, expected | sign_bit) << x;
  };
  // Around each boundary: the tie itself and its float neighbours.
  for (std::size_t i = 0; i + 1 < values.size(); ++i) {
    const auto tie = static_cast<float>((values[i] + values[i + 1]) / 2);
    for (const float x : {std::nextafter(tie, 0.0F), tie, std::nextafter(tie, 1e38F)}) {
      expect_rounded(x);
    }
  }
  // Floats of every size, subnormal ones included.
  const Philox random(1, 2);
  for (std::uint64_t i = 0; i < 200'000; ++i) {
    const float x = std::bit_cast<float>(random.u32(i) & 0x7FFFFFFF);
    if (std::isfinite(x)) expect_rounded(x);
  }
}

TYPED_TEST(NarrowFloat, OverflowAndNaN) {
  constexpr Format f = Under<TypeParam>::format;
  const float inf = std::numeric_limits<float>::infinity();
  const double largest = finite_values(f).back();
  const float got = to_float(Under<TypeParam>::from(inf));
  EXPECT_EQ(static_cast<double>(got), f.saturates ? largest : kInf);
  const float negative = to_float(Under<TypeParam>::from(-inf));
  EXPECT_EQ(static_cast<double>(negative), f.saturates ? -largest : -kInf);
  EXPECT_TRUE(std::isnan(to_float(Under<TypeParam>::from(std::nanf("")))));
  // A NaN whose payload lies only in bits that the narrow type lacks must not become infinity.
  EXPECT_TRUE(std::isnan(to_float(Under<TypeParam>::from(std::bit_cast<float>(0x7F800001U)))));
}

TEST(Fp8, LargestValues) {
  EXPECT_EQ(to_float(to_f8e4m3(1e9F)), 448.0F);
  EXPECT_EQ(to_float(to_f8e5m2(-1e9F)), -57344.0F);
}

TEST(DTypeTable, NamesSizesAndSignificands) {
  for (int i = 0; i <= static_cast<int>(DType::u64); ++i) {
    const auto dtype = static_cast<DType>(i);
    EXPECT_EQ(dtype_from(name_of(dtype)), dtype);
  }
  EXPECT_EQ(size_of(DType::bf16), 2U);
  EXPECT_EQ(size_of(DType::f8e5m2), 1U);
  EXPECT_EQ(size_of(DType::u64), 8U);
  EXPECT_EQ(significand_bits(DType::f16), 11);
  EXPECT_EQ(significand_bits(DType::f8e4m3), 4);
  EXPECT_TRUE(is_float(DType::f8e4m3));
  EXPECT_FALSE(is_float(DType::i8));
}

TEST(DTypeTable, UnknownNameSuggests) {
  try {
    static_cast<void>(dtype_from("float32"));
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kUsage);
    EXPECT_THAT(error.what(), testing::HasSubstr("fp32"));
  }
}

TEST(DoubleAccess, StoresAndLoadsEveryType) {
  for (int i = 0; i <= static_cast<int>(DType::u64); ++i) {
    const auto dtype = static_cast<DType>(i);
    std::vector<std::uint64_t> memory(4, 0);
    store_from_double(memory.data(), dtype, 1, 3.0);
    store_from_double(memory.data(), dtype, 2, is_float(dtype) ? -1.5 : 7.0);
    EXPECT_EQ(load_as_double(memory.data(), dtype, 0), 0.0);
    EXPECT_EQ(load_as_double(memory.data(), dtype, 1), 3.0);
    EXPECT_EQ(load_as_double(memory.data(), dtype, 2), is_float(dtype) ? -1.5 : 7.0);
    EXPECT_EQ(load_as_double(memory.data(), dtype, 3), 0.0);
  }
}

TEST(DoubleAccess, RoundsDoublesOnce) {
  // Just above the tie between 1 and the next bf16; through float it would become the tie itself
  // and round down to even.
  const double x = 1 + 0x1p-8 + 0x1p-40;
  std::uint16_t bits = 0;
  store_from_double(&bits, DType::bf16, 0, x);
  EXPECT_EQ(load_as_double(&bits, DType::bf16, 0), 1 + 0x1p-7);
  store_from_double(&bits, DType::bf16, 0, -x);
  EXPECT_EQ(load_as_double(&bits, DType::bf16, 0), -1 - 0x1p-7);
  store_from_double(&bits, DType::f16, 0, 1e300);
  EXPECT_EQ(load_as_double(&bits, DType::f16, 0), kInf);
  store_from_double(&bits, DType::f16, 0, kNaN);
  EXPECT_TRUE(std::isnan(load_as_double(&bits, DType::f16, 0)));
}

TEST(DoubleAccess, IntegersSaturate) {
  std::uint64_t cell = 0;
  store_from_double(&cell, DType::i8, 0, -1000);
  EXPECT_EQ(load_as_double(&cell, DType::i8, 0), -128);
  store_from_double(&cell, DType::u64, 0, 1e30);
  EXPECT_EQ(cell, std::numeric_limits<std::uint64_t>::max());
  store_from_double(&cell, DType::i64, 0, kNaN);
  EXPECT_EQ(cell, 0U);
}

}  // namespace
}  // namespace stepmark
