// SPDX-License-Identifier: Apache-2.0
// References of ops on vectors of doubles, to put layers together from.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "core/rng.h"
#include "kernels/op.h"

namespace stepmark::test {

using Vector = std::vector<double>;

inline Vector random_vector(std::int64_t elements, std::uint64_t stream) {
  const Philox random(17, stream);
  Vector v(static_cast<std::size_t>(elements));
  for (std::size_t i = 0; i < v.size(); ++i) v[i] = random.normal(i);
  return v;
}
inline Vector zeros(std::int64_t elements) { return Vector(static_cast<std::size_t>(elements)); }

// The reference of the op of shape `s`, in place.
template <class S, class... V>
void reference(S s, V&&... operands) {
  const std::array<std::span<double>, sizeof...(V)> spans{std::span<double>(operands)...};
  const OpShape shape = pack(s, DType::f32);
  validate_shape(shape);
  info_of(S::id).reference(shape, spans);
}

}  // namespace stepmark::test
