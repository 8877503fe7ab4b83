// SPDX-License-Identifier: Apache-2.0
// Element types and their software conversions. bf16, fp16 and fp8 are plain storage types here:
// arithmetic is done in float. Rounding is to nearest, ties to even. fp8 follows the OCP 8-bit
// floating point specification (revision 1.0): e4m3 has no infinity, max 448; e5m2 is IEEE-like,
// max 57344. Conversion to fp8 saturates to the largest finite value (as CUDA's __NV_SATFINITE
// does), NaN stays NaN.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

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

[[nodiscard]] bf16 to_bf16(float x);
[[nodiscard]] float to_float(bf16 x);
[[nodiscard]] f16 to_f16(float x);
[[nodiscard]] float to_float(f16 x);
[[nodiscard]] f8e4m3 to_f8e4m3(float x);
[[nodiscard]] float to_float(f8e4m3 x);
[[nodiscard]] f8e5m2 to_f8e5m2(float x);
[[nodiscard]] float to_float(f8e5m2 x);

// Element `index` of an untyped array, as double and back (64-bit integers beyond 2^53 lose bits).
[[nodiscard]] double load_as_double(const void* data, DType dtype, std::size_t index);
void store_from_double(void* data, DType dtype, std::size_t index, double value);

}  // namespace stepmark
