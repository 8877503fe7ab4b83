// SPDX-License-Identifier: Apache-2.0
// Plain memory operations: the probes that measure a device's own bandwidth, arithmetic and room
// for other kernels; casts; and the packing of gradients into buckets.
#pragma once

#include "kernels/op.h"

namespace stepmark {

// dst = src. Operands: src, dst.
struct CopyShape {
  std::int64_t elements = 0;
  STEPMARK_OP_SHAPE(copy, elements);
};
// a = b + s * c (STREAM triad). Operands: b, c, a.
struct TriadShape {
  std::int64_t elements = 0;
  double s = 3.0;
  STEPMARK_OP_SHAPE(triad, elements, s);
};
// fp32 <-> dtype. to_f32: 1 widens (src dtype, dst fp32), 0 narrows (src fp32, dst dtype).
// Operands: src, dst.
struct CastShape {
  std::int64_t elements = 0, to_f32 = 0;
  STEPMARK_OP_SHAPE(cast, elements, to_f32);
};
// x (dtype) = 0. Operand: x.
struct ZeroShape {
  std::int64_t elements = 0;
  STEPMARK_OP_SHAPE(zero, elements);
};
// y = x after `iterations` times v = v * kFmaFactor + kFmaAddend, in fp32 whatever the dtype, each
// step one fused multiply-add (or a multiplication and an addition: the tolerance has room for
// both). Drifts towards 1, so values stay ordinary. Arithmetic without memory. Operands: x, y.
inline constexpr float kFmaFactor = 0.9990234375F;  // 1 - 2^-10
inline constexpr float kFmaAddend = 0.0009765625F;  // 2^-10
struct FmaShape {
  std::int64_t elements = 0, iterations = 0;
  STEPMARK_OP_SHAPE(fma, elements, iterations);
};
// Holds `ctas` blocks of `threads` threads with `shared_bytes` of dynamic shared memory each for at
// least `nanoseconds`, then writes 1 to done[cta]: the room that a communication kernel takes away
// from others, without its traffic. Always fp32. A backend without blocks waits that long once.
// Operand: done (fp32, ctas).
struct OccupyShape {
  std::int64_t ctas = 0, threads = 0, shared_bytes = 0, nanoseconds = 0;
  STEPMARK_OP_SHAPE(occupy, ctas, threads, shared_bytes, nanoseconds);
};
// bucket[t * elements + i] = source[t * stride + i] for t < tensors, i < elements <= stride: what a
// gradient bucket costs when gradients are not one flat buffer. Operands: source, bucket.
struct BucketPackShape {
  std::int64_t tensors = 0, elements = 0, stride = 0;
  STEPMARK_OP_SHAPE(bucket_pack, tensors, elements, stride);
};
// The way back: target[t * stride + i] = scale * bucket[t * elements + i]; what lies between stays.
// Operands: bucket, target (inout).
struct BucketUnpackShape {
  std::int64_t tensors = 0, elements = 0, stride = 0;
  double scale = 1.0;
  STEPMARK_OP_SHAPE(bucket_unpack, tensors, elements, stride, scale);
};

}  // namespace stepmark
