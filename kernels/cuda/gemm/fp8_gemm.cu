// SPDX-License-Identifier: Apache-2.0
// GEMMs of fp8 operands: cuBLASLt where it has kernels for them, else our plain kernel.
#include "kernels/cuda/engine_note.h"
#include "kernels/cuda/gemm/cublaslt_matmul.h"
#include "kernels/cuda/gemm/gemm_plain.h"
#include "kernels/cuda/vector.cuh"
#include "kernels/ops/fp8.h"

namespace stepmark::cuda {
namespace {

constexpr unsigned kThreads = 256;
constexpr int kLeastComputeCapability = 89;  // the first with fp8 tensor cores

// Blocks of k, and the same rounded up to whole multiples of 4.
struct ScaleSizes {
  std::int64_t rows, across, a_count, padded, b_count;
};
ScaleSizes scale_sizes(const Fp8GemmShape& s) {
  const std::int64_t across = (s.k + kFp8Block - 1) / kFp8Block, padded = (across + 3) / 4 * 4;
  return {s.m, across, s.m * across, padded, (s.n + kFp8Block - 1) / kFp8Block * padded};
}

// From our order of block scales to the library's (cuBLAS, scaling factors layouts): those of
// single rows with the rows innermost; those of 128 rows with k innermost and a stride that is a
// multiple of 4.
__global__ void __launch_bounds__(kThreads)
    order_scales_kernel(ScaleSizes s, const float* a, const float* b, float* a_out, float* b_out) {
  const std::int64_t first = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  const std::int64_t stride = std::int64_t{gridDim.x} * blockDim.x;
  for (std::int64_t i = first; i < s.a_count; i += stride) {
    a_out[i] = a[i % s.rows * s.across + i / s.rows];
  }
  for (std::int64_t i = first; i < s.b_count; i += stride) {
    const std::int64_t block = i / s.padded, l = i % s.padded;
    b_out[i] = l < s.across ? b[block * s.across + l] : 0.0F;
  }
}

DType fp8_type(std::int64_t e5m2) { return e5m2 != 0 ? DType::f8e5m2 : DType::f8e4m3; }

// D (n, m) = op(B) op(A), the library's A being b: both have k innermost, which is its "TN".
Matmul swapped(const Fp8GemmShape& s, DType out) {
  Matmul matmul{.m = s.n,
                .n = s.m,
                .k = s.k,
                .a = fp8_type(s.b_e5m2),
                .b = fp8_type(s.a_e5m2),
                .d = out,
                .trans_a = true,
                .accumulate = s.accumulate != 0};
  if (s.blockwise != 0) {
    matmul.a_scale = CUBLASLT_MATMUL_MATRIX_SCALE_BLK128x128_32F;
    matmul.b_scale = CUBLASLT_MATMUL_MATRIX_SCALE_VEC128_32F;
  }
  return matmul;
}

// Where the ordered scales are: in the scratch, `offset` bytes from its start.
struct ScaleScratch {
  std::shared_ptr<Scratch> scratch;
  std::size_t offset, b_offset;
  [[nodiscard]] float* a() const { return at(offset); }
  [[nodiscard]] float* b() const { return at(offset + b_offset); }

 private:
  [[nodiscard]] float* at(std::size_t bytes) const {
    return reinterpret_cast<float*>(static_cast<std::byte*>(scratch->data()) + bytes);
  }
};
ScaleScratch reserve_scales(const ScaleSizes& sizes, std::size_t offset, KernelContext& context) {
  const auto padded = [](std::size_t bytes) { return (bytes + 255) / 256 * 256; };
  const auto bytes = [](std::int64_t n) { return static_cast<std::size_t>(n) * sizeof(float); };
  const ScaleScratch scales{context.scratch(), padded(offset), padded(bytes(sizes.a_count))};
  context.scratch()->reserve(scales.offset + scales.b_offset + bytes(sizes.b_count));
  return scales;
}

}  // namespace

Enqueue prepare_fp8_gemm(const OpShape& shape, void* const* operands, KernelContext& context) {
  const auto s = unpack<Fp8GemmShape>(shape);
  if (s.m == 0 || s.n == 0) return [](cudaStream_t) {};
  const void *a = operands[0], *b = operands[1];
  const auto *a_scale = input<float>(operands, 2), *b_scale = input<float>(operands, 3);
  void* c = operands[4];
  const DType out = s.out_f32 != 0 ? DType::f32 : shape.dtype;
  const bool blockwise = s.blockwise != 0;
  // The library's conditions on addresses, and on the rows whose scales it reads by fours.
  const bool fits = s.k > 0 &&
                    aligned(static_cast<const std::byte*>(a), static_cast<const std::byte*>(b),
                            static_cast<const std::byte*>(c)) &&
                    (!blockwise || s.m % 4 == 0);
  if (fits && context.compute_capability() >= kLeastComputeCapability) {
    const ScaleSizes sizes = scale_sizes(s);
    // While planning anywhere; then behind the workspace, whose size is known by then.
    ScaleScratch scales{};
    if (blockwise) scales = reserve_scales(sizes, 0, context);
    const MatmulOperands x{.a = b,
                           .b = a,
                           .d = c,
                           .a_scale = blockwise ? scales.b() : b_scale,
                           .b_scale = blockwise ? scales.a() : a_scale};
    if (const auto plan = plan_matmul(swapped(s, out), x, context)) {
      note_engine(shape,
                  {.engine = plan->engine() + (blockwise ? " scales=blocks" : " scales=tensor"),
                   .refused = {}});
      if (!blockwise) return [plan = *plan](cudaStream_t stream) { plan.enqueue(stream); };
      scales = reserve_scales(sizes, plan->workspace_bytes(), context);
      const unsigned blocks =
          blocks_for(sizes.a_count + sizes.b_count, kThreads, context.sm_count());
      return [=, plan = *plan](cudaStream_t stream) {
        launch(&order_scales_kernel, {.blocks = blocks, .threads = kThreads}, stream, sizes,
               a_scale, b_scale, scales.a(), scales.b());
        plan.enqueue(stream, scales.b(), scales.a());
      };
    }
  }
  // Without fp8 tensor cores nobody expects the library to compute it.
  const bool refused = s.k > 0 && context.compute_capability() >= kLeastComputeCapability;
  note_engine(shape, {.engine = "own kernel",
                      .refused = !refused ? ""
                                 : fits   ? "cuBLASLt has no algorithm for such operands"
                                          : "cuBLASLt wants other addresses or numbers of rows"});
  const Fp8Gemm gemm{.m = s.m,
                     .n = s.n,
                     .k = s.k,
                     .a_e5m2 = s.a_e5m2 != 0,
                     .b_e5m2 = s.b_e5m2 != 0,
                     .accumulate = s.accumulate != 0,
                     .blockwise = blockwise,
                     .out = out};
  return plain_fp8_gemm(gemm, a, b, a_scale, b_scale, c);
}

}  // namespace stepmark::cuda
