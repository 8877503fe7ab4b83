// SPDX-License-Identifier: Apache-2.0
// Facts and double references of copy, triad, cast, zero and gradient buckets. Sizes for benchmarks
// lie beyond all caches, since these ops tell a device's bandwidth.
#include "kernels/ops/memory.h"

#include <algorithm>

#include "kernels/ops/bench_sizes.h"
#include "kernels/ops/matrix_operands.h"
#include "kernels/ops/registry.h"

namespace stepmark {
namespace {

template <class S>
std::vector<OpShape> flat_test_shapes(DType dtype) {
  return pack_all<S>(dtype, {{.elements = 1}, {.elements = 67}, {.elements = 200011}});
}
template <class S>
std::vector<OpShape> flat_bench_shapes(DType dtype) {
  return pack_all<S>(dtype,
                     {{.elements = 1 << 24}, {.elements = 1 << 26}});  // beyond caches, far beyond
}

template <class S>
std::vector<OpShape> bucket_test_shapes(DType dtype) {
  return pack_all<S>(dtype, {{.tensors = 1, .elements = 1, .stride = 1},
                             {.tensors = 3, .elements = 17, .stride = 17},
                             {.tensors = 9, .elements = 1021, .stride = 1040}});
}
// One layer of Llama 3 8B as equal tensors: few large ones, and as many small ones as a careless
// layout would give.
template <class S>
std::vector<OpShape> bucket_bench_shapes(DType dtype) {
  constexpr std::int64_t kFew = 8, kMany = 1024;
  return pack_all<S>(dtype, {{.tensors = 64, .elements = 1 << 16, .stride = (1 << 16) + 16},
                             {.tensors = kFew,
                              .elements = bench::kLayerParams / kFew,
                              .stride = bench::kLayerParams / kFew + 16},
                             {.tensors = kMany,
                              .elements = bench::kLayerParams / kMany,
                              .stride = bench::kLayerParams / kMany + 16}});
}
template <class S>
void validate_bucket(const OpShape& shape) {
  const auto s = unpack<S>(shape);
  STEPMARK_REQUIRE(s.stride >= s.elements, "op {}: stride={} must be at least elements={}",
                   info_of(S::id).name, s.stride, s.elements);
}
// What lies between the tensors is not touched.
template <class S>
double bucket_bytes(const OpShape& shape) {
  return 2.0 * static_cast<double>(of_dims<&S::tensors, &S::elements>(shape)) *
         static_cast<double>(size_of(shape.dtype));
}

}  // namespace

const OpInfo& op_info_copy() {
  using S = CopyShape;
  static const OpInfo info =
      described<S>({.formula = "dst = src",
                    .source = "STREAM (McCalpin, 1995): copy",
                    .operands = {reads("src", flat<S>), writes("dst", flat<S>)},
                    .flops = no_flops,
                    .tolerance = exact,
                    .reference = on_operands<S>(
                        [](const S&, Operands x) { std::ranges::copy(x[0], x[1].begin()); }),
                    .test_shapes = flat_test_shapes<S>,
                    .bench_shapes = flat_bench_shapes<S>});
  return info;
}

const OpInfo& op_info_triad() {
  using S = TriadShape;
  static const OpInfo info =
      described<S>({.formula = "a = b + s c",
                    .source = "STREAM (McCalpin, 1995): triad",
                    .operands = {reads("b", flat<S>), reads("c", flat<S>), writes("a", flat<S>)},
                    .flops = [](const OpShape& s) { return 2.0 * static_cast<double>(flat<S>(s)); },
                    .tolerance = [](const OpShape& s) { return rounding_tolerance(s.dtype, 4); },
                    .reference = on_operands<S>([](const S& s, Operands x) {
                      for (std::int64_t i = 0; i < s.elements; ++i)
                        x[2][i] = x[0][i] + s.s * x[1][i];
                    }),
                    .test_shapes = flat_test_shapes<S>,
                    .bench_shapes = flat_bench_shapes<S>});
  return info;
}

const OpInfo& op_info_cast() {
  using S = CastShape;
  static const OpInfo info = described<S>(
      {.formula = "dst = src in the other type, to nearest, ties to even",
       .source = "IEEE 754-2019, section 4.3.1",
       .operands = {reads("src", flat<S>, DTypeRule::cast_source),
                    writes("dst", flat<S>, DTypeRule::cast_result)},
       .flops = no_flops,
       .tolerance = [](const OpShape& s) { return rounding_tolerance(s.dtype, 0); },
       .reference =
           on_operands<S>([](const S&, Operands x) { std::ranges::copy(x[0], x[1].begin()); }),
       .test_shapes =
           shapes<S>({{.elements = 1}, {.elements = 67, .to_f32 = 1}, {.elements = 200011}}),
       .bench_shapes = shapes<S>({{.elements = 1 << 26}, {.elements = 1 << 26, .to_f32 = 1}}),
       .validate = on<S>([](const S& s) { require_flag("cast", "to_f32", s.to_f32); })});
  return info;
}

const OpInfo& op_info_zero() {
  using S = ZeroShape;
  static const OpInfo info = described<S>(
      {.formula = "x = 0",
       .source = "memset",
       .operands = {writes("x", flat<S>)},
       .flops = no_flops,
       .tolerance = exact,
       .reference = on_operands<S>([](const S&, Operands x) { std::ranges::fill(x[0], 0.0); }),
       .test_shapes = flat_test_shapes<S>,
       .bench_shapes = flat_bench_shapes<S>});
  return info;
}

const OpInfo& op_info_bucket_pack() {
  using S = BucketPackShape;
  static const OpInfo info = described<S>(
      {.formula = "bucket[t elements + i] = source[t stride + i]",
       .source = "gradient buckets: Li et al., arXiv 2006.15704, section 3.2",
       .operands = {reads("source", of_dims<&S::tensors, &S::stride>),
                    writes("bucket", of_dims<&S::tensors, &S::elements>)},
       .flops = no_flops,
       .tolerance = exact,
       .reference = on_operands<S>([](const S& s, Operands x) {
         for (std::int64_t t = 0; t < s.tensors; ++t) {
           std::copy_n(x[0].begin() + t * s.stride, s.elements, x[1].begin() + t * s.elements);
         }
       }),
       .test_shapes = bucket_test_shapes<S>,
       .bench_shapes = bucket_bench_shapes<S>,
       .validate = validate_bucket<S>,
       .bytes = bucket_bytes<S>});
  return info;
}

const OpInfo& op_info_bucket_unpack() {
  using S = BucketUnpackShape;
  static const OpInfo info = described<S>(
      {.formula = "target[t stride + i] = scale bucket[t elements + i]",
       .source = "the inverse of bucket_pack, with the averaging of gradients",
       .operands = {reads("bucket", of_dims<&S::tensors, &S::elements>),
                    updates("target", of_dims<&S::tensors, &S::stride>)},
       .flops =
           [](const OpShape& s) {
             return static_cast<double>(of_dims<&S::tensors, &S::elements>(s));
           },
       .tolerance = [](const OpShape& s) { return rounding_tolerance(s.dtype, 2); },
       .reference = on_operands<S>([](const S& s, Operands x) {
         for (std::int64_t t = 0; t < s.tensors; ++t) {
           for (std::int64_t i = 0; i < s.elements; ++i) {
             x[1][t * s.stride + i] = s.scale * x[0][t * s.elements + i];
           }
         }
       }),
       .test_shapes =
           [](DType dtype) {
             auto shapes = bucket_test_shapes<S>(dtype);
             shapes.push_back(
                 pack(S{.tensors = 5, .elements = 33, .stride = 40, .scale = 0.125}, dtype));
             return shapes;
           },
       .bench_shapes = bucket_bench_shapes<S>,
       .validate = validate_bucket<S>,
       .bytes = bucket_bytes<S>});
  return info;
}

}  // namespace stepmark
