// SPDX-License-Identifier: Apache-2.0
// What the families' sources share: the functions behind the registry, one per op of the generated
// list, and helpers to write an OpInfo.
#pragma once

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "kernels/op.h"

namespace stepmark {

#define STEPMARK_OP_INFO(name) const OpInfo& op_info_##name();
STEPMARK_OPS(STEPMARK_OP_INFO)
#undef STEPMARK_OP_INFO

// `info` with what its shape struct says: id and name of the op, names of dims and scalars.
template <class S>
OpInfo described(OpInfo info) {
  info.id = S::id;
  info.name = S::op_name;
  std::string_view names = S::member_names;
  const auto next = [&names] {
    const std::string_view name = names.substr(0, names.find(','));
    names.remove_prefix(std::min(names.find_first_not_of(", ", name.size()), names.size()));
    return name;
  };
  S shape;
  std::apply(
      [&](auto&... member) {
        ((std::is_same_v<std::remove_reference_t<decltype(member)>, double>
              ? info.scalar_names.push_back(next())
              : info.dim_names.push_back(next())),
         ...);
      },
      shape.members());
  return info;
}

// Operands, by what the op does to them; `elements` of 0: absent.
using Elements = decltype(OperandInfo::elements);
inline OperandInfo reads(std::string_view name, Elements elements,
                         DTypeRule dtype = DTypeRule::op) {
  return {name, Access::in, dtype, elements};
}
inline OperandInfo writes(std::string_view name, Elements elements,
                          DTypeRule dtype = DTypeRule::op) {
  return {name, Access::out, dtype, elements};
}
inline OperandInfo updates(std::string_view name, Elements elements,
                           DTypeRule dtype = DTypeRule::op) {
  return {name, Access::inout, dtype, elements};
}
// Written, or added to when the dim `accumulate`, or `add_dx`, is not 0.
inline OperandInfo accumulates(std::string_view name, Elements elements, DTypeRule dtype) {
  return {name, Access::accumulate, dtype, elements};
}
inline OperandInfo adds_dx(std::string_view name, Elements elements,
                           DTypeRule dtype = DTypeRule::op) {
  return {name, Access::add_dx, dtype, elements};
}

inline OperandInfo with_rounded_weights(OperandInfo operand) {
  operand.rounded_weights = true;
  return operand;
}

// Turns a captureless lambda over a typed shape into a function pointer over OpShape:
//   on<GemmShape>([](const GemmShape& g) { return g.m * g.k; })
template <class Shape, class F>
constexpr auto on(F) {
  return +[](const OpShape& shape) { return F{}(unpack<Shape>(shape)); };
}
// Same for functions over operands: [](const GemmShape& g, Operands x) { ... }.
template <class Shape, class F>
constexpr auto on_operands(F) {
  return +[](const OpShape& shape, Operands operands) { F{}(unpack<Shape>(shape), operands); };
}

// Unit roundoff of the stored result times `fp32_factor` for fp32 (rounding of the arithmetic adds
// to it); for bf16 the rounding of the result itself dominates: 2^-8 bounds every element.
constexpr double rounding_tolerance(DType dtype, double fp32_factor) {
  return dtype == DType::bf16 ? 0x1p-8 : fp32_factor * 0x1p-24;
}
// For sums of `terms` products in fp32, accumulated in any order: errors grow like a random walk.
inline double sum_tolerance(DType dtype, std::int64_t terms) {
  return rounding_tolerance(dtype, 8 + 2 * std::sqrt(static_cast<double>(terms)));
}

// Throws unless the flag dim is 0 or 1.
inline void require_flag(std::string_view op, std::string_view name, std::int64_t value) {
  STEPMARK_REQUIRE(value == 0 || value == 1, "op {}: {}={} must be 0 or 1", op, name, value);
}
inline void require_at_least(std::string_view op, std::string_view name, std::int64_t value,
                             std::int64_t minimum) {
  STEPMARK_REQUIRE(value >= minimum, "op {}: {}={} must be at least {}", op, name, value, minimum);
}

// Packs a list of typed shapes for one dtype.
template <class Shape>
std::vector<OpShape> pack_all(DType dtype, std::initializer_list<Shape> shapes) {
  std::vector<OpShape> packed;
  for (const Shape& shape : shapes) packed.push_back(pack(shape, dtype));
  return packed;
}

// The same for any dtype: OpInfo::test_shapes and bench_shapes.
template <class Shape>
auto shapes(std::initializer_list<Shape> list) {
  return [all = std::vector<Shape>(list)](DType dtype) {
    std::vector<OpShape> packed;
    for (const Shape& shape : all) packed.push_back(pack(shape, dtype));
    return packed;
  };
}

// A whole non-negative index below `bound` from a standard normal value.
inline double index_from_normal(double normal, std::int64_t bound) {
  const double spread = std::abs(normal) * 7919.0;
  return std::floor((spread - std::floor(spread)) * static_cast<double>(bound));
}

}  // namespace stepmark
