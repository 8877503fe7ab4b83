// SPDX-License-Identifier: Apache-2.0
// How host kernels share work: contiguous ranges, one per thread, cut at multiples of a grain so
// that two threads do not write one cache line. The functions called must not throw.
#pragma once

#include <omp.h>

#include <algorithm>
#include <cstdint>

namespace stepmark::host {

// Below this many element operations waking other threads costs more than it saves.
inline constexpr std::int64_t kSerialWork = 1 << 14;
inline constexpr std::int64_t kLineGrain = 64;  // elements: a cache line or more of any dtype

// Calls f(begin, end) on ranges that cover [0, n); `work` is the number of element operations.
template <std::int64_t kGrain, class F>
void parallel_ranges(std::int64_t n, std::int64_t work, F f) {
#pragma omp parallel if (work >= kSerialWork)
  {
    const std::int64_t threads = omp_get_num_threads(), thread = omp_get_thread_num();
    const std::int64_t grains = (n + kGrain - 1) / kGrain;
    const std::int64_t begin = grains * thread / threads * kGrain;
    const std::int64_t end = std::min(n, grains * (thread + 1) / threads * kGrain);
    if (begin < end) f(begin, end);
  }
}

// f(begin, end) over the elements of a flat array.
template <class F>
void parallel_elements(std::int64_t n, F f) {
  parallel_ranges<kLineGrain>(n, n, f);
}

// f(i) for every i in [0, n), each of them `work_each` element operations.
template <class F>
void parallel_each(std::int64_t n, std::int64_t work_each, F f) {
  parallel_ranges<1>(n, n * work_each, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) f(i);
  });
}

}  // namespace stepmark::host
