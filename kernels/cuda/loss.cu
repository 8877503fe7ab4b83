// SPDX-License-Identifier: Apache-2.0
// A block per row. The row is read from memory once, for the running maximum and sum, and as much
// of it as fits stays in shared memory; the rest, the part read last, is found in the L2 cache when
// the gradient is written.
#include "kernels/ops/loss.h"

#include <algorithm>

#include "kernels/cuda/cuda_kernels.h"
#include "kernels/cuda/reduce.cuh"
#include "kernels/cuda/vector.cuh"

namespace stepmark::cuda {
namespace {

// Two blocks of kThreads on an SM, so that one reads while the other writes, where rows fit in half
// of its shared memory each; else one of twice as many.
constexpr unsigned kThreads = 512, kWideThreads = 1024;
constexpr std::size_t kReservedPerBlock = 1024;  // by the system (CUDA programming guide)
constexpr std::size_t kReduceBytes = kWarp * sizeof(double);
constexpr int kPacks = 4;  // of 16 bytes under way in each thread
constexpr float kLowest = -INFINITY;

// The packs of a row of any alignment. Elements before the first and after the last are single.
template <class T>
struct RowPacks {
  static constexpr int kWidth = kPackElements<T>;
  T* row;
  std::int64_t cols, head, packs;

  __device__ RowPacks(T* of, std::int64_t n) : row(of), cols(n) {
    const auto past = static_cast<std::int64_t>(reinterpret_cast<std::uintptr_t>(of) % 16);
    const std::int64_t until = (16 - past) % 16 / static_cast<std::int64_t>(sizeof(T));
    head = until < n ? until : n;
    packs = (n - head) / kWidth;
  }
  [[nodiscard]] __device__ std::int64_t column(std::int64_t pack) const {
    return head + pack * kWidth;
  }
  // f(column) for this thread's single elements: fewer than a block's threads on either side.
  template <class F>
  __device__ void each_single(F f) const {
    const std::int64_t t = threadIdx.x, tail = column(packs) + t;
    if (t < head) f(t);
    if (tail < cols) f(tail);
  }
  // f(pack's number, pack) for this thread's share of packs [begin, end), from memory.
  template <class F>
  __device__ void each_pack(std::int64_t begin, std::int64_t end, F f) const {
    const std::int64_t step = blockDim.x;
    for (std::int64_t p = begin + threadIdx.x; p < end; p += kPacks * step) {
      Pack<T, kWidth> held[kPacks] = {};
      STEPMARK_UNROLL
      for (int i = 0; i < kPacks; ++i) {
        if (p + i * step < end) held[i] = load_pack<kWidth>(row + column(p + i * step));
      }
      STEPMARK_UNROLL
      for (int i = 0; i < kPacks; ++i) {
        if (p + i * step < end) f(p + i * step, held[i]);
      }
    }
  }
};

// Sum of exponentials relative to the largest number so far.
struct Softmax {
  float largest = kLowest, sum = 0.0F;

