// SPDX-License-Identifier: Apache-2.0
#include "kernels/ops/memory.h"

#include <cstring>

#include "kernels/host/number.h"
#include "kernels/host/table.h"

namespace stepmark {

using host::load;
using host::store;

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

}  // namespace stepmark
