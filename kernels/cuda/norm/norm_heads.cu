// SPDX-License-Identifier: Apache-2.0
// The norm of query and key heads: a warp takes a head at a time. In the backward pass each warp
// keeps its sums for both weights in shared memory, a block adds those of its warps in order into a
// partial row, and a second kernel adds the partial rows.
#include <algorithm>

#include "kernels/cuda/column_sums.cuh"
#include "kernels/cuda/cuda_kernels.h"
#include "kernels/cuda/reduce.cuh"
#include "kernels/cuda/vector.cuh"
#include "kernels/ops/norm.h"

namespace stepmark::cuda {
namespace {

constexpr unsigned kWarps = 8;  // of a block, at most

struct Heads {
  std::int64_t tokens, heads, kv_heads, dim;

  [[nodiscard]] __device__ std::int64_t normed() const { return heads + kv_heads; }
  // Row of the packed projections of head `i` of those that are normed.
  [[nodiscard]] __device__ std::int64_t packed(std::int64_t i) const {
    return i / normed() * (normed() + kv_heads) + i % normed();
  }
  [[nodiscard]] __device__ bool is_key(std::int64_t i) const { return i % normed() >= heads; }
};

template <class T>
__global__ void __launch_bounds__(kWarps* kWarp)
    head_norm_fwd_kernel(Heads s, float eps, T* qkv, const T* q_gamma, const T* k_gamma, T* raw,
                         float* rstd_out) {
  const std::int64_t lane = threadIdx.x % kWarp, step = std::int64_t{gridDim.x} * kWarps;
  for (std::int64_t i = std::int64_t{blockIdx.x} * kWarps + threadIdx.x / kWarp;
       i < s.tokens * s.normed(); i += step) {
    T *head = qkv + s.packed(i) * s.dim, *before = raw + i * s.dim;
    const T* gamma = s.is_key(i) ? k_gamma : q_gamma;
    float squares = 0;
    for (std::int64_t c = lane; c < s.dim; c += kWarp) {
      const float x = load(head[c]);
      before[c] = head[c];
      squares += x * x;
    }
    const float mean = warp_reduce<Sum>(squares) / static_cast<float>(s.dim);
    const float rstd = 1.0F / sqrtf(mean + eps);
    for (std::int64_t c = lane; c < s.dim; c += kWarp) {
      store(head[c], load(head[c]) * rstd * load(gamma[c]));
    }
    if (lane == 0) rstd_out[i] = rstd;
  }
}

template <class T>
struct HeadNormBwd {
  T* dqkv;
  const T *raw, *q_gamma, *k_gamma;
  const float* rstd;
};

template <class T>
__global__ void __launch_bounds__(kWarps* kWarp)
    head_norm_bwd_kernel(Heads s, HeadNormBwd<T> o, float* partials) {
  auto* sums = reinterpret_cast<float*>(block_shared());  // (warps, 2, dim)
  const std::int64_t lane = threadIdx.x % kWarp, warps = blockDim.x / kWarp;
  const std::int64_t warp = threadIdx.x / kWarp, columns = 2 * s.dim;
  float* own = sums + warp * columns;
  for (std::int64_t c = lane; c < columns; c += kWarp) own[c] = 0;
  __syncwarp();
  for (std::int64_t i = std::int64_t{blockIdx.x} * warps + warp; i < s.tokens * s.normed();
       i += gridDim.x * warps) {
    const bool key = s.is_key(i);
    T* gradient = o.dqkv + s.packed(i) * s.dim;
    const T *x = o.raw + i * s.dim, *gamma = key ? o.k_gamma : o.q_gamma;
    float* of_weight = own + (key ? s.dim : 0);
    const float rstd = o.rstd[i];
    float sum = 0;
    for (std::int64_t c = lane; c < s.dim; c += kWarp) {
      const float dy = load(gradient[c]), hat = load(x[c]) * rstd;
      sum += load(gamma[c]) * dy * hat;
      of_weight[c] += dy * hat;  // a lane's own columns
    }
    const float mean = warp_reduce<Sum>(sum) / static_cast<float>(s.dim);
    for (std::int64_t c = lane; c < s.dim; c += kWarp) {
      const float hat = load(x[c]) * rstd;
      store(gradient[c], rstd * (load(gamma[c]) * load(gradient[c]) - hat * mean));
    }
  }
  __syncthreads();
  for (std::int64_t c = threadIdx.x; c < columns; c += blockDim.x) {
    float sum = 0;
    for (std::int64_t w = 0; w < warps; ++w) sum += sums[w * columns + c];
    partials[blockIdx.x * columns + c] = sum;
  }
}

template <class S>
Heads heads_of(const S& s) {
  return {.tokens = s.tokens, .heads = s.heads, .kv_heads = s.kv_heads, .dim = s.head_dim};
}
std::int64_t rows_of(const Heads& s) { return s.tokens * (s.heads + s.kv_heads); }

}  // namespace

Enqueue prepare_head_norm_fwd(const OpShape& shape, void* const* operands, KernelContext& context) {
  const auto s = unpack<HeadNormFwdShape>(shape);
  const Heads heads = heads_of(s);
  const auto eps = static_cast<float>(s.eps);
  const Launch config{.blocks = blocks_for(rows_of(heads), kWarps, context.sm_count()),
                      .threads = kWarps * kWarp};
  if (rows_of(heads) == 0) return [](cudaStream_t) {};
  return with_type(shape.dtype, [&]<class T>(T) -> Enqueue {
    T *qkv = output<T>(operands, 0), *raw = output<T>(operands, 3);
    const T *q_gamma = input<T>(operands, 1), *k_gamma = input<T>(operands, 2);
    float* rstd = output<float>(operands, 4);
    return [=](cudaStream_t stream) {
      launch(&head_norm_fwd_kernel<T>, config, stream, heads, eps, qkv, q_gamma, k_gamma, raw,
             rstd);
    };
  });
}

Enqueue prepare_head_norm_bwd(const OpShape& shape, void* const* operands, KernelContext& context) {
  const auto s = unpack<HeadNormBwdShape>(shape);
  const Heads heads = heads_of(s);
  const std::int64_t columns = 2 * s.head_dim;
  const auto of_warp = static_cast<std::size_t>(columns) * sizeof(float);
  if (of_warp > kDefaultSharedBytes) {
    fail("head_norm_bwd: head_dim beyond 6144 is not supported on the GPU");
  }
  const auto warps =
      static_cast<unsigned>(std::min<std::size_t>(kWarps, kDefaultSharedBytes / of_warp));
  const unsigned blocks = blocks_for(rows_of(heads), warps, context.sm_count(), 4);
  const Launch config{.blocks = blocks, .threads = warps * kWarp, .shared_bytes = warps * of_warp};
  context.scratch()->reserve(blocks * of_warp);
  float *dq = output<float>(operands, 5), *dk = output<float>(operands, 6);
  return with_type(shape.dtype, [&]<class T>(T) -> Enqueue {
    const HeadNormBwd<T> o{.dqkv = output<T>(operands, 0),
                           .raw = input<T>(operands, 1),
                           .q_gamma = input<T>(operands, 2),
                           .k_gamma = input<T>(operands, 3),
                           .rstd = input<float>(operands, 4)};
    return [=, accumulate = s.accumulate != 0, scratch = context.scratch()](cudaStream_t stream) {
      auto* partials = static_cast<float*>(scratch->data());
      launch(&head_norm_bwd_kernel<T>, config, stream, heads, o, partials);
      launch(&add_partials_kernel, add_partials_launch(columns), stream, partials,
             std::int64_t{blocks}, columns, heads.dim, dq, dk, accumulate);
    };
  });
}

}  // namespace stepmark::cuda
