// SPDX-License-Identifier: Apache-2.0
// The probes of copy bandwidth and of multiply-adds, casts, and gradient buckets. The FMA probe
// runs 128 independent chains: enough to hide latency, few enough to stay in registers.
#include "kernels/ops/memory.h"

#include <algorithm>
#include <chrono>
#include <cstring>

#include "kernels/host/number.h"
#include "kernels/host/table.h"

namespace stepmark {

namespace {

using host::load;
using host::store;

// Enough independent chains to hide the latency of a multiply-add, few enough to stay in registers.
constexpr std::int64_t kChains = 128;

void multiply_add(float* v, std::int64_t iterations) {
  for (std::int64_t n = 0; n < iterations; ++n) {
#pragma omp simd
    for (std::int64_t i = 0; i < kChains; ++i) v[i] = v[i] * kFmaFactor + kFmaAddend;
  }
}

}  // namespace

void host_copy(const OpShape& shape, void* const* operands) {
  const std::size_t size = size_of(shape.dtype);
  const auto* from = host::input<std::byte>(operands, 0);
  auto* to = host::output<std::byte>(operands, 1);
  host::parallel_elements(unpack<CopyShape>(shape).elements,
                          [=](std::int64_t begin, std::int64_t end) {
                            std::memcpy(to + static_cast<std::size_t>(begin) * size,
                                        from + static_cast<std::size_t>(begin) * size,
                                        static_cast<std::size_t>(end - begin) * size);
                          });
}

void host_triad(const OpShape& shape, void* const* operands) {
  const auto s = unpack<TriadShape>(shape);
  const auto factor = static_cast<float>(s.s);
  host::with_type(shape.dtype, [&]<class T>(T) {
    const T *b = host::input<T>(operands, 0), *c = host::input<T>(operands, 1);
    T* a = host::output<T>(operands, 2);
    host::parallel_elements(s.elements, [=](std::int64_t begin, std::int64_t end) {
#pragma omp simd
      for (std::int64_t i = begin; i < end; ++i) store(a[i], load(b[i]) + factor * load(c[i]));
    });
  });
}

void host_cast(const OpShape& shape, void* const* operands) {
  const auto s = unpack<CastShape>(shape);
  host::with_type(shape.dtype, [&]<class T>(T) {
    if (s.to_f32 != 0) {
      host::convert(host::input<T>(operands, 0), host::output<float>(operands, 1), s.elements);
    } else {
      host::convert(host::input<float>(operands, 0), host::output<T>(operands, 1), s.elements);
    }
  });
}

void host_zero(const OpShape& shape, void* const* operands) {
  const std::size_t size = size_of(shape.dtype);
  auto* x = host::output<std::byte>(operands, 0);
  host::parallel_elements(unpack<ZeroShape>(shape).elements,
                          [=](std::int64_t begin, std::int64_t end) {
                            std::memset(x + static_cast<std::size_t>(begin) * size, 0,
                                        static_cast<std::size_t>(end - begin) * size);
                          });
}

void host_fma(const OpShape& shape, void* const* operands) {
  const auto s = unpack<FmaShape>(shape);
  host::with_type(shape.dtype, [&]<class T>(T) {
    const T* x = host::input<T>(operands, 0);
    T* y = host::output<T>(operands, 1);
    const std::int64_t blocks = (s.elements + kChains - 1) / kChains;
    host::parallel_each(blocks, kChains * (1 + s.iterations), [=](std::int64_t block) {
      const std::int64_t begin = block * kChains, count = std::min(kChains, s.elements - begin);
      alignas(64) float v[kChains] = {};
      for (std::int64_t i = 0; i < count; ++i) v[i] = load(x[begin + i]);
      multiply_add(v, s.iterations);
      for (std::int64_t i = 0; i < count; ++i) store(y[begin + i], v[i]);
    });
  });
}

// A host has no blocks: one thread spins, as long as asked.
void host_occupy(const OpShape& shape, void* const* operands) {
  const auto s = unpack<OccupyShape>(shape);
  const auto end = std::chrono::steady_clock::now() + std::chrono::nanoseconds(s.nanoseconds);
  while (std::chrono::steady_clock::now() < end) {
  }
  std::fill_n(host::output<float>(operands, 0), s.ctas, 1.0F);
}

void host_bucket_pack(const OpShape& shape, void* const* operands) {
  const auto s = unpack<BucketPackShape>(shape);
  host::with_type(shape.dtype, [&]<class T>(T) {
    const T* source = host::input<T>(operands, 0);
    T* bucket = host::output<T>(operands, 1);
    host::parallel_each(s.tensors, s.elements, [=](std::int64_t t) {
      std::copy_n(source + t * s.stride, s.elements, bucket + t * s.elements);
    });
  });
}

void host_bucket_unpack(const OpShape& shape, void* const* operands) {
  const auto s = unpack<BucketUnpackShape>(shape);
  const auto scale = static_cast<float>(s.scale);
  host::with_type(shape.dtype, [&]<class T>(T) {
    const T* bucket = host::input<T>(operands, 0);
    T* target = host::output<T>(operands, 1);
    host::parallel_each(s.tensors, s.elements, [=](std::int64_t t) {
      const T* from = bucket + t * s.elements;
      T* to = target + t * s.stride;
#pragma omp simd
      for (std::int64_t i = 0; i < s.elements; ++i) store(to[i], scale * load(from[i]));
    });
  });
}

}  // namespace stepmark
