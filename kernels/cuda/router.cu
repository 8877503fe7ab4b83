// SPDX-License-Identifier: Apache-2.0
// A warp takes a token, its lanes the experts. Counts are taken by a warp for each sequence and
// expert, and the loss is summed by one block in a fixed order: nothing depends on timing.
#include "kernels/ops/router.h"

#include "kernels/cuda/cuda_kernels.h"
#include "kernels/cuda/reduce.cuh"
#include "kernels/cuda/vector.cuh"

namespace stepmark::cuda {
namespace {

constexpr unsigned kWarps = 8, kThreads = kWarps * kWarp;

// Calls f(item) for this warp's share of `items`.
template <class F>
__device__ inline void for_warps(std::int64_t items, F f) {
  const std::int64_t step = std::int64_t{gridDim.x} * kWarps;
  for (std::int64_t i = std::int64_t{blockIdx.x} * kWarps + threadIdx.x / kWarp; i < items;
       i += step) {
    f(i);
  }
}
__device__ inline std::int64_t own_lane() { return threadIdx.x % kWarp; }

struct Choice {
  float logit;
  std::int32_t expert;  // -1: none
};
// Whether a comes before b: the larger logit, of equal ones the lower expert.
__device__ inline bool before(const Choice& a, const Choice& b) {
  if (a.expert < 0 || b.expert < 0) return b.expert < 0 && a.expert >= 0;
  return a.logit > b.logit || (a.logit == b.logit && a.expert < b.expert);
}

__global__ void __launch_bounds__(kThreads)
    top_k_kernel(RouterTopKShape s, const float* logits, std::int32_t* chosen) {
  for_warps(s.tokens, [&](std::int64_t t) {
    Choice last{.logit = 0, .expert = -1};
    for (std::int64_t k = 0; k < s.top_k; ++k) {
      Choice best{.logit = 0, .expert = -1};
      for (std::int64_t e = own_lane(); e < s.experts; e += kWarp) {
        const Choice own{.logit = logits[t * s.experts + e], .expert = static_cast<int>(e)};
        if ((k == 0 || before(last, own)) && before(own, best)) best = own;
      }
      for (int mask = 16; mask > 0; mask /= 2) {
        const Choice other{.logit = __shfl_xor_sync(kFullMask, best.logit, mask),
                           .expert = __shfl_xor_sync(kFullMask, best.expert, mask)};
        if (before(other, best)) best = other;
      }
      // Among logits that are no numbers nothing is the largest; places must stay in bounds.
      if (best.expert < 0) best.expert = static_cast<int>((last.expert + 1) % s.experts);
      if (own_lane() == 0) chosen[t * s.top_k + k] = best.expert;
      last = best;
    }
  });
}

// Softmax of a row of logits, as its lanes need it.
struct Probabilities {
  const float* logits;
  float most, sum;