  // NaN wins, as in Max.
  template <int kCount>
  __device__ void add(const float (&x)[kCount]) {
    float now = largest;
    for (int j = 0; j < kCount; ++j) now = Max{}(now, x[j]);
    if (now != largest) sum *= __expf(largest - now);
    largest = now;
    // While all were -infinity: each counts 0, and no difference of infinities may arise.
    const float shift = now == kLowest ? 0.0F : now;
    float own = 0.0F;
    for (int j = 0; j < kCount; ++j) own += __expf(x[j] - shift);
    sum += own;
  }
};

// Sums are added up in double, as ce_sum does.
__device__ inline double sum_of_block(const Softmax& own, float largest) {
  const double relative = static_cast<double>(own.sum) * __expf(own.largest - largest);
  return block_reduce<Sum>(relative, reinterpret_cast<double*>(block_shared()));
}

struct Rows {
  std::int64_t cols, width;
  std::int64_t held;  // packs of a row in shared memory
  float scale;
};

// row_loss[r] = log of the sum less the target's logit, relative to the maximum.
template <class T, unsigned kBlock>
__global__ void __launch_bounds__(kBlock, kWideThreads / kBlock)
    ce_fwd_bwd_kernel(T* logits, const std::int32_t* targets, double* row_loss, Rows rows) {
  constexpr int kWidth = kPackElements<T>;
  auto* shared = reinterpret_cast<Pack<T, kWidth>*>(block_shared() + kReduceBytes);
  const std::int64_t r = blockIdx.x;
  const RowPacks<T> row(logits + r * rows.width, rows.cols);
  const std::int64_t held = rows.held < row.packs ? rows.held : row.packs;
  const std::int64_t target = targets[r];
  const bool here = target >= 0 && target < rows.cols;
  const float at_target = here ? load(row.row[target]) : 0.0F;  // before it is written over

  Softmax own;
  row.each_single([&](std::int64_t c) {
    const float x[1] = {load(row.row[c])};
    own.add(x);
  });
  const auto add = [&](const Pack<T, kWidth>& pack) {
    float x[kWidth];
    for (int j = 0; j < kWidth; ++j) x[j] = load(pack.v[j]);
    own.add(x);
  };
  // A thread finds in shared memory what it put there itself.
  row.each_pack(0, held, [&](std::int64_t p, const Pack<T, kWidth>& pack) {
    shared[p] = pack;
    add(pack);
  });
  row.each_pack(held, row.packs, [&](std::int64_t, const Pack<T, kWidth>& pack) { add(pack); });

  const float largest = block_reduce<Max>(own.largest, reinterpret_cast<float*>(block_shared()));
  const auto sum = static_cast<float>(sum_of_block(own, largest));
  if (threadIdx.x == 0) {
    row_loss[r] = static_cast<double>(logf(sum)) - (here ? at_target - largest : 0.0F);
  }

  const float factor = rows.scale / sum;
  const auto gradient = [&](std::int64_t c, float x) {
    const float d = factor * __expf(x - largest);
    return c == target ? d - rows.scale : d;  // before rounding
  };
  row.each_single([&](std::int64_t c) { store(row.row[c], gradient(c, load(row.row[c]))); });
  const auto write = [&](std::int64_t p, const Pack<T, kWidth>& pack) {
    const std::int64_t c = row.column(p);
    Pack<T, kWidth> out;
    for (int j = 0; j < kWidth; ++j) store(out.v[j], gradient(c + j, load(pack.v[j])));
    store_pack<kWidth>(row.row + c, out);
  };
  row.each_pack(held, row.packs, write);
  for (std::int64_t p = threadIdx.x; p < held; p += blockDim.x) write(p, shared[p]);
  // GEMMs sum over whole rows.
  for (std::int64_t c = rows.cols + threadIdx.x; c < rows.width; c += blockDim.x) {
    store(row.row[c], 0.0F);
  }
}

__global__ void __launch_bounds__(kWideThreads)
    add_loss_kernel(const double* row_loss, std::int64_t rows, double scale, bool accumulate,
                    float* loss) {
  double own = 0;
  for (std::int64_t r = threadIdx.x; r < rows; r += blockDim.x) own += row_loss[r];
  const double total = scale * block_reduce<Sum>(own, reinterpret_cast<double*>(block_shared()));
  if (threadIdx.x == 0) *loss = static_cast<float>(accumulate ? *loss + total : total);
}

// Where a block's row goes: how many threads, and how many bytes of it stay in shared memory.
struct Room {
  bool wide;
  std::int64_t held_bytes;
};
Room room_for(std::int64_t row_bytes, std::size_t block_shared_bytes) {
  const auto whole = static_cast<std::int64_t>(block_shared_bytes - kReduceBytes);
  const auto half =
      static_cast<std::int64_t>(block_shared_bytes / 2 - kReservedPerBlock - kReduceBytes);
  const bool wide = row_bytes > half;
  return {wide, std::min(row_bytes, wide ? whole : half) / 16 * 16};
}

}  // namespace

Enqueue prepare_ce_fwd_bwd(const OpShape& shape, void* const* operands, KernelContext& context) {
  const auto s = unpack<CeFwdBwdShape>(shape);
  const auto* targets = input<std::int32_t>(operands, 1);
  auto* loss = output<float>(operands, 2);
  context.scratch()->reserve(static_cast<std::size_t>(s.rows) * sizeof(double));
  const Room room = room_for(s.cols * static_cast<std::int64_t>(size_of(shape.dtype)),
                             context.block_shared_bytes());
  const Launch by_row{.blocks = static_cast<unsigned>(s.rows),
                      .threads = room.wide ? kWideThreads : kThreads,
                      .shared_bytes = kReduceBytes + static_cast<std::size_t>(room.held_bytes)};
  return with_type(shape.dtype, [&]<class T>(T) -> Enqueue {
    const Rows rows{.cols = s.cols,
                    .width = s.cols + s.padding,
                    .held = room.held_bytes / 16,
                    .scale = static_cast<float>(s.scale)};
    const auto kernel =
        room.wide ? &ce_fwd_bwd_kernel<T, kWideThreads> : &ce_fwd_bwd_kernel<T, kThreads>;
    return [=, logits = output<T>(operands, 0), scratch = context.scratch()](cudaStream_t stream) {
      auto* row_loss = static_cast<double*>(scratch->data());
      if (s.rows > 0) launch(kernel, by_row, stream, logits, targets, row_loss, rows);
      launch(&add_loss_kernel, {.blocks = 1, .threads = kWideThreads, .shared_bytes = kReduceBytes},
             stream, row_loss, s.rows, s.scale, s.accumulate != 0, loss);
    };
  });
}

}  // namespace stepmark::cuda
