// SPDX-License-Identifier: Apache-2.0
// With x/2 (1 + tanh(u)) = x sigmoid(2u), GELU needs one exponential and no cancellation.
#include "kernels/ops/activation.h"

#include "kernels/cuda/cuda_kernels.h"
#include "kernels/cuda/gelu.cuh"
#include "kernels/cuda/map.cuh"
#include "kernels/cuda/rows.cuh"
#include "kernels/cuda/vector.cuh"

namespace stepmark::cuda {
namespace {

constexpr int kRows = 2;  // at a time

struct Gelu {
  __device__ float operator()(float x) const { return gelu(x); }
};
struct GeluGradient {
  __device__ float operator()(float dy, float x) const { return dy * gelu_slope(x); }
};
struct Add {
  __device__ float operator()(float a, float b) const { return a + b; }
};

template <class T, int kWidth>
__global__ void __launch_bounds__(kRowsThreads)
    swiglu_fwd_kernel(const T* x, T* y, std::int64_t rows, std::int64_t cols) {
  const std::int64_t c = own_column<kWidth>();
  if (c >= cols) return;
  Pack<T, kWidth> gate[kRows], up[kRows];
  for_rows<kRows>(
      rows,
      [&](int i, std::int64_t r) {
        gate[i] = load_pack<kWidth>(x + 2 * r * cols + c);
        up[i] = load_pack<kWidth>(x + (2 * r + 1) * cols + c);
      },
      [&](int i, std::int64_t r) {
        Pack<T, kWidth> out;
        for (int j = 0; j < kWidth; ++j) {
          const float g = load(gate[i].v[j]);
          store(out.v[j], g * sigmoid(g) * load(up[i].v[j]));
        }
        store_pack<kWidth>(y + r * cols + c, out);
      });
}

template <class T, int kWidth>
__global__ void __launch_bounds__(kRowsThreads)
    swiglu_bwd_kernel(const T* dy, const T* x, T* dx, std::int64_t rows, std::int64_t cols) {
  const std::int64_t c = own_column<kWidth>();
  if (c >= cols) return;
  Pack<T, kWidth> d[kRows], gate[kRows], up[kRows];
  for_rows<kRows>(
      rows,
      [&](int i, std::int64_t r) {
        d[i] = load_pack<kWidth>(dy + r * cols + c);
        gate[i] = load_pack<kWidth>(x + 2 * r * cols + c);
        up[i] = load_pack<kWidth>(x + (2 * r + 1) * cols + c);
      },
      [&](int i, std::int64_t r) {
        Pack<T, kWidth> dgate, dup;
        for (int j = 0; j < kWidth; ++j) {
          const float g = load(gate[i].v[j]), s = sigmoid(g), dc = load(d[i].v[j]);
          store(dgate.v[j], dc * load(up[i].v[j]) * s * (1.0F + g * (1.0F - s)));
          store(dup.v[j], dc * g * s);
        }
        store_pack<kWidth>(dx + 2 * r * cols + c, dgate);
        store_pack<kWidth>(dx + (2 * r + 1) * cols + c, dup);
      });
}

template <class T, int kWidth>
__global__ void __launch_bounds__(kRowsThreads)
    residual_bias_kernel(const T* a, const T* b, const T* bias, T* out, std::int64_t rows,
                         std::int64_t cols) {
  const std::int64_t c = own_column<kWidth>();
  if (c >= cols) return;
  const Pack<T, kWidth> shift = load_pack<kWidth>(bias + c);
  Pack<T, kWidth> left[kRows], right[kRows];
  for_rows<kRows>(
      rows,
      [&](int i, std::int64_t r) {
        left[i] = load_pack<kWidth>(a + r * cols + c);
        right[i] = load_pack<kWidth>(b + r * cols + c);
      },
      [&](int i, std::int64_t r) {
        Pack<T, kWidth> sum;
        for (int j = 0; j < kWidth; ++j) {
          store(sum.v[j], load(left[i].v[j]) + load(right[i].v[j]) + load(shift.v[j]));
        }
        store_pack<kWidth>(out + r * cols + c, sum);
      });
}

}  // namespace

Enqueue prepare_gelu_fwd(const OpShape& shape, void* const* operands, KernelContext& context) {
  const std::int64_t n = unpack<GeluFwdShape>(shape).elements;
  return with_type(shape.dtype, [&]<class T>(T) -> Enqueue {
    return prepare_map(Gelu{}, n, context.sm_count(), output<T>(operands, 1),
                       input<T>(operands, 0));
  });
}

Enqueue prepare_gelu_bwd(const OpShape& shape, void* const* operands, KernelContext& context) {
  const std::int64_t n = unpack<GeluBwdShape>(shape).elements;
  return with_type(shape.dtype, [&]<class T>(T) -> Enqueue {
    return prepare_map(GeluGradient{}, n, context.sm_count(), output<T>(operands, 2),
                       input<T>(operands, 0), input<T>(operands, 1));
  });
}

Enqueue prepare_swiglu_fwd(const OpShape& shape, void* const* operands, KernelContext& context) {
  const auto s = unpack<SwigluFwdShape>(shape);
  return with_type(shape.dtype, [&]<class T>(T) -> Enqueue {
    const T* x = input<T>(operands, 0);
    T* y = output<T>(operands, 1);
    return with_rows<kPackElements<T>>(
        s.rows, s.cols, aligned(x, y), kRows, context, [=](auto width, RowsGrid grid) {
          return [=](cudaStream_t stream) {
            launch(&swiglu_fwd_kernel<T, width>, {.blocks = grid.blocks, .threads = grid.threads},
                   stream, x, y, s.rows, s.cols);
          };
        });
  });
}

Enqueue prepare_swiglu_bwd(const OpShape& shape, void* const* operands, KernelContext& context) {
  const auto s = unpack<SwigluBwdShape>(shape);
  return with_type(shape.dtype, [&]<class T>(T) -> Enqueue {
    const T *dy = input<T>(operands, 0), *x = input<T>(operands, 1);
    T* dx = output<T>(operands, 2);
    return with_rows<kPackElements<T>>(
        s.rows, s.cols, aligned(dy, x, dx), kRows, context, [=](auto width, RowsGrid grid) {
          return [=](cudaStream_t stream) {
            launch(&swiglu_bwd_kernel<T, width>, {.blocks = grid.blocks, .threads = grid.threads},
                   stream, dy, x, dx, s.rows, s.cols);
          };
        });
  });
}

Enqueue prepare_residual(const OpShape& shape, void* const* operands, KernelContext& context) {
  const auto s = unpack<ResidualShape>(shape);
  return with_type(shape.dtype, [&]<class T>(T) -> Enqueue {
    const T *a = input<T>(operands, 0), *b = input<T>(operands, 1), *bias = input<T>(operands, 2);
    T* out = output<T>(operands, 3);
    if (s.bias == 0) return prepare_map(Add{}, s.rows * s.cols, context.sm_count(), out, a, b);
    return with_rows<kPackElements<T>>(s.rows, s.cols, aligned(a, b, bias, out), kRows, context,
                                       [=](auto width, RowsGrid grid) {
                                         return [=](cudaStream_t stream) {
                                           launch(&residual_bias_kernel<T, width>,
                                                  {.blocks = grid.blocks, .threads = grid.threads},
                                                  stream, a, b, bias, out, s.rows, s.cols);
                                         };
                                       });
  });
}

}  // namespace stepmark::cuda
