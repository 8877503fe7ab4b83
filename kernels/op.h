// SPDX-License-Identifier: Apache-2.0
// An operation of a training step: what it means, not how a backend does it.
//
// Each op has a typed shape struct in kernels/ops/<family>.h (named dims, all int64_t, and named
// scalars, all double), packed into the uniform OpShape that programs carry, print and parse. Its
// OpInfo, in kernels/ops/<family>.cpp, says everything a caller needs: operands and their sizes,
// FLOPs, tolerance, formula, source, and a naive reference in double. Backends add only a function
// each (kernels/host/<family>.cpp, kernels/cuda/<family>.cu). The list of families and ops is
// STEPMARK_OP_FAMILIES in kernels/CMakeLists.txt; it generates OpId and the tables.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <vector>

#include "core/dtype.h"
#include "kernels/op_list.h"  // generated: #define STEPMARK_OPS(X) X(gemm) X(attention_fwd) ...

namespace stepmark {

#define STEPMARK_OP_ENUM(name) name,
enum class OpId : std::uint16_t { STEPMARK_OPS(STEPMARK_OP_ENUM) };
#undef STEPMARK_OP_ENUM

inline constexpr int kMaxDims = 12;
inline constexpr int kMaxScalars = 8;

// dtype: storage type of the op's operands that follow it (DTypeRule::op); fp32 or bf16 on the
// host.
struct OpShape {
  OpId id{};
  DType dtype = DType::f32;
  std::array<std::int64_t, kMaxDims> dims{};
  std::array<double, kMaxScalars> scalars{};
  bool operator==(const OpShape&) const = default;
};

// accumulate, add_dx: written over, or added to when the shape's dim of that name is not 0.
enum class Access : std::uint8_t { in, out, inout, accumulate, add_dx };
enum class DTypeRule : std::uint8_t {
  op,
  f32,
  i32,
  out_f32_flag,  // fp32 when dim "out_f32" != 0, else op
  cast_source,   // op when dim "to_f32" != 0, else fp32
  cast_result,   // fp32 when dim "to_f32" != 0, else op
  fp8,           // fp8e5m2 when dim "e5m2" != 0, else fp8e4m3
  fp8_a,         // the same by dim "a_e5m2"
  fp8_b          // the same by dim "b_e5m2"
};
// What does the op's arithmetic: the fp32 units, or, on devices that have them, units for GEMMs
// of matrices. Which peak bounds it.
enum class MathUnit : std::uint8_t { vector, matrix };

struct OperandInfo {
  std::string_view name;
  Access access;
  DTypeRule dtype;
  std::int64_t (*elements)(const OpShape&);  // 0: operand absent, its pointer may be null
  // Of a result in fp32: the weights of its sums may be rounded to the op's dtype, as tensor cores
  // take them, so it has the tolerance of that.
  bool rounded_weights = false;
};

using Operands = std::span<const std::span<double>>;

struct OpInfo {
  // These four are the shape struct's to say (described() of kernels/ops/registry.h).
  OpId id{};
  std::string_view name = {};
  std::vector<std::string_view> dim_names = {};
  std::vector<std::string_view> scalar_names = {};
  std::string_view formula;
  std::string_view source;
  std::vector<OperandInfo> operands;
  // Arithmetic operations as the field counts them (multiply-add = 2; transcendental = 1).
  double (*flops)(const OpShape&);
  // Relative error that a correct implementation stays within, for an output of the shape's dtype:
  // ||got - reference|| / ||reference|| (2-norms; absolute when the reference is 0). Callers ask
  // tolerance_of, which knows that a bf16 op has fp32 outputs too.
  double (*tolerance)(const OpShape&);
  // Naive reference; one span of doubles per operand, sized by `elements`.
  void (*reference)(const OpShape&, Operands operands);
  // Shapes for equivalence tests (small, odd sizes, all flags) and for the benchmark (real sizes).
  std::function<std::vector<OpShape>(DType)> test_shapes;
  std::function<std::vector<OpShape>(DType)> bench_shapes;
  // Throws Error(kUsage) for shapes that the general rules of validate_shape let pass (heads not
  // divisible ...). May be null.
  void (*validate)(const OpShape&) = nullptr;
  // Operands come filled with standard normal values; turns those with a meaning (indices,
  // statistics, second moments) into valid and consistent ones. May be null.
  void (*prepare)(const OpShape&, Operands operands) = nullptr;
  // Where it is not each operand once per read and once per write (gathers). May be null.
  double (*bytes)(const OpShape&) = nullptr;
  MathUnit unit = MathUnit::vector;
};

[[nodiscard]] const OpInfo& info_of(OpId id);
[[nodiscard]] std::span<const OpInfo* const> all_ops();
[[nodiscard]] OpId op_from(std::string_view name);  // Error(kUsage) with nearest name

[[nodiscard]] Access access_of(const OpShape& shape, std::size_t operand);  // in, out or inout
[[nodiscard]] DType dtype_of(const OpShape& shape, std::size_t operand);
[[nodiscard]] std::int64_t elements_of(const OpShape& shape, std::size_t operand);
[[nodiscard]] double flops_of(const OpShape& shape);
// Type of the numbers multiplied, to look up a peak: the first operand's for GEMMs,
// fp32 for everything else.
[[nodiscard]] DType math_dtype_of(const OpShape& shape);
// Bytes the op must move at least: each operand once per read and once per write.
[[nodiscard]] double bytes_of(const OpShape& shape);
// Relative error allowed for an output operand; see OpInfo::tolerance.
[[nodiscard]] double tolerance_of(const OpShape& shape, std::size_t operand);
[[nodiscard]] std::int64_t dim_of(const OpShape& shape, std::string_view name);
// Throws Error(kUsage) naming the op and the dim: negative dims, a dtype that is neither fp32 nor
// bf16, sizes beyond the operands' index type, and what OpInfo::validate rejects.
void validate_shape(const OpShape& shape);
// The types in which the op has shapes that can be run and checked.
[[nodiscard]] std::vector<DType> dtypes_of(OpId id);
// "gemm dtype=fp32 m=256 n=768 k=768 trans_a=0 ..."; parse accepts exactly this form, Error(kUsage)
// otherwise, and validates.
[[nodiscard]] std::string to_text(const OpShape& shape);
[[nodiscard]] OpShape op_shape_from_text(std::string_view text);

// The last line of a shape struct: whose shape it is, and its members in their order, int64_t for
// dims and then double for scalars. Their names are taken from here, for texts and messages.
#define STEPMARK_OP_SHAPE(op, ...)                 \
  static constexpr OpId id = OpId::op;             \
  static constexpr std::string_view op_name = #op; \
  auto members() { return std::tie(__VA_ARGS__); } \
  static constexpr std::string_view member_names = #__VA_ARGS__

// Calls use(member, its place in `dims` or `scalars`) for each member of a shape struct.
template <class S, class Dims, class Scalars, class Use>
void for_each_member(S& s, Dims& dims, Scalars& scalars, Use use) {
  std::size_t dim = 0, scalar = 0;
  const auto visit = [&](auto& member) {
    if constexpr (std::is_same_v<std::remove_reference_t<decltype(member)>, double>) {
      use(member, scalars[scalar++]);
    } else {
      use(member, dims[dim++]);
    }
  };
  std::apply([&](auto&... member) { (visit(member), ...); }, s.members());
}

// Typed shape <-> OpShape.
template <class S>
[[nodiscard]] OpShape pack(S s, DType dtype) {
  OpShape out{.id = S::id, .dtype = dtype};
  for_each_member(s, out.dims, out.scalars, [](auto& member, auto& place) { place = member; });
  return out;
}
template <class S>
[[nodiscard]] S unpack(const OpShape& shape) {
  S s;
  for_each_member(s, shape.dims, shape.scalars,
                  [](auto& member, const auto& place) { member = place; });
  return s;
}

// A backend's function for an op on the host: operand pointers in the order of OpInfo::operands.
// Parallelism: OpenMP with the calling thread's omp_get_max_threads().
using HostKernel = void (*)(const OpShape& shape, void* const* operands);
[[nodiscard]] HostKernel host_kernel(OpId id);

}  // namespace stepmark
