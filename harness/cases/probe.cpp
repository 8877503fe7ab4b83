// SPDX-License-Identifier: Apache-2.0
// The device's own peaks under this run's conditions: what kernels and steps are held against.
#include <algorithm>
#include <limits>

#include "harness/cases/case.h"
#include "harness/cases/common.h"
#include "harness/cases/kernel_check.h"
#include "kernels/ops/gemm.h"
#include "kernels/ops/memory.h"

namespace stepmark {
namespace {

constexpr int kRepetitions = 5;

// Large enough for the device's best, small enough for a second or two.
struct ProbeSizes {
  std::int64_t gemm = 1536;                            // m = n = k
  std::int64_t gemm_bf16 = 768;                        // the host's bf16 is slow
  std::int64_t copy_elements = std::int64_t{1} << 24;  // fp32, beyond any cache
};

ProbeSizes sizes_for(std::string_view backend) {
  if (backend != "cuda") return {};
  return {.gemm = 4096, .gemm_bf16 = 8192, .copy_elements = std::int64_t{1} << 28};
}

// Best of a few: a peak is what the device can do. Then the slowest rank, since all work together.
double best_seconds(Control& control, Executor& executor, const OpShape& shape) {
  KernelRun kernel(executor, shape, 1, KernelData::timed);
  double best = std::numeric_limits<double>::infinity();
  for (int i = 0; i < kRepetitions; ++i) {
    control.barrier();
    best = std::min(best, kernel.run());
  }
  return max_over_ranks(control, best);
}

}  // namespace

DevicePeaks probe_peaks(Control& control, Executor& executor) {
  const ProbeSizes sizes = sizes_for(executor.device().backend());
  const auto rate_of = [&](double work, const OpShape& shape) {
    return work / best_seconds(control, executor, shape);
  };
  const auto gemm = [](std::int64_t dim, DType dtype) {
    return pack(GemmShape{.m = dim, .n = dim, .k = dim}, dtype);
  };
  const OpShape fp32 = gemm(sizes.gemm, DType::f32);
  const OpShape bf16 = gemm(sizes.gemm_bf16, DType::bf16);
  const OpShape copy = pack(CopyShape{.elements = sizes.copy_elements}, DType::f32);
  return {.gemm_flops_per_s = rate_of(flops_of(fp32), fp32),
          .gemm_bf16_flops_per_s = rate_of(flops_of(bf16), bf16),
          .copy_bytes_per_s = rate_of(bytes_of(copy), copy)};
}

}  // namespace stepmark