  __device__ Probabilities(const float* row, std::int64_t experts)
      : logits(row), most(-INFINITY), sum(0) {
    for (std::int64_t e = own_lane(); e < experts; e += kWarp) most = Max{}(most, row[e]);
    most = warp_reduce<Max>(most);
    for (std::int64_t e = own_lane(); e < experts; e += kWarp) sum += expf(row[e] - most);
    sum = warp_reduce<Sum>(sum);
  }
  [[nodiscard]] __device__ float of(std::int64_t e) const { return expf(logits[e] - most) / sum; }
  // Of all chosen experts together, in their order.
  [[nodiscard]] __device__ float of_all(const std::int32_t* chosen, std::int64_t top_k) const {
    float all = 0;
    for (std::int64_t k = 0; k < top_k; ++k) all += of(chosen[k]);
    return all;
  }
};

__global__ void __launch_bounds__(kThreads)
    weights_kernel(RouterWeightsShape s, const float* logits, const std::int32_t* chosen,
                   float* weights) {
  for_warps(s.tokens, [&](std::int64_t t) {
    const Probabilities p(logits + t * s.experts, s.experts);
    const std::int32_t* own = chosen + t * s.top_k;
    const float sum = s.renormalise != 0 ? p.of_all(own, s.top_k) : 1.0F;
    for (std::int64_t k = own_lane(); k < s.top_k; k += kWarp) {
      weights[t * s.top_k + k] = p.of(own[k]) / sum;
    }
  });
}

__global__ void __launch_bounds__(kThreads)
    hits_kernel(RouterWeightsShape s, const std::int32_t* chosen, float* hits) {
  for_warps(s.sequences * s.experts, [&](std::int64_t i) {
    const std::int64_t sequence = i / s.experts, expert = i % s.experts;
    const std::int64_t from = sequence * s.seq - s.first, until = from + s.seq;
    const std::int64_t begin = from > 0 ? from : 0, end = until < s.tokens ? until : s.tokens;
    float count = 0;
    for (std::int64_t c = begin * s.top_k + own_lane(); c < end * s.top_k; c += kWarp) {
      if (chosen[c] == expert) count += 1;
    }
    count = warp_reduce<Sum>(count);
    if (own_lane() == 0) hits[i] = count;
  });
}

struct RouterGradients {
  const float *dweights, *logits, *hits;
  const std::int32_t* chosen;
};

template <class T>
__global__ void __launch_bounds__(kThreads)
    router_bwd_kernel(RouterBwdShape s, RouterGradients o, T* dlogits, float* parts) {
  const auto scale = static_cast<float>(s.aux_scale);
  for_warps(s.tokens, [&](std::int64_t t) {
    const Probabilities p(o.logits + t * s.experts, s.experts);
    const std::int32_t* own = o.chosen + t * s.top_k;
    const float *due = o.dweights + t * s.top_k, *hits = o.hits + (s.first + t) / s.seq * s.experts;
    float sum = 1, taken = 0;
    if (s.renormalise != 0) {
      sum = p.of_all(own, s.top_k);
      for (std::int64_t k = 0; k < s.top_k; ++k) taken += due[k] * p.of(own[k]);
      taken /= sum;
    }
    const auto dp = [&](std::int64_t e) {
      float d = scale * hits[e];
      for (std::int64_t k = 0; k < s.top_k; ++k) {
        if (own[k] == e) d += (due[k] - taken) / sum;
      }
      return d;
    };
    float mean = 0, aux = 0;
    for (std::int64_t e = own_lane(); e < s.experts; e += kWarp) {
      mean += p.of(e) * dp(e);
      aux += p.of(e) * scale * hits[e];
    }
    mean = warp_reduce<Sum>(mean);
    aux = warp_reduce<Sum>(aux);
    for (std::int64_t e = own_lane(); e < s.experts; e += kWarp) {
      store(dlogits[t * s.experts + e], p.of(e) * (dp(e) - mean));
    }
    if (own_lane() == 0) parts[t] = aux;
  });
}

// One block.
__global__ void __launch_bounds__(kThreads)
    sum_parts_kernel(const float* parts, std::int64_t count, float* sum, bool accumulate) {
  float own = 0;
  for (std::int64_t i = threadIdx.x; i < count; i += kThreads) own += parts[i];
  own = block_reduce<Sum>(own, reinterpret_cast<float*>(block_shared()));
  if (threadIdx.x == 0) *sum = accumulate ? *sum + own : own;
}

Launch warps_for(std::int64_t items, const KernelContext& context) {
  return {.blocks = blocks_for(items, kWarps, context.sm_count(), 32), .threads = kThreads};
}

}  // namespace

Enqueue prepare_router_top_k(const OpShape& shape, void* const* operands, KernelContext& context) {
  const auto s = unpack<RouterTopKShape>(shape);
  if (s.tokens == 0) return [](cudaStream_t) {};
  return [=, config = warps_for(s.tokens, context), logits = input<float>(operands, 0),
          chosen = output<std::int32_t>(operands, 1)](cudaStream_t stream) {
    launch(&top_k_kernel, config, stream, s, logits, chosen);
  };
}

Enqueue prepare_router_weights(const OpShape& shape, void* const* operands,
                               KernelContext& context) {
  const auto s = unpack<RouterWeightsShape>(shape);
  return [=, of_tokens = warps_for(s.tokens, context),
          of_hits = warps_for(s.sequences * s.experts, context), logits = input<float>(operands, 0),
          chosen = input<std::int32_t>(operands, 1), weights = output<float>(operands, 2),
          hits = output<float>(operands, 3)](cudaStream_t stream) {
    if (s.tokens > 0) launch(&weights_kernel, of_tokens, stream, s, logits, chosen, weights);
    if (s.sequences > 0) launch(&hits_kernel, of_hits, stream, s, chosen, hits);
  };
}

Enqueue prepare_router_bwd(const OpShape& shape, void* const* operands, KernelContext& context) {
  const auto s = unpack<RouterBwdShape>(shape);
  context.scratch()->reserve(static_cast<std::size_t>(s.tokens) * sizeof(float));
  const RouterGradients o{.dweights = input<float>(operands, 0),
                          .logits = input<float>(operands, 1),
                          .hits = input<float>(operands, 3),
                          .chosen = input<std::int32_t>(operands, 2)};
  const Launch one{.blocks = 1, .threads = kThreads, .shared_bytes = kWarp * sizeof(float)};
  return with_type(shape.dtype, [&]<class T>(T) -> Enqueue {
    return
        [=, config = warps_for(s.tokens, context), scratch = context.scratch(),
         dlogits = output<T>(operands, 4), aux = output<float>(operands, 5)](cudaStream_t stream) {
          auto* parts = static_cast<float*>(scratch->data());
          if (s.tokens > 0) launch(&router_bwd_kernel<T>, config, stream, s, o, dlogits, parts);
          launch(&sum_parts_kernel, one, stream, parts, s.tokens, aux, s.accumulate != 0);
        };
  });
}

}  // namespace stepmark::cuda
