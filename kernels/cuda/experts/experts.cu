// SPDX-License-Identifier: Apache-2.0
// Rows of tokens on their way to experts and back. A warp takes an expert where places are counted,
// in the order of tokens; rows are moved in packs. The experts' GEMMs are beside this file.
//
// Where rows go follows from what is in memory. A graph is warmed up before a step has choices of
// its own, all of which are then expert 0: counts that do not fit are cut, so that nothing is ever
// written or read beyond the operands.
#include "kernels/ops/experts.h"

#include "kernels/cuda/cuda_kernels.h"
#include "kernels/cuda/reduce.cuh"
#include "kernels/cuda/vector.cuh"

namespace stepmark::cuda {
namespace {

constexpr unsigned kWarps = 8, kThreads = kWarps * kWarp;
constexpr int kBlocksPerSm = 32;
constexpr unsigned kRunBlocks = 8;  // that share the rows of one rank and expert

__device__ inline std::int64_t own_lane() { return threadIdx.x % kWarp; }
__device__ inline std::int64_t own_warp() {
  return std::int64_t{blockIdx.x} * kWarps + threadIdx.x / kWarp;
}

__device__ inline std::int64_t at_most(std::int64_t x, std::int64_t limit) {
  return x < limit ? x : limit;
}
// A row that there is.
__device__ inline std::int64_t row_of(std::int32_t place, std::int64_t rows) {
  return at_most(place > 0 ? place : 0, rows - 1);
}

__global__ void __launch_bounds__(kThreads)
    count_kernel(ExpertsPermuteShape s, const std::int32_t* chosen, std::int32_t* counts) {
  const std::int64_t expert = own_warp();
  if (expert >= s.experts) return;
  int count = 0;
  for (std::int64_t i = own_lane(); i < s.tokens * s.top_k; i += kWarp) {
    if (chosen[i] == expert) ++count;
  }
  count = warp_reduce<Sum>(count);
  if (own_lane() == 0) counts[expert] = count;
}

__global__ void __launch_bounds__(kThreads)
    place_kernel(ExpertsPermuteShape s, const std::int32_t* chosen, const std::int32_t* counts,
                 std::int32_t* places) {
  const std::int64_t expert = own_warp(), of_rank = s.experts / s.ranks;
  if (expert >= s.experts) return;
  const std::int64_t first = s.capacity > 0 ? expert / of_rank * of_rank : 0;
  int before = 0;
  for (std::int64_t e = first + own_lane(); e < expert; e += kWarp) before += counts[e];
  std::int64_t next = warp_reduce<Sum>(before) + expert / of_rank * s.capacity;
  const std::int64_t choices = s.tokens * s.top_k;
  for (std::int64_t base = 0; base < choices; base += kWarp) {
    const std::int64_t i = base + own_lane();
    const int own = i < choices && chosen[i] == expert ? 1 : 0;
    int until = own;  // of the lanes up to this one
    for (int step = 1; step < static_cast<int>(kWarp); step *= 2) {
      const int lower = __shfl_up_sync(kFullMask, until, step);
      if (own_lane() >= step) until += lower;
    }
    if (own == 1) places[i] = static_cast<std::int32_t>(next + until - 1);
    next += __shfl_sync(kFullMask, until, static_cast<int>(kWarp) - 1);
  }
}

template <int kWidth, class T>
__global__ void __launch_bounds__(kThreads)
    place_rows_kernel(const T* x, const std::int32_t* places, T* rows, std::int64_t choices,
                      std::int64_t slots, std::int64_t top_k, std::int64_t packs) {
  const std::int64_t step = std::int64_t{gridDim.x} * kThreads, width = packs * kWidth;
  for (std::int64_t at = std::int64_t{blockIdx.x} * kThreads + threadIdx.x; at < choices * packs;
       at += step) {
    const std::int64_t i = at / packs, column = at % packs * kWidth;
    store_pack<kWidth>(rows + row_of(places[i], slots) * width + column,
                       load_pack<kWidth>(x + i / top_k * width + column));
  }
}

template <class T>
__global__ void __launch_bounds__(kThreads) clear_kernel(T* x, std::int64_t elements) {
  const std::int64_t step = std::int64_t{gridDim.x} * kThreads;
  for (std::int64_t i = std::int64_t{blockIdx.x} * kThreads + threadIdx.x; i < elements;
       i += step) {
    x[i] = T{};
  }
}

template <int kWidth, class T>
__global__ void __launch_bounds__(kThreads)
    unpermute_kernel(ExpertsUnpermuteShape s, const T* rows, const std::int32_t* places,
                     const float* weights, T* out, std::int64_t packs) {
  const std::int64_t step = std::int64_t{gridDim.x} * kThreads;
  for (std::int64_t at = std::int64_t{blockIdx.x} * kThreads + threadIdx.x; at < s.tokens * packs;
       at += step) {
    const std::int64_t t = at / packs, column = at % packs * kWidth;
    float sums[kWidth] = {};
    for (std::int64_t i = t * s.top_k; i < (t + 1) * s.top_k; ++i) {
      const float weight = s.weighted != 0 ? weights[i] : 1.0F;
      const auto row = load_pack<kWidth>(rows + row_of(places[i], s.slots) * s.width + column);
      for (int j = 0; j < kWidth; ++j) sums[j] += weight * load(row.v[j]);
    }
    Pack<T, kWidth> result;
    for (int j = 0; j < kWidth; ++j) store(result.v[j], sums[j]);
    store_pack<kWidth>(out + t * s.width + column, result);
  }
}

template <class T>
struct Unpermuted {
  const T *dout, *rows;
  const std::int32_t* places;
  const float* weights;
  T* drows;
  float* dweights;
};

// A warp takes a choice.
template <int kWidth, class T>
__global__ void __launch_bounds__(kThreads)
    unpermute_bwd_kernel(ExpertsUnpermuteBwdShape s, Unpermuted<T> o) {
  const std::int64_t step = std::int64_t{gridDim.x} * kWarps;
  for (std::int64_t i = own_warp(); i < s.tokens * s.top_k; i += step) {
    const T* d = o.dout + i / s.top_k * s.width;
    const std::int64_t place = row_of(o.places[i], s.slots) * s.width;
    const float weight = o.weights[i];
    float sum = 0;
    for (std::int64_t c = own_lane() * kWidth; c < s.width; c += kWarp * kWidth) {
      const auto gradient = load_pack<kWidth>(d + c), row = load_pack<kWidth>(o.rows + place + c);
      Pack<T, kWidth> result;
      for (int j = 0; j < kWidth; ++j) {
        sum += load(gradient.v[j]) * load(row.v[j]);
        store(result.v[j], weight * load(gradient.v[j]));
      }
      store_pack<kWidth>(o.drows + place + c, result);
    }
    sum = warp_reduce<Sum>(sum);
    if (own_lane() == 0) o.dweights[i] = sum;
  }
}

// Blocks (rank and expert, share of their rows); the last of x clears what follows the last row of
// all, and where ranks' blocks are filled in part each rank's last expert what is left of its own.
template <class T>
__global__ void __launch_bounds__(kThreads)
    sort_kernel(ExpertsSortShape s, const T* from, const std::int32_t* counts, T* to,
                std::int32_t* totals) {
  auto* shared = reinterpret_cast<int*>(block_shared());
  const std::int64_t runs = s.ranks * s.experts, run = blockIdx.x;
  const std::int64_t rank = run / s.experts, expert = run % s.experts;
  int arrived = 0, sorted = 0, of_expert = 0, of_all = 0;
  const auto count_of = [&](std::int64_t i) {
    return counts[i] > 0 ? static_cast<int>(at_most(counts[i], s.rows)) : 0;
  };
  for (std::int64_t i = threadIdx.x; i < runs; i += kThreads) {
    const int count = count_of(i);
    const std::int64_t w = i / s.experts, e = i % s.experts;
    of_all += count;
    if (i < run && (s.capacity == 0 || w == rank)) arrived += count;
    if (e < expert || (e == expert && w < rank)) sorted += count;
    if (e == expert) of_expert += count;
  }
  arrived = block_reduce<Sum>(arrived, shared);
  sorted = block_reduce<Sum>(sorted, shared);
  of_expert = block_reduce<Sum>(of_expert, shared);
  of_all = block_reduce<Sum>(of_all, shared);
  const std::int64_t first = std::int64_t{blockIdx.y} * kThreads + threadIdx.x;
  const std::int64_t step = std::int64_t{gridDim.y} * kThreads;
  const auto clear = [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin * s.width + first; i < end * s.width; i += step) to[i] = T{};
  };
  const bool in_blocks = s.capacity > 0 && s.inverse != 0;
  if (run == runs) {
    if (!in_blocks) clear(of_all, s.rows);
    return;
  }
  if (s.inverse == 0 && rank == 0 && first == 0) totals[expert] = of_expert;
  const std::int64_t begin = at_most(arrived + rank * s.capacity, s.rows);
  const std::int64_t in_order = at_most(sorted, s.rows);
  const std::int64_t room = s.rows - (begin > in_order ? begin : in_order);
  const std::int64_t rows = at_most(count_of(run), room);
  const T* source = from + (s.inverse != 0 ? in_order : begin) * s.width;
  T* target = to + (s.inverse != 0 ? begin : in_order) * s.width;
  for (std::int64_t i = first; i < rows * s.width; i += step) target[i] = source[i];
  if (in_blocks && expert + 1 == s.experts) clear(begin + rows, (rank + 1) * s.capacity);
}

unsigned blocks_of(std::int64_t items, unsigned each, const KernelContext& context) {
  return blocks_for(items, each, context.sm_count(), kBlocksPerSm);
}
Launch warps_of_experts(std::int64_t experts) {
  return {.blocks = static_cast<unsigned>((experts + kWarps - 1) / kWarps), .threads = kThreads};
}

}  // namespace

