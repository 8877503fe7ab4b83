// SPDX-License-Identifier: Apache-2.0
// Rotary position embedding, in place. A block takes a few positions and rotates all their heads,
// in every entry of the batch, with one table of sines and cosines. No index is divided per
// element.
#include <cmath>

#include "kernels/cuda/cuda_kernels.h"
#include "kernels/cuda/vector.cuh"
#include "kernels/ops/attention.h"
#include "kernels/ops/context.h"

namespace stepmark::cuda {
namespace {

constexpr unsigned kThreads = 256;
constexpr int kPairs = 512;  // of the table: of several positions where heads are narrow
constexpr int kHeads = 2;    // under way in each thread

struct Rotation {
  std::int64_t batch, seq, rotated;  // rotated: heads per token
  std::int64_t width;                // elements from token to token
  int half;
  // Pair i turns by position * 2^(i * step + start) full turns.
  double step, start;
  float sign;
  // Tokens from `chunk` on are at `jump` positions further on than they are in order.
  std::int64_t chunk, first_position, jump;

  __device__ double position(std::int64_t token) const {
    return static_cast<double>(first_position + token + (token < chunk ? 0 : jump));
  }
};

// A thread keeps its pairs, and walks down the heads of all positions of the block.
template <class T, int kWidth>
struct Walk {
  int pack, slot, slots;   // this thread's packs of a head, and which heads it takes
  int position = 0, head;  // the next one: of the block's positions, of the rotated heads
  int rotated;

  __device__ Walk(int packs, int heads) : rotated(heads) {
    const int thread = static_cast<int>(threadIdx.x);
    slots = static_cast<int>(kThreads) / packs;
    pack = thread % packs;
    slot = thread / packs;  // threads beyond slots * packs have no head
    head = slot < slots ? slot : 0;
    carry();
  }
  __device__ void next() {
    head += slots;
    carry();
  }
  __device__ void carry() {
    while (head >= rotated) {
      head -= rotated;
      ++position;
    }
  }
};

template <class T, int kWidth>
__global__ void __launch_bounds__(kThreads) rope_kernel(T* qkv, Rotation r, int positions) {
  auto* cosine = reinterpret_cast<float*>(block_shared());
  float* sine = cosine + kPairs;
  const std::int64_t position0 = std::int64_t{blockIdx.x} * positions;
  const int here = r.seq - position0 < positions ? static_cast<int>(r.seq - position0) : positions;
  for (int first = 0; first < r.half; first += kPairs) {
    const int pairs = r.half - first < kPairs ? r.half - first : kPairs;
    __syncthreads();
    for (int i = static_cast<int>(threadIdx.x); i < here * pairs; i += static_cast<int>(kThreads)) {
      const int pair = first + i % pairs;
      const double position = r.position(position0 + i / pairs);
      // Whole turns are taken off in double: a float's angle is off by 4e-3 at position 131072.
      const double turns = position * exp2(pair * r.step + r.start);
      sincospif(2.0F * static_cast<float>(turns - rint(turns)), &sine[i], &cosine[i]);
      sine[i] *= r.sign;
    }
    __syncthreads();
    // Pairs that are no whole number of threads are walked in rounds.
    const int all = pairs / kWidth, most = static_cast<int>(kThreads);
    for (int done = 0; done < all; done += most) {
      const int packs = all - done < most ? all - done : most;
      for (std::int64_t entry = 0; entry < r.batch; ++entry) {
        Walk<T, kWidth> walk(packs, static_cast<int>(r.rotated));
        if (walk.slot >= walk.slots) continue;
        const int i = (done + walk.pack) * kWidth;
        T* base = qkv + (entry * r.seq + position0) * r.width + first + i;
        while (walk.position < here) {
          T* low[kHeads];
          int table[kHeads];
          Pack<T, kWidth> a[kHeads], b[kHeads];
          STEPMARK_UNROLL
          for (int h = 0; h < kHeads; ++h) {
            low[h] = walk.position < here ? base + walk.position * r.width + walk.head * 2 * r.half
                                          : nullptr;
            table[h] = walk.position * pairs + i;
            if (low[h] != nullptr) {
              a[h] = load_pack<kWidth>(low[h]);
              b[h] = load_pack<kWidth>(low[h] + r.half);
            }
            walk.next();
          }
          STEPMARK_UNROLL
          for (int h = 0; h < kHeads; ++h) {
            if (low[h] == nullptr) continue;
            for (int j = 0; j < kWidth; ++j) {
              const float x = load(a[h].v[j]), y = load(b[h].v[j]);
              const float c = cosine[table[h] + j], s = sine[table[h] + j];
              store(a[h].v[j], x * c - y * s);
              store(b[h].v[j], y * c + x * s);
            }
            store_pack<kWidth>(low[h], a[h]);
            store_pack<kWidth>(low[h] + r.half, b[h]);
          }
        }
      }
    }
  }
}

Enqueue prepare_rotation(DType dtype, void* const* operands, const RopeShape& s, std::int64_t chunk,
                         std::int64_t first_position, std::int64_t jump) {
  if (s.batch * s.seq == 0) return [](cudaStream_t) {};
  const Rotation rotation{.batch = s.batch,
                          .seq = s.seq,
                          .rotated = s.heads + s.kv_heads,
                          .width = (s.heads + 2 * s.kv_heads) * s.head_dim,
                          .half = static_cast<int>(s.head_dim / 2),
                          .step = -2.0 / static_cast<double>(s.head_dim) * std::log2(s.theta),
                          .start = -std::log2(2.0 * 3.14159265358979323846),
                          .sign = s.inverse != 0 ? -1.0F : 1.0F,
                          .chunk = chunk,
                          .first_position = first_position,
                          .jump = jump};
  // As many positions as the threads of a block have pairs for.
  const int positions =
      rotation.half >= static_cast<int>(kThreads) ? 1 : static_cast<int>(kThreads) / rotation.half;
  const Launch config{.blocks = static_cast<unsigned>((s.seq + positions - 1) / positions),
                      .threads = kThreads,
                      .shared_bytes = 2 * kPairs * sizeof(float)};
  return with_type(dtype, [&]<class T>(T) -> Enqueue {
    T* qkv = output<T>(operands, 0);
    const bool packs = aligned(qkv) && rotation.half % kPackElements<T> == 0;
    return with_width<T>(packs, [&](auto width) -> Enqueue {
      static_assert(kPairs % width == 0);
      return [=](cudaStream_t stream) {
        launch(&rope_kernel<T, width>, config, stream, qkv, rotation, positions);
      };
    });
  });
}

}  // namespace

Enqueue prepare_rope(const OpShape& shape, void* const* operands, KernelContext&) {
  const auto s = unpack<RopeShape>(shape);
  return prepare_rotation(shape.dtype, operands, s, s.seq, 0, 0);
}

Enqueue prepare_rope_chunks(const OpShape& shape, void* const* operands, KernelContext&) {
  const auto s = unpack<RopeChunksShape>(shape);
  const RopeShape pair{.batch = s.batch,
                       .seq = 2 * s.chunk,
                       .heads = s.heads,
                       .kv_heads = s.kv_heads,
                       .head_dim = s.head_dim,
                       .inverse = s.inverse,
                       .theta = s.theta};
  const std::int64_t low = chunk_of(s.ways, s.pair, 0), high = chunk_of(s.ways, s.pair, 1);
  return prepare_rotation(shape.dtype, operands, pair, s.chunk, low * s.chunk,
                          (high - low - 1) * s.chunk);
}

}  // namespace stepmark::cuda
