// SPDX-License-Identifier: Apache-2.0
// GELU (tanh form), SwiGLU and the residual sum: one pass over memory per op, `omp simd` inside a
// static split over threads. Compiled once per instruction set.
#include "kernels/ops/activation.h"

#include "kernels/host/gelu.h"
#include "kernels/host/number.h"
#include "kernels/host/table.h"
#include "kernels/host/vector_math.h"

namespace stepmark {

using host::load;
using host::store;

void host_gelu_fwd(const OpShape& shape, void* const* operands) {
  host::with_type(shape.dtype, [&]<class T>(T) {
    const T* x = host::input<T>(operands, 0);
    T* y = host::output<T>(operands, 1);
    host::parallel_elements(unpack<GeluFwdShape>(shape).elements,
                            [=](std::int64_t begin, std::int64_t end) {
#pragma omp simd
                              for (std::int64_t i = begin; i < end; ++i) {
                                store(y[i], host::gelu(load(x[i])));
                              }
                            });
  });
}

void host_gelu_bwd(const OpShape& shape, void* const* operands) {
  host::with_type(shape.dtype, [&]<class T>(T) {
    const T *dy = host::input<T>(operands, 0), *x = host::input<T>(operands, 1);
    T* dx = host::output<T>(operands, 2);
    host::parallel_elements(unpack<GeluBwdShape>(shape).elements,
                            [=](std::int64_t begin, std::int64_t end) {
#pragma omp simd
                              for (std::int64_t i = begin; i < end; ++i) {
                                store(dx[i], load(dy[i]) * host::gelu_slope(load(x[i])));
                              }
                            });
  });
}

void host_swiglu_fwd(const OpShape& shape, void* const* operands) {
  const auto s = unpack<SwigluFwdShape>(shape);
  host::with_type(shape.dtype, [&]<class T>(T) {
    const T* x = host::input<T>(operands, 0);
    T* y = host::output<T>(operands, 1);
    host::parallel_each(s.rows, s.cols, [=](std::int64_t r) {
      const T *gate = x + 2 * r * s.cols, *up = gate + s.cols;
      T* out = y + r * s.cols;
#pragma omp simd
      for (std::int64_t c = 0; c < s.cols; ++c) {
        const float g = load(gate[c]);
        store(out[c], g * host::sigmoid(g) * load(up[c]));
      }
    });
  });
}

void host_swiglu_bwd(const OpShape& shape, void* const* operands) {
  const auto s = unpack<SwigluBwdShape>(shape);
  host::with_type(shape.dtype, [&]<class T>(T) {
    const T *dy = host::input<T>(operands, 0), *x = host::input<T>(operands, 1);
    T* dx = host::output<T>(operands, 2);
    host::parallel_each(s.rows, s.cols, [=](std::int64_t r) {
      const T *d = dy + r * s.cols, *gate = x + 2 * r * s.cols, *up = gate + s.cols;
      T *dgate = dx + 2 * r * s.cols, *dup = dgate + s.cols;
#pragma omp simd
      for (std::int64_t c = 0; c < s.cols; ++c) {
        const float g = load(gate[c]), sg = host::sigmoid(g), dc = load(d[c]);
        store(dgate[c], dc * load(up[c]) * sg * (1.0F + g * (1.0F - sg)));
        store(dup[c], dc * g * sg);
      }
    });
  });
}

void host_residual(const OpShape& shape, void* const* operands) {
  const auto s = unpack<ResidualShape>(shape);
  host::with_type(shape.dtype, [&]<class T>(T) {
    const T *a = host::input<T>(operands, 0), *b = host::input<T>(operands, 1);
    const T* bias = host::input<T>(operands, 2);
    T* out = host::output<T>(operands, 3);
    if (s.bias == 0) {
      host::parallel_elements(s.rows * s.cols, [=](std::int64_t begin, std::int64_t end) {
#pragma omp simd
        for (std::int64_t i = begin; i < end; ++i) store(out[i], load(a[i]) + load(b[i]));
      });
      return;
    }
    host::parallel_each(s.rows, s.cols, [=](std::int64_t r) {
      const std::int64_t at = r * s.cols;
#pragma omp simd
      for (std::int64_t c = 0; c < s.cols; ++c) {
        store(out[at + c], load(a[at + c]) + load(b[at + c]) + load(bias[c]));
      }
    });
  });
}

}  // namespace stepmark
