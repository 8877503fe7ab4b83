// SPDX-License-Identifier: Apache-2.0
// 8-bit floating point in kernels: a byte whose format, e4m3 or e5m2, the op says.
#pragma once

#include <simt/simt.cuh>

namespace stepmark::cuda {

using Fp8 = std::uint8_t;

__device__ inline float from_fp8(Fp8 x, bool e5m2) {
  const __half_raw half = __nv_cvt_fp8_to_halfraw(x, e5m2 ? __NV_E5M2 : __NV_E4M3);
  return __half2float(__half(half));
}
// To nearest even; saturates, infinities too; NaN stays.
__device__ inline Fp8 to_fp8(float x, bool e5m2) {
  return __nv_cvt_float_to_fp8(x, __NV_SATFINITE, e5m2 ? __NV_E5M2 : __NV_E4M3);
}
// Two at once, the first in the low byte.
using Fp8Pair = std::uint16_t;
__device__ inline Fp8Pair to_fp8_pair(float low, float high, bool e5m2) {
  return __nv_cvt_float2_to_fp8x2(make_float2(low, high), __NV_SATFINITE,
                                  e5m2 ? __NV_E5M2 : __NV_E4M3);
}

}  // namespace stepmark::cuda
