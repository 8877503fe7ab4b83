// SPDX-License-Identifier: Apache-2.0
#include "tests/emulation/nccl/reduction.h"

#include <cstdint>
#include <type_traits>

namespace stepmark::emulation {
namespace {

template <class T>
struct Arithmetic {  // integers wrap around; fp32 and fp64 are their own
  using Wide = T;
  static Wide load(T x) { return x; }
  static T store(Wide x) { return x; }
};
template <>
struct Arithmetic<__half> {
  using Wide = float;
  static Wide load(__half x) { return __half2float(x); }
  static __half store(Wide x) { return __float2half_rn(x); }
};
template <>
struct Arithmetic<__nv_bfloat16> {
  using Wide = float;
  static Wide load(__nv_bfloat16 x) { return __bfloat162float(x); }
  static __nv_bfloat16 store(Wide x) { return __float2bfloat16_rn(x); }
};
template <>
struct Arithmetic<__nv_fp8_e4m3> {
  using Wide = float;
  static Wide load(__nv_fp8_e4m3 x) { return static_cast<float>(x); }
  static __nv_fp8_e4m3 store(Wide x) { return __nv_fp8_e4m3(x); }
};
template <>
struct Arithmetic<__nv_fp8_e5m2> {
  using Wide = float;
  static Wide load(__nv_fp8_e5m2 x) { return static_cast<float>(x); }
  static __nv_fp8_e5m2 store(Wide x) { return __nv_fp8_e5m2(x); }
};

template <class Wide>
Wide apply(Wide a, Wide b, ncclRedOp_t op) {
  switch (op) {
    case ncclProd:
      if constexpr (std::is_integral_v<Wide>) {
        return static_cast<Wide>(static_cast<std::uint64_t>(a) * static_cast<std::uint64_t>(b));
      }
      return a * b;
    case ncclMax:
      return a < b ? b : a;
    case ncclMin:
      return b < a ? b : a;
    default:
      if constexpr (std::is_integral_v<Wide>) {
        return static_cast<Wide>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
      }
      return a + b;
  }
}

template <class T>
struct Tag {
  using Type = T;
};

template <class Visit>
void with_type(ncclDataType_t type, Visit visit) {
  switch (type) {
    case ncclInt8:
      return visit(Tag<std::int8_t>{});
    case ncclUint8:
      return visit(Tag<std::uint8_t>{});
    case ncclInt32:
      return visit(Tag<std::int32_t>{});
    case ncclUint32:
      return visit(Tag<std::uint32_t>{});
    case ncclInt64:
      return visit(Tag<std::int64_t>{});
    case ncclUint64:
      return visit(Tag<std::uint64_t>{});
    case ncclFloat16:
      return visit(Tag<__half>{});
    case ncclFloat32:
      return visit(Tag<float>{});
    case ncclFloat64:
      return visit(Tag<double>{});
    case ncclBfloat16:
      return visit(Tag<__nv_bfloat16>{});
    case ncclFloat8e4m3:
      return visit(Tag<__nv_fp8_e4m3>{});
    case ncclFloat8e5m2:
      return visit(Tag<__nv_fp8_e5m2>{});
    default:
      return;
  }
}

}  // namespace

std::size_t size_of(ncclDataType_t type) {
  std::size_t bytes = 0;
  with_type(type, [&](auto tag) { bytes = sizeof(typename decltype(tag)::Type); });
  return bytes;
}

void combine(void* into, const void* from, std::size_t count, ncclDataType_t type, ncclRedOp_t op) {
  with_type(type, [&](auto tag) {
    using T = typename decltype(tag)::Type;
    using A = Arithmetic<T>;
    auto* a = static_cast<T*>(into);
    const auto* b = static_cast<const T*>(from);
    for (std::size_t i = 0; i < count; ++i)
      a[i] = A::store(apply(A::load(a[i]), A::load(b[i]), op));
  });
}

void scale(void* data, std::size_t count, ncclDataType_t type, double factor) {
  with_type(type, [&](auto tag) {
    using T = typename decltype(tag)::Type;
    using A = Arithmetic<T>;
    auto* a = static_cast<T*>(data);
    const auto by = static_cast<typename A::Wide>(factor);
    for (std::size_t i = 0; i < count; ++i) {
      a[i] = A::store(static_cast<typename A::Wide>(A::load(a[i]) * by));
    }
  });
}

void divide(void* data, std::size_t count, ncclDataType_t type, int ranks) {
  with_type(type, [&](auto tag) {
    using T = typename decltype(tag)::Type;
    if constexpr (std::is_integral_v<T>) {
      auto* a = static_cast<T*>(data);
      for (std::size_t i = 0; i < count; ++i) a[i] = static_cast<T>(a[i] / static_cast<T>(ranks));
    }
  });
}

bool is_floating(ncclDataType_t type) { return type >= ncclFloat16; }

double scalar_value(const void* scalar, ncclDataType_t type) {
  double value = 0.0;
  with_type(type, [&](auto tag) {
    using T = typename decltype(tag)::Type;
    value = static_cast<double>(Arithmetic<T>::load(*static_cast<const T*>(scalar)));
  });
  return value;
}

}  // namespace stepmark::emulation