Enqueue prepare_experts_permute(const OpShape& shape, void* const* operands,
                                KernelContext& context) {
  const auto s = unpack<ExpertsPermuteShape>(shape);
  const std::int64_t choices = s.tokens * s.top_k;
  const std::int64_t slots = s.capacity > 0 ? s.ranks * s.capacity : choices;
  const auto* chosen = input<std::int32_t>(operands, 1);
  auto *places = output<std::int32_t>(operands, 3), *counts = output<std::int32_t>(operands, 4);
  return with_bits(shape.dtype, [&]<class T>(T) -> Enqueue {
    const T* x = input<T>(operands, 0);
    T* rows = output<T>(operands, 2);
    const bool whole = aligned(x, rows) && s.width % kPackElements<T> == 0;
    return with_width<T>(whole, [&](auto pack) -> Enqueue {
      const std::int64_t packs = s.width / pack;
      const unsigned move = blocks_of(choices * packs, kThreads, context);
      const unsigned clear = blocks_of(slots * s.width, kThreads, context);
      return [=](cudaStream_t stream) {
        const Launch of_experts = warps_of_experts(s.experts);
        launch(&count_kernel, of_experts, stream, s, chosen, counts);
        launch(&place_kernel, of_experts, stream, s, chosen, counts, places);
        if (slots != choices) {
          launch(&clear_kernel<T>, {.blocks = clear, .threads = kThreads}, stream, rows,
                 slots * s.width);
        }
        if (choices == 0) return;
        launch(&place_rows_kernel<pack, T>, {.blocks = move, .threads = kThreads}, stream, x,
               places, rows, choices, slots, s.top_k, packs);
      };
    });
  });
}

