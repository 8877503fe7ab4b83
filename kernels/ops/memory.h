// SPDX-License-Identifier: Apache-2.0
// Plain memory operations: the probes that measure a device's own bandwidth, and casts.
#pragma once

#include "kernels/op.h"

namespace stepmark {

// dst = src. Operands: src, dst.
struct CopyShape {
  static constexpr OpId id = OpId::copy;
  std::int64_t elements = 0;
  auto dims() { return std::tie(elements); }
};
// a = b + s * c (STREAM triad). Operands: b, c, a.
struct TriadShape {
  static constexpr OpId id = OpId::triad;
  std::int64_t elements = 0;
  double s = 3.0;
  auto dims() { return std::tie(elements); }
  auto scalars() { return std::tie(s); }
};
// fp32 <-> dtype. to_f32: 1 widens (src dtype, dst fp32), 0 narrows (src fp32, dst dtype).
// Operands: src, dst.
struct CastShape {
  static constexpr OpId id = OpId::cast;
  std::int64_t elements = 0, to_f32 = 0;
  auto dims() { return std::tie(elements, to_f32); }
};
// x (dtype) = 0. Operand: x.
struct ZeroShape {
  static constexpr OpId id = OpId::zero;
  std::int64_t elements = 0;
  auto dims() { return std::tie(elements); }
};

}  // namespace stepmark
