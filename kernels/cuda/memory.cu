// SPDX-License-Identifier: Apache-2.0
// Probes of memory bandwidth, arithmetic and occupancy; casts; gradient buckets.
#include "kernels/ops/memory.h"

#include "kernels/cuda/cuda_kernels.h"
#include "kernels/cuda/map.cuh"
#include "kernels/cuda/rows.cuh"
#include "kernels/cuda/vector.cuh"

namespace stepmark::cuda {
namespace {

struct Same {
  template <class T>
  __device__ T operator()(T x) const {
    return x;
  }
};
struct Triad {
  float s;
  __device__ float operator()(float b, float c) const { return b + s * c; }
};
struct Scale {
  float factor;
  __device__ float operator()(float x) const { return factor * x; }
};

constexpr int kRows = 4;  // at a time

// to[t * to_stride + i] = f(from[t * from_stride + i]) for t < rows, i < cols: a thread keeps its
// i.
template <int kWidth, class F, class T>
__global__ void __launch_bounds__(kRowsThreads)
    strided_kernel(F f, const T* from, std::int64_t from_stride, T* to, std::int64_t to_stride,
                   std::int64_t rows, std::int64_t cols) {
  const std::int64_t c = own_column<kWidth>();
  if (c >= cols) return;
  Pack<T, kWidth> held[kRows];
  for_rows<kRows>(
      rows, [&](int i, std::int64_t r) { held[i] = load_pack<kWidth>(from + r * from_stride + c); },
      [&](int i, std::int64_t r) {
        Pack<T, kWidth> out;
        for (int j = 0; j < kWidth; ++j) store(out.v[j], f(load(held[i].v[j])));
        store_pack<kWidth>(to + r * to_stride + c, out);
      });
}

template <class F, class T>
Enqueue prepare_strided(F f, const T* from, std::int64_t from_stride, T* to, std::int64_t to_stride,
                        std::int64_t rows, std::int64_t cols, const KernelContext& context) {
  constexpr int kPack = kPackElements<T>;
  const bool packs = aligned(from, to) && from_stride % kPack == 0 && to_stride % kPack == 0;
  return with_rows<kPack>(rows, cols, packs, kRows, context, [=](auto width, RowsGrid grid) {
    return [=](cudaStream_t stream) {
      launch(&strided_kernel<width, F, T>, {.blocks = grid.blocks, .threads = grid.threads}, stream,
             f, from, from_stride, to, to_stride, rows, cols);
    };
  });
}

// Independent chains in each thread, interleaved: one alone would wait for every result.
constexpr int kChains = 8;
constexpr unsigned kFmaThreads = 256;
template <class T>
__global__ void __launch_bounds__(kFmaThreads)
    fma_kernel(const T* x, T* y, std::int64_t n, std::int64_t iterations) {
  const std::int64_t first = std::int64_t{blockIdx.x} * kFmaThreads * kChains + threadIdx.x;
  float v[kChains] = {};
  for (int k = 0; k < kChains; ++k) {
    if (first + k * kFmaThreads < n) v[k] = load(x[first + k * kFmaThreads]);
  }
  for (std::int64_t i = 0; i < iterations; ++i) {
    for (int k = 0; k < kChains; ++k) v[k] = __fmaf_rn(v[k], kFmaFactor, kFmaAddend);
  }
  for (int k = 0; k < kChains; ++k) {
    if (first + k * kFmaThreads < n) store(y[first + k * kFmaThreads], v[k]);
  }
}

// The loop ends even if the clock stood still: every turn sleeps about kNapNs at least.
constexpr unsigned kNapNs = 100;
__global__ void occupy_kernel(std::uint64_t nanoseconds, float* done) {
  const std::uint64_t begin = global_timer_ns();
  const std::uint64_t turns = 1000 + 10 * (nanoseconds / kNapNs);
  for (std::uint64_t i = 0; i < turns && global_timer_ns() - begin < nanoseconds; ++i) {
    __nanosleep(kNapNs);
  }
  __syncthreads();
  if (threadIdx.x == 0) done[blockIdx.x] = 1.0F;
}

}  // namespace

Enqueue prepare_copy(const OpShape& shape, void* const* operands, KernelContext& context) {
  const std::int64_t n = unpack<CopyShape>(shape).elements;
  return with_bits(shape.dtype, [&]<class T>(T) {
    return prepare_map(Same{}, n, context.sm_count(), output<T>(operands, 1),
                       input<T>(operands, 0));
  });
}

Enqueue prepare_triad(const OpShape& shape, void* const* operands, KernelContext& context) {
  const auto s = unpack<TriadShape>(shape);
  return with_type(shape.dtype, [&]<class T>(T) {
    return prepare_map(Triad{static_cast<float>(s.s)}, s.elements, context.sm_count(),
                       output<T>(operands, 2), input<T>(operands, 0), input<T>(operands, 1));
  });
}

Enqueue prepare_cast(const OpShape& shape, void* const* operands, KernelContext& context) {
  const auto s = unpack<CastShape>(shape);
  return with_type(shape.dtype, [&]<class T>(T) {
    if (s.to_f32 != 0) {
      return prepare_map(Same{}, s.elements, context.sm_count(), output<float>(operands, 1),
                         input<T>(operands, 0));
    }
    return prepare_map(Same{}, s.elements, context.sm_count(), output<T>(operands, 1),
                       input<float>(operands, 0));
  });
}

Enqueue prepare_zero(const OpShape& shape, void* const* operands, KernelContext&) {
  const auto bytes =
      static_cast<std::size_t>(unpack<ZeroShape>(shape).elements) * size_of(shape.dtype);
  return [to = operands[0], bytes](cudaStream_t stream) {
    STEPMARK_CUDA_CHECK(cudaMemsetAsync(to, 0, bytes, stream));
  };
}

Enqueue prepare_fma(const OpShape& shape, void* const* operands, KernelContext&) {
  const auto s = unpack<FmaShape>(shape);
  if (s.elements == 0) return [](cudaStream_t) {};
  constexpr std::int64_t kBlock = std::int64_t{kFmaThreads} * kChains;
  const auto blocks = static_cast<unsigned>((s.elements + kBlock - 1) / kBlock);
  return with_type(shape.dtype, [&]<class T>(T) -> Enqueue {
    return [=, x = input<T>(operands, 0), y = output<T>(operands, 1)](cudaStream_t stream) {
      launch(&fma_kernel<T>, {.blocks = blocks, .threads = kFmaThreads}, stream, x, y, s.elements,
             s.iterations);
    };
  });
}

Enqueue prepare_occupy(const OpShape& shape, void* const* operands, KernelContext&) {
  const auto s = unpack<OccupyShape>(shape);
  const Launch grid{.blocks = static_cast<unsigned>(s.ctas),
                    .threads = static_cast<unsigned>(s.threads),
                    .shared_bytes = static_cast<std::size_t>(s.shared_bytes)};
  return [=, done = output<float>(operands, 0)](cudaStream_t stream) {
    launch(&occupy_kernel, grid, stream, static_cast<std::uint64_t>(s.nanoseconds), done);
  };
}

Enqueue prepare_bucket_pack(const OpShape& shape, void* const* operands, KernelContext& context) {
  const auto s = unpack<BucketPackShape>(shape);
  return with_bits(shape.dtype, [&]<class T>(T) {
    return prepare_strided(Same{}, input<T>(operands, 0), s.stride, output<T>(operands, 1),
                           s.elements, s.tensors, s.elements, context);
  });
}

Enqueue prepare_bucket_unpack(const OpShape& shape, void* const* operands, KernelContext& context) {
  const auto s = unpack<BucketUnpackShape>(shape);
  return with_type(shape.dtype, [&]<class T>(T) {
    return prepare_strided(Scale{static_cast<float>(s.scale)}, input<T>(operands, 0), s.elements,
                           output<T>(operands, 1), s.stride, s.tensors, s.elements, context);
  });
}

}  // namespace stepmark::cuda