Enqueue prepare_experts_unpermute(const OpShape& shape, void* const* operands,
                                  KernelContext& context) {
  const auto s = unpack<ExpertsUnpermuteShape>(shape);
  if (s.tokens * s.width == 0) return [](cudaStream_t) {};
  const auto* places = input<std::int32_t>(operands, 1);
  const auto* weights = input<float>(operands, 2);
  return with_type(shape.dtype, [&]<class T>(T) -> Enqueue {
    const T* rows = input<T>(operands, 0);
    T* out = output<T>(operands, 3);
    const bool whole = aligned(rows, out) && s.width % kPackElements<T> == 0;
    return with_width<T>(whole, [&](auto pack) -> Enqueue {
      const std::int64_t packs = s.width / pack;
      const unsigned blocks = blocks_of(s.tokens * packs, kThreads, context);
      return [=](cudaStream_t stream) {
        launch(&unpermute_kernel<pack, T>, {.blocks = blocks, .threads = kThreads}, stream, s, rows,
               places, weights, out, packs);
      };
    });
  });
}

Enqueue prepare_experts_unpermute_bwd(const OpShape& shape, void* const* operands,
                                      KernelContext& context) {
  const auto s = unpack<ExpertsUnpermuteBwdShape>(shape);
  const std::int64_t choices = s.tokens * s.top_k;
  return with_type(shape.dtype, [&]<class T>(T) -> Enqueue {
    const Unpermuted<T> o{.dout = input<T>(operands, 0),
                          .rows = input<T>(operands, 1),
                          .places = input<std::int32_t>(operands, 2),
                          .weights = input<float>(operands, 3),
                          .drows = output<T>(operands, 4),
                          .dweights = output<float>(operands, 5)};
    const bool whole = aligned(o.dout, o.rows, o.drows) && s.width % kPackElements<T> == 0;
    return with_width<T>(whole, [&](auto pack) -> Enqueue {
      const unsigned blocks = blocks_of(choices, kWarps, context);
      const unsigned clear = blocks_of(s.slots * s.width, kThreads, context);
      return [=](cudaStream_t stream) {
        if (s.slots != choices) {
          launch(&clear_kernel<T>, {.blocks = clear, .threads = kThreads}, stream, o.drows,
                 s.slots * s.width);
        }
        if (choices == 0) return;
        launch(&unpermute_bwd_kernel<pack, T>, {.blocks = blocks, .threads = kThreads}, stream, s,
               o);
      };
    });
  });
}

Enqueue prepare_experts_sort(const OpShape& shape, void* const* operands, KernelContext&) {
  const auto s = unpack<ExpertsSortShape>(shape);
  const auto* counts = input<std::int32_t>(operands, 1);
  auto* totals = output<std::int32_t>(operands, 3);
  const Launch config{.blocks = {static_cast<unsigned>(s.ranks * s.experts + 1), kRunBlocks},
                      .threads = kThreads,
                      .shared_bytes = kWarp * sizeof(int)};
  return with_bits(shape.dtype, [&]<class T>(T) -> Enqueue {
    const T* from = input<T>(operands, 0);
    T* to = output<T>(operands, 2);
    return [=](cudaStream_t stream) {
      launch(&sort_kernel<T>, config, stream, s, from, counts, to, totals);
    };
  });
}

}  // namespace stepmark::cuda
