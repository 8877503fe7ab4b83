// SPDX-License-Identifier: Apache-2.0
// Places are counted by one thread, which takes no time beside moving the rows. Each expert's GEMM
// is one of kernels/host/sgemm.h, on all threads: experts without rows cost nothing, those with
// many are shared out. Counts that do not fit are cut: they are read from memory, and nothing may
// be written or read beyond the operands.
#include "kernels/ops/experts.h"

#include <algorithm>
#include <cstddef>
#include <vector>

#include "kernels/host/number.h"
#include "kernels/host/sgemm.h"
#include "kernels/host/table.h"
#include "kernels/ops/experts_rows.h"

namespace stepmark {
namespace {

using host::load;
using host::store;

// Zeroes those of `rows` rows that `filled` does not name.
template <class T>
void zero_others(T* rows, const std::vector<bool>& filled, std::int64_t width) {
  host::parallel_each(std::ssize(filled), width, [&](std::int64_t r) {
    if (!filled[static_cast<std::size_t>(r)]) std::fill_n(rows + r * width, width, T{});
  });
}

struct Runs {
  std::int64_t begin = 0, rows = 0;
};
// Rows of each expert, one behind the other; never beyond `rows`.
std::vector<Runs> runs_of(const std::int32_t* counts, std::int64_t experts, std::int64_t rows) {
  std::vector<Runs> runs;
  std::int64_t next = 0;
  for (std::int64_t e = 0; e < experts; ++e) {
    runs.push_back({.begin = next, .rows = std::min<std::int64_t>(counts[e], rows - next)});
    next += runs.back().rows;
  }
  return runs;
}

void experts_gemm_f32(const ExpertsGemmShape& s, const float* a, const float* b,
                      const std::int32_t* counts, float* c) {
  const std::vector<Runs> runs = runs_of(counts, s.experts, s.rows);
  for (std::int64_t e = 0; e < s.experts; ++e) {
    const Runs& run = runs[static_cast<std::size_t>(e)];
    const bool trans_b = s.trans_b != 0;
    host::sgemm(run.rows, s.n, s.k, 1.0F, {.data = a + run.begin * s.k, .stride = s.k},
                {.data = b + e * s.n * s.k, .stride = trans_b ? s.k : s.n, .transposed = trans_b},
                0.0F, c + run.begin * s.n, s.n);
  }
  const std::int64_t filled = runs.back().begin + runs.back().rows;
  host::parallel_elements((s.rows - filled) * s.n, [=](std::int64_t begin, std::int64_t end) {
    std::fill(c + filled * s.n + begin, c + filled * s.n + end, 0.0F);
  });
}

void experts_wgrad_f32(const ExpertsWgradShape& s, const float* a, const float* b,
                       const std::int32_t* counts, float* c) {
  const std::vector<Runs> runs = runs_of(counts, s.experts, s.rows);
  for (std::int64_t e = 0; e < s.experts; ++e) {
    const Runs& run = runs[static_cast<std::size_t>(e)];
    float* to = c + e * s.m * s.n;
    if (run.rows > 0) {
      host::sgemm(s.m, s.n, run.rows, 1.0F,
                  {.data = a + run.begin * s.m, .stride = s.m, .transposed = true},
                  {.data = b + run.begin * s.n, .stride = s.n}, s.accumulate != 0 ? 1.0F : 0.0F, to,
                  s.n);
    } else if (s.accumulate == 0) {
      host::parallel_elements(s.m * s.n, [=](std::int64_t begin, std::int64_t end) {
        std::fill(to + begin, to + end, 0.0F);
      });
    }
  }
}

}  // namespace

void host_experts_permute(const OpShape& shape, void* const* operands) {
  const auto s = unpack<ExpertsPermuteShape>(shape);
  const auto* chosen = host::input<std::int32_t>(operands, 1);
  auto* places = host::output<std::int32_t>(operands, 3);
  auto* counts = host::output<std::int32_t>(operands, 4);
  const std::int64_t choices = s.tokens * s.top_k, of_rank = s.experts / s.ranks;
  const std::int64_t slots = s.capacity > 0 ? s.ranks * s.capacity : choices;
  std::fill_n(counts, s.experts, 0);
  for (std::int64_t i = 0; i < choices; ++i) ++counts[chosen[i]];
  std::vector<std::int64_t> next(static_cast<std::size_t>(s.experts));
  for (std::int64_t e = 0, at = 0; e < s.experts; ++e) {
    if (s.capacity > 0 && e % of_rank == 0) at = e / of_rank * s.capacity;
    next[static_cast<std::size_t>(e)] = at;
    at += counts[e];
  }
  for (std::int64_t i = 0; i < choices; ++i) {
    const std::int64_t place = next[static_cast<std::size_t>(chosen[i])]++;
    places[i] = static_cast<std::int32_t>(std::min(place, slots - 1));
  }
  host::with_type(shape.dtype, [&]<class T>(T) {
    const T* x = host::input<T>(operands, 0);
    T* rows = host::output<T>(operands, 2);
    host::parallel_each(choices, s.width, [=](std::int64_t i) {
      std::copy_n(x + i / s.top_k * s.width, s.width, rows + places[i] * s.width);
    });
    if (slots == choices) return;
    std::vector<bool> filled(static_cast<std::size_t>(slots), false);
    for (std::int64_t i = 0; i < choices; ++i) filled[static_cast<std::size_t>(places[i])] = true;
    zero_others(rows, filled, s.width);
  });
}

void host_experts_unpermute(const OpShape& shape, void* const* operands) {
  const auto s = unpack<ExpertsUnpermuteShape>(shape);
  const auto* places = host::input<std::int32_t>(operands, 1);
  const float* weights = s.weighted != 0 ? host::input<float>(operands, 2) : nullptr;
  host::with_type(shape.dtype, [&]<class T>(T) {
    const T* rows = host::input<T>(operands, 0);
    T* out = host::output<T>(operands, 3);
    host::parallel_ranges<1>(s.tokens, s.tokens * s.top_k * s.width,
                             [=](std::int64_t begin, std::int64_t end) {
                               const auto sums = host::make_scratch(s.width);
                               float* sum = sums.get();
                               for (std::int64_t t = begin; t < end; ++t) {
                                 std::fill_n(sum, s.width, 0.0F);
                                 for (std::int64_t i = t * s.top_k; i < (t + 1) * s.top_k; ++i) {
                                   const T* row = rows + places[i] * s.width;
                                   const float weight = weights != nullptr ? weights[i] : 1.0F;
#pragma omp simd
                                   for (std::int64_t c = 0; c < s.width; ++c)
                                     sum[c] += weight * load(row[c]);
                                 }
                                 T* to = out + t * s.width;
#pragma omp simd
                                 for (std::int64_t c = 0; c < s.width; ++c) store(to[c], sum[c]);
                               }
                             });
  });
}

void host_experts_unpermute_bwd(const OpShape& shape, void* const* operands) {
  const auto s = unpack<ExpertsUnpermuteBwdShape>(shape);
  const auto* places = host::input<std::int32_t>(operands, 2);
  const float* weights = host::input<float>(operands, 3);
  float* dweights = host::output<float>(operands, 5);
  const std::int64_t choices = s.tokens * s.top_k;
  host::with_type(shape.dtype, [&]<class T>(T) {
    const T *dout = host::input<T>(operands, 0), *rows = host::input<T>(operands, 1);
    T* drows = host::output<T>(operands, 4);
    host::parallel_each(choices, 2 * s.width, [=](std::int64_t i) {
      const T *d = dout + i / s.top_k * s.width, *row = rows + places[i] * s.width;
      T* to = drows + places[i] * s.width;
      const float weight = weights[i];
      float sum = 0;
#pragma omp simd reduction(+ : sum)
      for (std::int64_t c = 0; c < s.width; ++c) {
        sum += load(d[c]) * load(row[c]);
        store(to[c], weight * load(d[c]));
      }
      dweights[i] = sum;
    });
    if (s.slots == choices) return;
    std::vector<bool> filled(static_cast<std::size_t>(s.slots), false);
    for (std::int64_t i = 0; i < choices; ++i) filled[static_cast<std::size_t>(places[i])] = true;
    zero_others(drows, filled, s.width);
  });
}

void host_experts_sort(const OpShape& shape, void* const* operands) {
  const auto s = unpack<ExpertsSortShape>(shape);
  const auto* counts = host::input<std::int32_t>(operands, 1);
  const bool inverse = s.inverse != 0;
  auto* totals = inverse ? nullptr : host::output<std::int32_t>(operands, 3);
  if (!inverse) std::fill_n(totals, s.experts, 0);
  struct Run {
    std::int64_t from, to, rows;
  };
  std::vector<Run> runs;
  std::vector<bool> filled(static_cast<std::size_t>(s.rows), false);
  for_each_run(
      s.ranks, s.experts, s.capacity,
      [&](std::int64_t w, std::int64_t e) { return std::int64_t{counts[w * s.experts + e]}; },
      [&](std::int64_t, std::int64_t e, std::int64_t arrived, std::int64_t sorted,
          std::int64_t rows) {
        if (totals != nullptr) totals[e] += static_cast<std::int32_t>(rows);
        const Run run{.from = inverse ? sorted : arrived,
                      .to = inverse ? arrived : sorted,
                      .rows = std::min(rows, s.rows - std::max(arrived, sorted))};
        if (run.rows <= 0) return;
        runs.push_back(run);
        std::fill_n(filled.begin() + run.to, run.rows, true);
      });
  host::with_type(shape.dtype, [&]<class T>(T) {
    const T* from = host::input<T>(operands, 0);
    T* to = host::output<T>(operands, 2);
    for (const Run& run : runs) {
      host::parallel_each(run.rows, s.width, [=, &run](std::int64_t r) {
        std::copy_n(from + (run.from + r) * s.width, s.width, to + (run.to + r) * s.width);
      });
    }
    zero_others(to, filled, s.width);
  });
}

void host_experts_gemm(const OpShape& shape, void* const* operands) {
  const auto s = unpack<ExpertsGemmShape>(shape);
  const auto* counts = host::input<std::int32_t>(operands, 2);
  if (shape.dtype == DType::f32) {
    return experts_gemm_f32(s, host::input<float>(operands, 0), host::input<float>(operands, 1),
                            counts, host::output<float>(operands, 3));
  }
  const auto a = host::widened(host::input<bf16>(operands, 0), s.rows * s.k);
  const auto b = host::widened(host::input<bf16>(operands, 1), s.experts * s.n * s.k);
  const auto c = host::make_scratch(s.rows * s.n);
  experts_gemm_f32(s, a.get(), b.get(), counts, c.get());
  host::convert(c.get(), host::output<bf16>(operands, 3), s.rows * s.n);
}

void host_experts_wgrad(const OpShape& shape, void* const* operands) {
  const auto s = unpack<ExpertsWgradShape>(shape);
  const auto* counts = host::input<std::int32_t>(operands, 2);
  float* c = host::output<float>(operands, 3);
  if (shape.dtype == DType::f32) {
    return experts_wgrad_f32(s, host::input<float>(operands, 0), host::input<float>(operands, 1),
                             counts, c);
  }
  const auto a = host::widened(host::input<bf16>(operands, 0), s.rows * s.m);
  const auto b = host::widened(host::input<bf16>(operands, 1), s.rows * s.n);
  experts_wgrad_f32(s, a.get(), b.get(), counts, c);
}

}  // namespace stepmark
