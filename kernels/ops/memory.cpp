// SPDX-License-Identifier: Apache-2.0
#include "kernels/ops/memory.h"

#include <algorithm>

#include "kernels/ops/registry.h"

namespace stepmark {
namespace {

template <class S>
std::int64_t flat(const OpShape& shape) {
  return unpack<S>(shape).elements;
}
template <class S>
std::vector<OpShape> flat_test_shapes(DType dtype) {
  return pack_all<S>(dtype, {{.elements = 1}, {.elements = 67}, {.elements = 200011}});
}
template <class S>
std::vector<OpShape> flat_bench_shapes(DType dtype) {
  return pack_all<S>(dtype,
                     {{.elements = 1 << 24}, {.elements = 1 << 26}});  // beyond caches, far beyond
}
double no_flops(const OpShape&) { return 0.0; }
double exact(const OpShape&) { return 0.0; }

}  // namespace

const OpInfo& op_info_copy() {
  using S = CopyShape;
  static const OpInfo info{.id = S::id,
                           .name = "copy",
                           .formula = "dst = src",
                           .source = "STREAM (McCalpin, 1995): copy",
                           .dim_names = {"elements"},
                           .scalar_names = {},
                           .operands = {{"src", Access::in, DTypeRule::op, flat<S>},
                                        {"dst", Access::out, DTypeRule::op, flat<S>}},
                           .flops = no_flops,
                           .tolerance = exact,
                           .reference = on_operands<S>(
                               [](const S&, Operands x) { std::ranges::copy(x[0], x[1].begin()); }),
                           .test_shapes = flat_test_shapes<S>,
                           .bench_shapes = flat_bench_shapes<S>};
  return info;
}

const OpInfo& op_info_triad() {
  using S = TriadShape;
  static const OpInfo info{
      .id = S::id,
      .name = "triad",
      .formula = "a = b + s c",
      .source = "STREAM (McCalpin, 1995): triad",
      .dim_names = {"elements"},
      .scalar_names = {"s"},
      .operands = {{"b", Access::in, DTypeRule::op, flat<S>},
                   {"c", Access::in, DTypeRule::op, flat<S>},
                   {"a", Access::out, DTypeRule::op, flat<S>}},
      .flops = [](const OpShape& s) { return 2.0 * static_cast<double>(flat<S>(s)); },
      .tolerance = [](const OpShape& s) { return rounding_tolerance(s.dtype, 4); },
      .reference = on_operands<S>([](const S& s, Operands x) {
        for (std::int64_t i = 0; i < s.elements; ++i) x[2][i] = x[0][i] + s.s * x[1][i];
      }),
      .test_shapes = flat_test_shapes<S>,
      .bench_shapes = flat_bench_shapes<S>};
  return info;
}

const OpInfo& op_info_cast() {
  using S = CastShape;
  static const OpInfo info{
      .id = S::id,
      .name = "cast",
      .formula = "dst = src in the other type, to nearest, ties to even",
      .source = "IEEE 754-2019, section 4.3.1",
      .dim_names = {"elements", "to_f32"},
      .scalar_names = {},
      .operands = {{"src", Access::in, DTypeRule::cast_source, flat<S>},
                   {"dst", Access::out, DTypeRule::cast_result, flat<S>}},
      .flops = no_flops,
      .tolerance = [](const OpShape& s) { return rounding_tolerance(s.dtype, 0); },
      .reference =
          on_operands<S>([](const S&, Operands x) { std::ranges::copy(x[0], x[1].begin()); }),
      .test_shapes =
          [](DType dtype) {
            return pack_all<S>(
                dtype, {{.elements = 1}, {.elements = 67, .to_f32 = 1}, {.elements = 200011}});
          },
      .bench_shapes =
          [](DType dtype) {
            return pack_all<S>(dtype, {{.elements = 1 << 26}, {.elements = 1 << 26, .to_f32 = 1}});
          },
      .validate = on<S>([](const S& s) { require_flag("cast", "to_f32", s.to_f32); })};
  return info;
}

const OpInfo& op_info_zero() {
  using S = ZeroShape;
  static const OpInfo info{
      .id = S::id,
      .name = "zero",
      .formula = "x = 0",
      .source = "memset",
      .dim_names = {"elements"},
      .scalar_names = {},
      .operands = {{"x", Access::out, DTypeRule::op, flat<S>}},
      .flops = no_flops,
      .tolerance = exact,
      .reference = on_operands<S>([](const S&, Operands x) { std::ranges::fill(x[0], 0.0); }),
      .test_shapes = flat_test_shapes<S>,
      .bench_shapes = flat_bench_shapes<S>};
  return info;
}

}  // namespace stepmark
