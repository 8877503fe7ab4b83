// SPDX-License-Identifier: Apache-2.0
// A block of threads per tile of results (plain_tile.cuh), of numbers and of scaled fp8.
#include "kernels/cuda/gemm/gemm_plain.h"

#include "kernels/cuda/fp8_number.cuh"
#include "kernels/cuda/gemm/plain_tile.cuh"

namespace stepmark::cuda {
namespace {

constexpr std::int64_t kScaleBlock = 128;

// Rows of k numbers and their scales: one, or one for `rows_per_scale` rows and 128 of k.
struct Fp8Matrix {
  const Fp8* data;
  const float* scale_inv;
  std::int64_t k, rows_per_scale;
  bool e5m2, blockwise;
  __device__ float at(std::int64_t i, std::int64_t l) const {
    const std::int64_t across = (k + kScaleBlock - 1) / kScaleBlock;
    const std::int64_t scale = blockwise ? i / rows_per_scale * across + l / kScaleBlock : 0;
    return from_fp8(data[i * k + l], e5m2) * scale_inv[scale];
  }
};

struct Sizes {
  std::int64_t m, n, k;
  bool accumulate;
};

template <class A, class B, class Bias, class C>
__global__ void __launch_bounds__(kTileThreads)
    plain_gemm_kernel(Sizes s, A a, B b, const Bias* bias, C* c) {
  const std::int64_t across = tiles(s.n);
  tile_of(s.m, s.n, s.k, blockIdx.x / across * kTile, blockIdx.x % across * kTile, a, b,
          [&](std::int64_t i, std::int64_t j, float sum) {
            if (bias != nullptr) sum += load(bias[j]);
            if (s.accumulate) sum += load(c[i * s.n + j]);
            store(c[i * s.n + j], sum);
          });
}

template <class A, class B, class Bias, class C>
Enqueue plain(const Sizes& s, const A& a, const B& b, const Bias* bias, C* c) {
  const Launch shape{.blocks = static_cast<unsigned>(tiles(s.m) * tiles(s.n)),
                     .threads = kTileThreads,
                     .shared_bytes = kTileSharedBytes};
  return [=](cudaStream_t stream) {
    launch(&plain_gemm_kernel<A, B, Bias, C>, shape, stream, s, a, b, bias, c);
  };
}

template <class In, class Out>
Enqueue plain_of(const Gemm& p, const void* a, const void* b, const void* bias, void* c) {
  const Strided<In> left{static_cast<const In*>(a), p.trans_a ? 1 : p.k, p.trans_a ? p.m : 1};
  const Strided<In> right{static_cast<const In*>(b), p.trans_b ? p.k : 1, p.trans_b ? 1 : p.n};
  return plain(Sizes{p.m, p.n, p.k, p.accumulate}, left, right, static_cast<const In*>(bias),
               static_cast<Out*>(c));
}

}  // namespace

Enqueue plain_gemm(const Gemm& p, const void* a, const void* b, const void* bias, void* c) {
  if (p.in == DType::f32) return plain_of<float, float>(p, a, b, bias, c);
  if (p.out == DType::f32) return plain_of<bfloat, float>(p, a, b, bias, c);
  return plain_of<bfloat, bfloat>(p, a, b, bias, c);
}

Enqueue plain_fp8_gemm(const Fp8Gemm& p, const void* a, const void* b, const float* a_scale_inv,
                       const float* b_scale_inv, void* c) {
  const Fp8Matrix left{static_cast<const Fp8*>(a), a_scale_inv, p.k, 1, p.a_e5m2, p.blockwise};
  const Fp8Matrix right{
      static_cast<const Fp8*>(b), b_scale_inv, p.k, kScaleBlock, p.b_e5m2, p.blockwise};
  const Sizes sizes{p.m, p.n, p.k, p.accumulate};
  const float* no_bias = nullptr;
  if (p.out == DType::f32) return plain(sizes, left, right, no_bias, static_cast<float*>(c));
  return plain(sizes, left, right, no_bias, static_cast<bfloat*>(c));
}

}  // namespace stepmark::cuda
