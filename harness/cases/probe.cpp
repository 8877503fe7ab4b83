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
constexpr std::int64_t kGemmDim = 1536;
constexpr std::int64_t kCopyElements = std::int64_t{1} << 24;  // beyond any cache

// Best of a few: a peak is what the device can do. Then the slowest rank, since all work together.
double best_seconds(Control& control, Executor& executor, const OpShape& shape) {
  KernelRun kernel(executor, shape, 1);
  double best = std::numeric_limits<double>::infinity();
  for (int i = 0; i < kRepetitions; ++i) {
    control.barrier();
    best = std::min(best, kernel.run());
  }
  return max_over_ranks(control, best);
}

}  // namespace

DevicePeaks probe_peaks(Control& control, Executor& executor) {
  const OpShape gemm = pack(GemmShape{.m = kGemmDim, .n = kGemmDim, .k = kGemmDim}, DType::f32);
  const OpShape copy = pack(CopyShape{.elements = kCopyElements}, DType::f32);
  return {.gemm_flops_per_s = flops_of(gemm) / best_seconds(control, executor, gemm),
          .copy_bytes_per_s = bytes_of(copy) / best_seconds(control, executor, copy)};
}

}  // namespace stepmark
