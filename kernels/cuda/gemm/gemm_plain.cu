// SPDX-License-Identifier: Apache-2.0
// Blocks of 64x64 results: the operands' tiles, 16 deep, go through shared memory as fp32, every
// thread sums 4x4 results in fp32 registers.
#include "kernels/cuda/gemm/gemm_plain.h"

#include "kernels/cuda/fp8_number.cuh"
#include "kernels/cuda/vector.cuh"

namespace stepmark::cuda {
namespace {

constexpr int kTile = 64, kDepth = 16, kEach = 4, kSide = kTile / kEach;
constexpr int kPitch = kTile + 1;  // rows of a tile start in different banks
constexpr unsigned kThreads = kSide * kSide;
constexpr std::int64_t kScaleBlock = 128;

// An operand whose element (i, l), l along k, is data[i * row + l * column].
template <class T>
struct Matrix {
  const T* data;
  std::int64_t row, column;
  __device__ float at(std::int64_t i, std::int64_t l) const {
    return load(data[i * row + l * column]);
  }
};
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
__global__ void __launch_bounds__(kThreads)
    plain_gemm_kernel(Sizes s, A a, B b, const Bias* bias, C* c) {
  auto* a_tile = reinterpret_cast<float*>(block_shared());
  float* b_tile = a_tile + kDepth * kPitch;
  const int tx = static_cast<int>(threadIdx.x) % kSide, ty = static_cast<int>(threadIdx.x) / kSide;
  const std::int64_t column_tiles = (s.n + kTile - 1) / kTile;
  const std::int64_t i0 = blockIdx.x / column_tiles * kTile;
  const std::int64_t j0 = blockIdx.x % column_tiles * kTile;
  float sums[kEach][kEach] = {};
  for (std::int64_t l0 = 0; l0 < s.k; l0 += kDepth) {
    for (int e = static_cast<int>(threadIdx.x); e < kTile * kDepth; e += kThreads) {
      const int row = e / kDepth, l = e % kDepth;
      const bool inside = l0 + l < s.k;
      a_tile[l * kPitch + row] = inside && i0 + row < s.m ? a.at(i0 + row, l0 + l) : 0.0F;
      b_tile[l * kPitch + row] = inside && j0 + row < s.n ? b.at(j0 + row, l0 + l) : 0.0F;
    }
    __syncthreads();
    for (int l = 0; l < kDepth; ++l) {
      for (int y = 0; y < kEach; ++y) {
        const float left = a_tile[l * kPitch + ty + y * kSide];
        for (int x = 0; x < kEach; ++x) sums[y][x] += left * b_tile[l * kPitch + tx + x * kSide];
      }
    }
    __syncthreads();
  }
  for (int y = 0; y < kEach; ++y) {
    for (int x = 0; x < kEach; ++x) {
      const std::int64_t i = i0 + ty + y * kSide, j = j0 + tx + x * kSide;
      if (i >= s.m || j >= s.n) continue;
      float sum = sums[y][x];
      if (bias != nullptr) sum += load(bias[j]);
      if (s.accumulate) sum += load(c[i * s.n + j]);
      store(c[i * s.n + j], sum);
    }
  }
}

template <class A, class B, class Bias, class C>
Enqueue plain(const Sizes& s, const A& a, const B& b, const Bias* bias, C* c) {
  const std::int64_t tiles = ((s.m + kTile - 1) / kTile) * ((s.n + kTile - 1) / kTile);
  const Launch shape{.blocks = static_cast<unsigned>(tiles),
                     .threads = kThreads,
                     .shared_bytes = 2 * kDepth * kPitch * sizeof(float)};
  return [=](cudaStream_t stream) {
    launch(&plain_gemm_kernel<A, B, Bias, C>, shape, stream, s, a, b, bias, c);
  };
}

template <class In, class Out>
Enqueue plain_of(const Gemm& p, const void* a, const void* b, const void* bias, void* c) {
  const Matrix<In> left{static_cast<const In*>(a), p.trans_a ? 1 : p.k, p.trans_a ? p.m : 1};
  const Matrix<In> right{static_cast<const In*>(b), p.trans_b ? p.k : 1, p.trans_b ? 1 : p.n};
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
