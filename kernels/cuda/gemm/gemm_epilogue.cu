// SPDX-License-Identifier: Apache-2.0
// Grids are sized so that a thread keeps its pack of the bias and walks down rows. 16-byte packs
// where addresses and widths allow it, single elements elsewhere.
#include "kernels/cuda/gemm/gemm_epilogue.h"

#include "kernels/cuda/gelu.cuh"
#include "kernels/cuda/vector.cuh"

namespace stepmark::cuda {
namespace {

constexpr unsigned kThreads = 256;

// A thread keeps its pack of the bias and walks down the rows.
template <class Bias, class C, int kWidth>
__global__ void __launch_bounds__(kThreads)
    add_bias_kernel(std::int64_t m, std::int64_t n, const Bias* bias, C* c) {
  const std::int64_t j = (std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x) * kWidth;
  if (j >= n) return;
  const auto add = load_pack<kWidth>(bias + j);
  for (std::int64_t i = blockIdx.y; i < m; i += gridDim.y) {
    auto row = load_pack<kWidth>(c + i * n + j);
    for (int e = 0; e < kWidth; ++e) store(row.v[e], load(row.v[e]) + load(add.v[e]));
    store_pack<kWidth>(c + i * n + j, row);
  }
}

template <class Bias, class C>
Enqueue add_bias_of(std::int64_t m, std::int64_t n, const Bias* bias, C* c, int sm_count) {
  constexpr int kPack = 16 / static_cast<int>(sizeof(Bias) > sizeof(C) ? sizeof(Bias) : sizeof(C));
  const bool packs = aligned(bias, c) && n % kPack == 0;
  const std::int64_t across = packs ? n / kPack : n;
  const auto x = static_cast<unsigned>((across + kThreads - 1) / kThreads);
  const std::int64_t wanted = std::int64_t{sm_count} * 8 / x + 1;
  const auto y = static_cast<unsigned>(wanted < m ? wanted : m);
  const auto kernel = packs ? &add_bias_kernel<Bias, C, kPack> : &add_bias_kernel<Bias, C, 1>;
  return [=](cudaStream_t stream) {
    launch(kernel, {.blocks = dim3(x, y), .threads = kThreads}, stream, m, n, bias, c);
  };
}

// c = gelu(pre), or c *= gelu'(pre).
template <class T, int kWidth>
__global__ void __launch_bounds__(kThreads)
    gelu_kernel(std::int64_t elements, const T* pre, T* c, bool slope) {
  const std::int64_t first = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  const std::int64_t stride = std::int64_t{gridDim.x} * blockDim.x;
  for (std::int64_t i = first * kWidth; i < elements; i += stride * kWidth) {
    const auto x = load_pack<kWidth>(pre + i);
    Pack<T, kWidth> y;
    if (slope) y = load_pack<kWidth>(c + i);
    for (int e = 0; e < kWidth; ++e) {
      const float at = load(x.v[e]);
      store(y.v[e], slope ? load(y.v[e]) * gelu_slope(at) : gelu(at));
    }
    store_pack<kWidth>(c + i, y);
  }
}

Enqueue gelu_pass(DType type, std::int64_t elements, const void* pre, void* c, bool slope,
                  int sm_count) {
  return with_type(type, [&]<class T>(T) -> Enqueue {
    const auto* from = static_cast<const T*>(pre);
    auto* to = static_cast<T*>(c);
    const bool packs = aligned(from, to) && elements % kPackElements<T> == 0;
    return with_width<T>(packs, [&](auto width) -> Enqueue {
      const unsigned blocks = blocks_for(elements / width, kThreads, sm_count);
      return [=](cudaStream_t stream) {
        launch(&gelu_kernel<T, width>, {.blocks = blocks, .threads = kThreads}, stream, elements,
               from, to, slope);
      };
    });
  });
}

}  // namespace

Enqueue add_bias(DType bias_type, DType c_type, std::int64_t m, std::int64_t n, const void* bias,
                 void* c, const KernelContext& context) {
  const int sm_count = context.sm_count();
  return with_type(bias_type, [&]<class Bias>(Bias) -> Enqueue {
    const auto* row = static_cast<const Bias*>(bias);
    if (c_type == DType::f32) return add_bias_of(m, n, row, static_cast<float*>(c), sm_count);
    return add_bias_of(m, n, row, static_cast<bfloat*>(c), sm_count);
  });
}

Enqueue apply_gelu(DType type, std::int64_t elements, const void* pre, void* c,
                   const KernelContext& context) {
  return gelu_pass(type, elements, pre, c, false, context.sm_count());
}

Enqueue apply_gelu_slope(DType type, std::int64_t elements, const void* pre, void* c,
                         const KernelContext& context) {
  return gelu_pass(type, elements, pre, c, true, context.sm_count());
}

}  // namespace stepmark::cuda
