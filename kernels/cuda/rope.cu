// SPDX-License-Identifier: Apache-2.0
// Rotary position embedding, in place. A block takes a position and rotates all its heads, in every
// entry of the batch, with one table of sines and cosines.
#include <cmath>

#include "kernels/cuda/cuda_kernels.h"
#include "kernels/cuda/vector.cuh"
#include "kernels/ops/attention.h"

namespace stepmark::cuda {
namespace {

constexpr unsigned kThreads = 256;
constexpr int kPairs = 512;  // of the table

struct Rotation {
  std::int64_t batch, seq, rotated;  // rotated: heads per token
  std::int64_t width;                // elements from token to token
  int half;
  // Pair i turns by position * 2^(i * step + start) full turns.
  double step, start;
  float sign;
};

template <class T, int kWidth>
__global__ void __launch_bounds__(kThreads) rope_kernel(T* qkv, Rotation r) {
  auto* cosine = reinterpret_cast<float*>(block_shared());
  float* sine = cosine + kPairs;
  for (std::int64_t position = blockIdx.x; position < r.seq; position += gridDim.x) {
    for (int first = 0; first < r.half; first += kPairs) {
      const int pairs = r.half - first < kPairs ? r.half - first : kPairs;
      __syncthreads();
      for (int i = static_cast<int>(threadIdx.x); i < pairs; i += static_cast<int>(kThreads)) {
        // Whole turns are taken off in double: a float's angle is off by 4e-3 at position 131072.
        const double turns = static_cast<double>(position) * exp2((first + i) * r.step + r.start);
        sincospif(2.0F * static_cast<float>(turns - rint(turns)), &sine[i], &cosine[i]);
        sine[i] *= r.sign;
      }
      __syncthreads();
      const std::int64_t packs = pairs / kWidth, items = r.batch * r.rotated * packs;
      for (std::int64_t item = threadIdx.x; item < items; item += kThreads) {
        const int i = static_cast<int>(item % packs) * kWidth;
        const std::int64_t head = item / packs % r.rotated, entry = item / packs / r.rotated;
        T* low = qkv + (entry * r.seq + position) * r.width + head * 2 * r.half + first + i;
        T* high = low + r.half;
        auto a = load_pack<kWidth>(low), b = load_pack<kWidth>(high);
        for (int j = 0; j < kWidth; ++j) {
          const float x = load(a.v[j]), y = load(b.v[j]), c = cosine[i + j], s = sine[i + j];
          store(a.v[j], x * c - y * s);
          store(b.v[j], y * c + x * s);
        }
        store_pack<kWidth>(low, a);
        store_pack<kWidth>(high, b);
      }
    }
  }
}

}  // namespace

Enqueue prepare_rope(const OpShape& shape, void* const* operands, KernelContext& context) {
  const auto s = unpack<RopeShape>(shape);
  if (s.batch * s.seq == 0) return [](cudaStream_t) {};
  const Rotation rotation{.batch = s.batch,
                          .seq = s.seq,
                          .rotated = s.heads + s.kv_heads,
                          .width = (s.heads + 2 * s.kv_heads) * s.head_dim,
                          .half = static_cast<int>(s.head_dim / 2),
                          .step = -2.0 / static_cast<double>(s.head_dim) * std::log2(s.theta),
                          .start = -std::log2(2.0 * 3.14159265358979323846),
                          .sign = s.inverse != 0 ? -1.0F : 1.0F};
  const Launch config{.blocks = blocks_for(s.seq, 1, context.sm_count()),
                      .threads = kThreads,
                      .shared_bytes = 2 * kPairs * sizeof(float)};
  return with_type(shape.dtype, [&]<class T>(T) -> Enqueue {
    T* qkv = output<T>(operands, 0);
    const bool packs = aligned(qkv) && rotation.half % kPackElements<T> == 0;
    return with_width<T>(packs, [&](auto width) -> Enqueue {
      static_assert(kPairs % width == 0);
      return [=](cudaStream_t stream) {
        launch(&rope_kernel<T, width>, config, stream, qkv, rotation);
      };
    });
  });
}

}  // namespace stepmark::cuda
