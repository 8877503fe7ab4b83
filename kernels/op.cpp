// SPDX-License-Identifier: Apache-2.0
// Answers about shapes from the registry of OpInfo. Access and types of operands may depend on
// flags of the shape (accumulate, out_f32); bounds on dims keep products of two of them within 64
// bits.
#include "kernels/op.h"

#include <algorithm>
#include <limits>

#include "core/error.h"
#include "core/yaml.h"
#include "kernels/ops/registry.h"

namespace stepmark {
namespace {

constexpr std::int64_t kMaxElements = std::int64_t{1} << 46;

bool flag_set(const OpShape& shape, std::string_view dim) { return dim_of(shape, dim) != 0; }

bool are_shapes(const std::vector<OpShape>& shapes) {
  try {
    for (const OpShape& shape : shapes) validate_shape(shape);
    return !shapes.empty();
  } catch (const Error&) {
    return false;
  }
}

DType fp8_by(const OpShape& shape, std::string_view dim) {
  return flag_set(shape, dim) ? DType::f8e5m2 : DType::f8e4m3;
}

}  // namespace

std::span<const OpInfo* const> all_ops() {
#define STEPMARK_OP_ENTRY(name) &op_info_##name(),
  static const std::vector<const OpInfo*> table{STEPMARK_OPS(STEPMARK_OP_ENTRY)};
#undef STEPMARK_OP_ENTRY
  return table;
}

const OpInfo& info_of(OpId id) {
  const auto table = all_ops();
  const auto index = static_cast<std::size_t>(id);
  STEPMARK_CHECK(index < table.size(), "op id {} is outside the registry", index);
  return *table[index];
}

OpId op_from(std::string_view name) {
  std::vector<std::string> names;
  for (const OpInfo* info : all_ops()) {
    if (info->name == name) return info->id;
    names.emplace_back(info->name);
  }
  const std::string nearest = nearest_name(name, names);
  throw Error(ExitCode::kUsage,
              fmt::format("unknown op '{}'{}", name,
                          nearest.empty() ? "" : fmt::format("; did you mean '{}'?", nearest)));
}

std::int64_t dim_of(const OpShape& shape, std::string_view name) {
  const OpInfo& info = info_of(shape.id);
  const auto it = std::ranges::find(info.dim_names, name);
  STEPMARK_REQUIRE(it != info.dim_names.end(), "op {} has no dim '{}'", info.name, name);
  return shape.dims[static_cast<std::size_t>(it - info.dim_names.begin())];
}

Access access_of(const OpShape& shape, std::size_t operand) {
  const Access access = info_of(shape.id).operands.at(operand).access;
  if (access == Access::accumulate) {
    return flag_set(shape, "accumulate") ? Access::inout : Access::out;
  }
  if (access == Access::add_dx) return flag_set(shape, "add_dx") ? Access::inout : Access::out;
  return access;
}

DType dtype_of(const OpShape& shape, std::size_t operand) {
  switch (info_of(shape.id).operands.at(operand).dtype) {
    case DTypeRule::op:
      break;
    case DTypeRule::f32:
      return DType::f32;
    case DTypeRule::i32:
      return DType::i32;
    case DTypeRule::out_f32_flag:
      return flag_set(shape, "out_f32") ? DType::f32 : shape.dtype;
    case DTypeRule::cast_source:
      return flag_set(shape, "to_f32") ? shape.dtype : DType::f32;
    case DTypeRule::cast_result:
      return flag_set(shape, "to_f32") ? DType::f32 : shape.dtype;
    case DTypeRule::fp8:
      return fp8_by(shape, "e5m2");
    case DTypeRule::fp8_a:
      return fp8_by(shape, "a_e5m2");
    case DTypeRule::fp8_b:
      return fp8_by(shape, "b_e5m2");
  }
  return shape.dtype;
}

std::int64_t elements_of(const OpShape& shape, std::size_t operand) {
  return info_of(shape.id).operands.at(operand).elements(shape);
}

double flops_of(const OpShape& shape) { return info_of(shape.id).flops(shape); }

DType math_dtype_of(const OpShape& shape) {
  return info_of(shape.id).unit == MathUnit::matrix ? dtype_of(shape, 0) : DType::f32;
}

double bytes_of(const OpShape& shape) {
  const OpInfo& info = info_of(shape.id);
  if (info.bytes != nullptr) return info.bytes(shape);
  double bytes = 0;
  for (std::size_t i = 0; i < info.operands.size(); ++i) {
    const double once = static_cast<double>(elements_of(shape, i)) *
                        static_cast<double>(size_of(dtype_of(shape, i)));
    bytes += access_of(shape, i) == Access::inout ? 2 * once : once;
  }
  return bytes;
}

double tolerance_of(const OpShape& shape, std::size_t operand) {
  OpShape as_stored = shape;
  const OpInfo& info = info_of(shape.id);
  if (!info.operands[operand].rounded_weights) as_stored.dtype = dtype_of(shape, operand);
  return info.tolerance(as_stored);
}

void validate_shape(const OpShape& shape) {
  const OpInfo& info = info_of(shape.id);
  STEPMARK_REQUIRE(shape.dtype == DType::f32 || shape.dtype == DType::bf16,
                   "op {}: dtype {} is not supported, expected fp32 or bf16", info.name,
                   name_of(shape.dtype));
  for (std::size_t i = 0; i < info.dim_names.size(); ++i) {
    // Only flat arrays may exceed 32-bit dims, so that products of two dims cannot overflow.
    const std::int64_t limit =
        info.dim_names[i] == "elements" ? kMaxElements : std::numeric_limits<std::int32_t>::max();
    STEPMARK_REQUIRE(shape.dims[i] >= 0 && shape.dims[i] <= limit,
                     "op {}: {}={} must be between 0 and {}", info.name, info.dim_names[i],
                     shape.dims[i], limit);
  }
  if (info.validate != nullptr) info.validate(shape);
  for (std::size_t i = 0; i < info.operands.size(); ++i) {
    STEPMARK_REQUIRE(elements_of(shape, i) >= 0 && elements_of(shape, i) <= kMaxElements,
                     "op {}: operand {} is too large", info.name, info.operands[i].name);
  }
}

std::vector<DType> dtypes_of(OpId id) {
  const OpInfo& info = info_of(id);
  std::vector<DType> dtypes;
  for (int i = 0; i <= static_cast<int>(DType::u64); ++i) {
    const auto dtype = static_cast<DType>(i);
    if (are_shapes(info.test_shapes(dtype)) && are_shapes(info.bench_shapes(dtype))) {
      dtypes.push_back(dtype);
    }
  }
  return dtypes;
}

}  // namespace stepmark
