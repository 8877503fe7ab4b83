// SPDX-License-Identifier: Apache-2.0
// A row stays in the first-level cache, so its passes (statistics, then output) cost one read of
// memory. Parameter gradients are summed over groups of kGroupRows rows into partial rows, which
// are added in order: one read of dy and x, and a result that no thread count changes.
#include "kernels/ops/norm.h"

#include <algorithm>
#include <cmath>

#include "kernels/host/number.h"
#include "kernels/host/reduce.h"
#include "kernels/host/table.h"

namespace stepmark {
namespace {

using host::load;
using host::store;

constexpr std::int64_t kGroupRows = 16;

std::int64_t groups_of(std::int64_t rows) { return (rows + kGroupRows - 1) / kGroupRows; }

// out (cols) [+]= sum of partial rows (groups, cols) `stride` elements apart.
void add_partials(const float* partials, std::int64_t groups, std::int64_t stride,
                  std::int64_t cols, bool accumulate, float* out) {
  host::parallel_ranges<host::kLineGrain>(cols, groups * cols,
                                          [=](std::int64_t begin, std::int64_t end) {
                                            if (!accumulate)
                                              std::fill(out + begin, out + end, 0.0F);
                                            for (std::int64_t g = 0; g < groups; ++g) {
                                              const float* row = partials + g * stride;
#pragma omp simd
                                              for (std::int64_t c = begin; c < end; ++c)
                                                out[c] += row[c];
                                            }
                                          });
}

template <class T>
void layernorm_row(const T* x, const T* gamma, const T* beta, T* y, float* mean_out,
                   float* rstd_out, std::int64_t cols, float eps) {
  const auto n = static_cast<float>(cols);
  const float mean = host::sum_in_lanes(0, cols, [=](std::int64_t c) { return load(x[c]); }) / n;
  const float squares = host::sum_in_lanes(0, cols, [=](std::int64_t c) {
    const float d = load(x[c]) - mean;
    return d * d;
  });
  const float rstd = 1.0F / std::sqrt(squares / n + eps);
#pragma omp simd
  for (std::int64_t c = 0; c < cols; ++c) {
    store(y[c], (load(x[c]) - mean) * rstd * load(gamma[c]) + load(beta[c]));
  }
  *mean_out = mean;
  *rstd_out = rstd;
}

template <class T>
void rmsnorm_row(const T* x, const T* gamma, T* y, float* rstd_out, std::int64_t cols, float eps) {
  const float squares =
      host::sum_in_lanes(0, cols, [=](std::int64_t c) { return load(x[c]) * load(x[c]); });
  const float rstd = 1.0F / std::sqrt(squares / static_cast<float>(cols) + eps);
#pragma omp simd
  for (std::int64_t c = 0; c < cols; ++c) store(y[c], load(x[c]) * rstd * load(gamma[c]));
  *rstd_out = rstd;
}

// out = a + b (+ bias, which may be null).
template <class T>
void residual_row(const T* a, const T* b, const T* bias, T* out, std::int64_t cols) {
  if (bias == nullptr) {
#pragma omp simd
    for (std::int64_t c = 0; c < cols; ++c) store(out[c], load(a[c]) + load(b[c]));
    return;
  }
#pragma omp simd
  for (std::int64_t c = 0; c < cols; ++c) store(out[c], load(a[c]) + load(b[c]) + load(bias[c]));
}

// One row of the backward pass, adding to the group's dgamma and, when kMean, dbeta. RMSNorm is the
// case mean = 0 without the terms that come from subtracting it.
template <bool kMean, bool kAdd, class T>
void norm_bwd_row(const T* dy, const T* x, const T* gamma, float mean, float rstd, T* dx,
                  float* dgamma, float* dbeta, std::int64_t cols) {
  const auto n = static_cast<float>(cols);
  float sum = 0, sum_hat = 0;
#pragma omp simd reduction(+ : sum, sum_hat)
  for (std::int64_t c = 0; c < cols; ++c) {
    const float d = load(dy[c]), hat = (load(x[c]) - mean) * rstd, gd = load(gamma[c]) * d;
    sum += gd;
    sum_hat += gd * hat;
    dgamma[c] += d * hat;
    if constexpr (kMean) dbeta[c] += d;
  }
  const float mean_gd = kMean ? sum / n : 0.0F, mean_gd_hat = sum_hat / n;
#pragma omp simd
  for (std::int64_t c = 0; c < cols; ++c) {
    const float hat = (load(x[c]) - mean) * rstd;
    const float d = rstd * (load(gamma[c]) * load(dy[c]) - mean_gd - hat * mean_gd_hat);
    store(dx[c], kAdd ? load(dx[c]) + d : d);
  }
}

struct BwdSize {
  std::int64_t rows, cols;
  bool accumulate;
};

// mean and dbeta are null for RMSNorm.
template <bool kMean, bool kAdd, class T>
void norm_bwd(BwdSize s, const T* dy, const T* x, const T* gamma, const float* mean,
              const float* rstd, T* dx, float* dgamma, float* dbeta) {
  const std::int64_t groups = groups_of(s.rows), stride = (kMean ? 2 : 1) * s.cols;
  const auto partials = host::make_scratch(groups * stride);
  float* sums = partials.get();
  host::parallel_each(groups, kGroupRows * s.cols, [=](std::int64_t g) {
    float* group_dgamma = sums + g * stride;
    float* group_dbeta = group_dgamma + (kMean ? s.cols : 0);
    std::fill_n(group_dgamma, stride, 0.0F);
    for (std::int64_t r = g * kGroupRows; r < std::min(s.rows, (g + 1) * kGroupRows); ++r) {
      const std::int64_t at = r * s.cols;
      norm_bwd_row<kMean, kAdd>(dy + at, x + at, gamma, kMean ? mean[r] : 0.0F, rstd[r], dx + at,
                                group_dgamma, group_dbeta, s.cols);
    }
  });
  add_partials(sums, groups, stride, s.cols, s.accumulate, dgamma);
  if constexpr (kMean) add_partials(sums + s.cols, groups, stride, s.cols, s.accumulate, dbeta);
}

}  // namespace

void host_layernorm_fwd(const OpShape& shape, void* const* operands) {
  const auto s = unpack<LayerNormFwdShape>(shape);
  const auto eps = static_cast<float>(s.eps);
  float *mean = host::output<float>(operands, 4), *rstd = host::output<float>(operands, 5);
  host::with_type(shape.dtype, [&]<class T>(T) {
    const T *x = host::input<T>(operands, 0), *gamma = host::input<T>(operands, 1);
    const T* beta = host::input<T>(operands, 2);
    T* y = host::output<T>(operands, 3);
    host::parallel_each(s.rows, s.cols, [=](std::int64_t r) {
      layernorm_row(x + r * s.cols, gamma, beta, y + r * s.cols, mean + r, rstd + r, s.cols, eps);
    });
  });
}

void host_layernorm_bwd(const OpShape& shape, void* const* operands) {
  const auto s = unpack<LayerNormBwdShape>(shape);
  const BwdSize size{.rows = s.rows, .cols = s.cols, .accumulate = s.accumulate != 0};
  host::with_type(shape.dtype, [&]<class T>(T) {
    const auto run = s.add_dx != 0 ? &norm_bwd<true, true, T> : &norm_bwd<true, false, T>;
    run(size, host::input<T>(operands, 0), host::input<T>(operands, 1), host::input<T>(operands, 2),
        host::input<float>(operands, 3), host::input<float>(operands, 4),
        host::output<T>(operands, 5), host::output<float>(operands, 6),
        host::output<float>(operands, 7));
  });
}

void host_rmsnorm_fwd(const OpShape& shape, void* const* operands) {
  const auto s = unpack<RmsNormFwdShape>(shape);
  const auto eps = static_cast<float>(s.eps);
  float* rstd = host::output<float>(operands, 3);
  host::with_type(shape.dtype, [&]<class T>(T) {
    const T *x = host::input<T>(operands, 0), *gamma = host::input<T>(operands, 1);
    T* y = host::output<T>(operands, 2);
    host::parallel_each(s.rows, s.cols, [=](std::int64_t r) {
      rmsnorm_row(x + r * s.cols, gamma, y + r * s.cols, rstd + r, s.cols, eps);
    });
  });
}

void host_rmsnorm_bwd(const OpShape& shape, void* const* operands) {
  const auto s = unpack<RmsNormBwdShape>(shape);
  const BwdSize size{.rows = s.rows, .cols = s.cols, .accumulate = s.accumulate != 0};
  host::with_type(shape.dtype, [&]<class T>(T) {
    const auto run = s.add_dx != 0 ? &norm_bwd<false, true, T> : &norm_bwd<false, false, T>;
    run(size, host::input<T>(operands, 0), host::input<T>(operands, 1), host::input<T>(operands, 2),
        nullptr, host::input<float>(operands, 3), host::output<T>(operands, 4),
        host::output<float>(operands, 5), nullptr);
  });
}

void host_head_norm_fwd(const OpShape& shape, void* const* operands) {
  const auto s = unpack<HeadNormFwdShape>(shape);
  const auto eps = static_cast<float>(s.eps);
  const std::int64_t dim = s.head_dim, heads = s.heads + s.kv_heads;
  float* rstd = host::output<float>(operands, 4);
  host::with_type(shape.dtype, [&]<class T>(T) {
    T *qkv = host::output<T>(operands, 0), *raw = host::output<T>(operands, 3);
    const T *q_gamma = host::input<T>(operands, 1), *k_gamma = host::input<T>(operands, 2);
    host::parallel_each(s.tokens, heads * dim, [=](std::int64_t t) {
      T* token = qkv + t * (heads + s.kv_heads) * dim;
      std::copy_n(token, heads * dim, raw + t * heads * dim);
      for (std::int64_t h = 0; h < heads; ++h) {
        rmsnorm_row(raw + (t * heads + h) * dim, h < s.heads ? q_gamma : k_gamma, token + h * dim,
                    rstd + t * heads + h, dim, eps);
      }
    });
  });
}

void host_head_norm_bwd(const OpShape& shape, void* const* operands) {
  const auto s = unpack<HeadNormBwdShape>(shape);
  const std::int64_t dim = s.head_dim, heads = s.heads + s.kv_heads;
  const float* rstd = host::input<float>(operands, 4);
  // Of each group of tokens a row of sums for query heads, then for key heads.
  const std::int64_t groups = groups_of(s.tokens), stride = 2 * dim;
  const auto partials = host::make_scratch(groups * stride);
  float* sums = partials.get();
  host::with_type(shape.dtype, [&]<class T>(T) {
    T* dqkv = host::output<T>(operands, 0);
    const T* raw = host::input<T>(operands, 1);
    const T *q_gamma = host::input<T>(operands, 2), *k_gamma = host::input<T>(operands, 3);
    host::parallel_each(groups, kGroupRows * heads * dim, [=](std::int64_t g) {
      float* group = sums + g * stride;
      std::fill_n(group, stride, 0.0F);
      for (std::int64_t t = g * kGroupRows; t < std::min(s.tokens, (g + 1) * kGroupRows); ++t) {
        for (std::int64_t h = 0; h < heads; ++h) {
          T* gradient = dqkv + (t * (heads + s.kv_heads) + h) * dim;
          const bool query = h < s.heads;
          norm_bwd_row<false, false>(gradient, raw + (t * heads + h) * dim,
                                     query ? q_gamma : k_gamma, 0.0F, rstd[t * heads + h], gradient,
                                     group + (query ? 0 : dim), static_cast<float*>(nullptr), dim);
        }
      }
    });
  });
  const bool accumulate = s.accumulate != 0;
  add_partials(sums, groups, stride, dim, accumulate, host::output<float>(operands, 5));
  add_partials(sums + dim, groups, stride, dim, accumulate, host::output<float>(operands, 6));
}

void host_residual_rmsnorm_fwd(const OpShape& shape, void* const* operands) {
  const auto s = unpack<ResidualRmsNormFwdShape>(shape);
  const auto eps = static_cast<float>(s.eps);
  float* rstd = host::output<float>(operands, 6);
  host::with_type(shape.dtype, [&]<class T>(T) {
    const T *a = host::input<T>(operands, 0), *b = host::input<T>(operands, 1);
    const T* bias = s.bias != 0 ? host::input<T>(operands, 2) : nullptr;
    const T* gamma = host::input<T>(operands, 3);
    T *out = host::output<T>(operands, 4), *y = host::output<T>(operands, 5);
    host::parallel_each(s.rows, s.cols, [=](std::int64_t r) {
      const std::int64_t at = r * s.cols;
      residual_row(a + at, b + at, bias, out + at, s.cols);
      rmsnorm_row(out + at, gamma, y + at, rstd + r, s.cols, eps);
    });
  });
}

void host_residual_layernorm_fwd(const OpShape& shape, void* const* operands) {
  const auto s = unpack<ResidualLayerNormFwdShape>(shape);
  const auto eps = static_cast<float>(s.eps);
  float *mean = host::output<float>(operands, 7), *rstd = host::output<float>(operands, 8);
  host::with_type(shape.dtype, [&]<class T>(T) {
    const T *a = host::input<T>(operands, 0), *b = host::input<T>(operands, 1);
    const T* bias = s.bias != 0 ? host::input<T>(operands, 2) : nullptr;
    const T *gamma = host::input<T>(operands, 3), *beta = host::input<T>(operands, 4);
    T *out = host::output<T>(operands, 5), *y = host::output<T>(operands, 6);
    host::parallel_each(s.rows, s.cols, [=](std::int64_t r) {
      const std::int64_t at = r * s.cols;
      residual_row(a + at, b + at, bias, out + at, s.cols);
      layernorm_row(out + at, gamma, beta, y + at, mean + r, rstd + r, s.cols, eps);
    });
  });
}

}  // namespace stepmark
