// SPDX-License-Identifier: Apache-2.0
// Probes of memory bandwidth, and casts. Every thread moves packs of 16 bytes in a grid-stride
// loop.
#include "kernels/ops/memory.h"

#include "kernels/cuda/cuda_kernels.h"
#include "kernels/cuda/vector.cuh"

namespace stepmark::cuda {
namespace {

constexpr unsigned kThreads = 512;

// For all packs of kWidth elements below n, then for the elements that are left over.
template <int kWidth, class Packs, class Rest>
__device__ void for_all(std::int64_t n, Packs packs, Rest rest) {
  const std::int64_t first = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  const std::int64_t stride = std::int64_t{gridDim.x} * blockDim.x;
  for (std::int64_t i = first; i < n / kWidth; i += stride) packs(i * kWidth);
  const std::int64_t left = n / kWidth * kWidth + first;
  if (left < n) rest(left);
}

template <class T, int kWidth>
__global__ void __launch_bounds__(kThreads) copy_kernel(const T* src, T* dst, std::int64_t n) {
  for_all<kWidth>(
      n, [=](std::int64_t i) { store_pack<kWidth>(dst + i, load_pack<kWidth>(src + i)); },
      [=](std::int64_t i) { dst[i] = src[i]; });
}

template <class T, int kWidth>
__global__ void __launch_bounds__(kThreads)
    triad_kernel(const T* b, const T* c, T* a, float s, std::int64_t n) {
  for_all<kWidth>(
      n,
      [=](std::int64_t i) {
        const auto pb = load_pack<kWidth>(b + i), pc = load_pack<kWidth>(c + i);
        Pack<T, kWidth> out;
        for (int j = 0; j < kWidth; ++j) store(out.v[j], load(pb.v[j]) + s * load(pc.v[j]));
        store_pack<kWidth>(a + i, out);
      },
      [=](std::int64_t i) { store(a[i], load(b[i]) + s * load(c[i])); });
}

// kWidth elements of each: 16 bytes of the narrower type.
template <class From, class To, int kWidth>
__global__ void __launch_bounds__(kThreads) cast_kernel(const From* src, To* dst, std::int64_t n) {
  for_all<kWidth>(
      n,
      [=](std::int64_t i) {
        const auto in = load_pack<kWidth>(src + i);
        Pack<To, kWidth> out;
        for (int j = 0; j < kWidth; ++j) store(out.v[j], load(in.v[j]));
        store_pack<kWidth>(dst + i, out);
      },
      [=](std::int64_t i) { store(dst[i], load(src[i])); });
}

template <class From, class To>
Enqueue prepare_cast_of(const void* src, void* dst, std::int64_t n, int sm_count) {
  const auto* from = static_cast<const From*>(src);
  auto* to = static_cast<To*>(dst);
  constexpr int kPack = 4;  // at most 16 bytes on either side
  const bool packs = aligned(from, to);
  return [=](cudaStream_t stream) {
    const unsigned blocks = blocks_for(packs ? n / kPack : n, kThreads, sm_count);
    const auto kernel = packs ? &cast_kernel<From, To, kPack> : &cast_kernel<From, To, 1>;
    launch(kernel, {.blocks = blocks, .threads = kThreads}, stream, from, to, n);
  };
}

}  // namespace

Enqueue prepare_copy(const OpShape& shape, void* const* operands, KernelContext& context) {
  const std::int64_t n = unpack<CopyShape>(shape).elements;
  return with_type(shape.dtype, [&]<class T>(T) -> Enqueue {
    const T* src = input<T>(operands, 0);
    T* dst = output<T>(operands, 1);
    return with_width<T>(aligned(src, dst), [&](auto width) -> Enqueue {
      const unsigned blocks = blocks_for(n / width, kThreads, context.sm_count());
      return [=](cudaStream_t stream) {
        launch(&copy_kernel<T, width>, {.blocks = blocks, .threads = kThreads}, stream, src, dst,
               n);
      };
    });
  });
}

Enqueue prepare_triad(const OpShape& shape, void* const* operands, KernelContext& context) {
  const auto s = unpack<TriadShape>(shape);
  return with_type(shape.dtype, [&]<class T>(T) -> Enqueue {
    const T *b = input<T>(operands, 0), *c = input<T>(operands, 1);
    T* a = output<T>(operands, 2);
    return with_width<T>(aligned(a, b, c), [&](auto width) -> Enqueue {
      const unsigned blocks = blocks_for(s.elements / width, kThreads, context.sm_count());
      return [=](cudaStream_t stream) {
        launch(&triad_kernel<T, width>, {.blocks = blocks, .threads = kThreads}, stream, b, c, a,
               static_cast<float>(s.s), s.elements);
      };
    });
  });
}

Enqueue prepare_cast(const OpShape& shape, void* const* operands, KernelContext& context) {
  const auto s = unpack<CastShape>(shape);
  return with_type(shape.dtype, [&]<class T>(T) -> Enqueue {
    if (s.to_f32 != 0) {
      return prepare_cast_of<T, float>(operands[0], operands[1], s.elements, context.sm_count());
    }
    return prepare_cast_of<float, T>(operands[0], operands[1], s.elements, context.sm_count());
  });
}

Enqueue prepare_zero(const OpShape& shape, void* const* operands, KernelContext&) {
  const auto bytes =
      static_cast<std::size_t>(unpack<ZeroShape>(shape).elements) * size_of(shape.dtype);
  return [to = operands[0], bytes](cudaStream_t stream) {
    STEPMARK_CUDA_CHECK(cudaMemsetAsync(to, 0, bytes, stream));
  };
}

}  // namespace stepmark::cuda
