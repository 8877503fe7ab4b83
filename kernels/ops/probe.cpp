// SPDX-License-Identifier: Apache-2.0
// Probes of the memory family that move next to nothing: arithmetic, and room taken.
#include <algorithm>

#include "kernels/ops/matrix_operands.h"
#include "kernels/ops/memory.h"
#include "kernels/ops/registry.h"

namespace stepmark {
namespace {

void fma_reference(const FmaShape& s, Operands x) {
  for (std::int64_t i = 0; i < s.elements; ++i) {
    double v = x[0][i];
    for (std::int64_t n = 0; n < s.iterations; ++n) {
      v = v * static_cast<double>(kFmaFactor) + static_cast<double>(kFmaAddend);
    }
    x[1][i] = v;
  }
}

// Each iteration adds a rounding or two, all of which the factor shrinks again: what is left after
// any number of them is that of 2^10 at most.
double fma_tolerance(const OpShape& shape) {
  const auto iterations = unpack<FmaShape>(shape).iterations;
  return rounding_tolerance(shape.dtype,
                            4.0 + static_cast<double>(std::min(iterations, std::int64_t{1024})));
}

}  // namespace

const OpInfo& op_info_fma() {
  using S = FmaShape;
  static const OpInfo info = described<S>(
      {.formula = "y = x after `iterations` times v = v (1 - 2^-10) + 2^-10",
       .source = "a chain of multiply-adds: arithmetic without memory",
       .operands = {reads("x", flat<S>), writes("y", flat<S>)},
       .flops = on<S>([](const S& s) {
         return 2.0 * static_cast<double>(s.elements) * static_cast<double>(s.iterations);
       }),
       .tolerance = fma_tolerance,
       .reference = on_operands<S>([](const S& s, Operands x) { fma_reference(s, x); }),
       .test_shapes = shapes<S>({{.elements = 1, .iterations = 1},
                                 {.elements = 67, .iterations = 0},
                                 {.elements = 67, .iterations = 1003},
                                 {.elements = 20011, .iterations = 33}}),
       .bench_shapes = shapes<S>({{.elements = 1 << 18, .iterations = 4096},
                                  {.elements = 1 << 22, .iterations = 65536}})});
  return info;
}

const OpInfo& op_info_occupy() {
  using S = OccupyShape;
  static const OpInfo info = described<S>(
      {.formula = "done[cta] = 1 after `nanoseconds`",
       .source = "stands in for a communication kernel's blocks, without its traffic",
       .operands = {writes("done", of_dims<&S::ctas>, DTypeRule::f32)},
       .flops = no_flops,
       .tolerance = exact,
       .reference = on_operands<S>([](const S&, Operands x) { std::ranges::fill(x[0], 1.0); }),
       .test_shapes =
           shapes<S>({{.ctas = 1, .threads = 32, .nanoseconds = 1000},
                      {.ctas = 7, .threads = 512, .shared_bytes = 8192, .nanoseconds = 20000}}),
       .bench_shapes =
           shapes<S>({{.ctas = 8, .threads = 512, .shared_bytes = 81920, .nanoseconds = 1000000},
                      {.ctas = 24, .threads = 512, .shared_bytes = 81920, .nanoseconds = 1000000}}),
       .validate = on<S>([](const S& s) {
         require_at_least("occupy", "ctas", s.ctas, 1);
         require_at_least("occupy", "threads", s.threads, 1);
         STEPMARK_REQUIRE(s.threads <= 1024, "op occupy: threads={} must be at most 1024",
                          s.threads);
       })});
  return info;
}

}  // namespace stepmark
