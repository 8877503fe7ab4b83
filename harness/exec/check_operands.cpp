// SPDX-License-Identifier: Apache-2.0
// What must hold before a program is bound: every address an op will touch lies inside a buffer of
// the type and size that the op's shape asks for.
#include <algorithm>

#include "core/error.h"
#include "harness/exec/bind_comm.h"
#include "harness/exec/executor.h"

namespace stepmark {
namespace {

// One operand against what its op expects; `elements` 0: the operand may be absent.
void check_slice(const Program& program, const BufferSlice& slice, std::string_view what,
                 std::int64_t elements, DType dtype) {
  if (slice.buffer < 0) {
    STEPMARK_REQUIRE(elements == 0, "{} is absent, {} {} expected", what, elements, name_of(dtype));
    return;
  }
  STEPMARK_REQUIRE(slice.buffer < std::ssize(program.buffers), "{} names buffer {} of {}", what,
                   slice.buffer, program.buffers.size());
  const BufferDecl& buffer = program.buffers[static_cast<std::size_t>(slice.buffer)];
  STEPMARK_REQUIRE(slice.elements == elements, "{} is {} elements of {}, {} expected", what,
                   slice.elements, buffer.name, elements);
  STEPMARK_REQUIRE(slice.offset >= 0 && slice.offset <= buffer.elements - slice.elements,
                   "{} ends at element {} of {}, which has {}", what, slice.offset + slice.elements,
                   buffer.name, buffer.elements);
  STEPMARK_REQUIRE(elements == 0 || buffer.dtype == dtype, "{} is {} ({}), {} expected", what,
                   name_of(buffer.dtype), buffer.name, name_of(dtype));
}

void check_kernel(const Program& program, const Op& op) {
  const OpShape& shape = *op.kernel;
  const OpInfo& info = info_of(shape.id);
  validate_shape(shape);
  STEPMARK_REQUIRE(op.operands.size() == info.operands.size(), "{} has {} operands, {} expected",
                   info.name, op.operands.size(), info.operands.size());
  for (std::size_t i = 0; i < op.operands.size(); ++i) {
    check_slice(program, op.operands[i],
                fmt::format("operand {} of {}", info.operands[i].name, to_text(shape)),
                elements_of(shape, i), dtype_of(shape, i));
  }
}

void check_comm(const Program& program, const Op& op) {
  const CommShape& shape = *op.comm;
  const Group& group = program.group(shape.axis);
  check_shape(shape, group);
  STEPMARK_REQUIRE(op.operands.size() <= 2, "{} has {} operands, send and recv expected",
                   name_of(shape.kind), op.operands.size());
  const CommExtent extent = extent_of(shape, group);
  const BufferSlice absent;
  const auto operand = [&](std::size_t i) -> const BufferSlice& {
    return i < op.operands.size() ? op.operands[i] : absent;
  };
  const auto check = [&](std::size_t i, std::string_view name, std::int64_t elements) {
    // A rooted verb's operand is unused away from the root: programs may name it all the same, so
    // that one text serves all ranks.
    if (elements == 0) return;
    check_slice(program, operand(i),
                fmt::format("operand {} of {} over {}", name, name_of(shape.kind), shape.axis),
                elements, shape.dtype);
  };
  check(0, "send", extent.send);
  check(1, "recv", extent.recv);
}

void check_op(const Program& program, std::int32_t index) {
  const Op& op = program.ops[static_cast<std::size_t>(index)];
  STEPMARK_REQUIRE(op.kernel.has_value() != op.comm.has_value(),
                   "exactly one of kernel and comm must be set");
  STEPMARK_REQUIRE(op.stream >= 0 && op.stream < std::ssize(program.streams),
                   "stream {} of {} streams", op.stream, program.streams.size());
  for (const std::int32_t dep : op.deps) {
    STEPMARK_REQUIRE(dep >= 0 && dep < index, "dependency {} is not an earlier op", dep);
  }
  if (op.kernel) {
    check_kernel(program, op);
  } else {
    check_comm(program, op);
  }
}

}  // namespace

void check_operands(const Program& program) {
  for (std::int32_t i = 0; i < std::ssize(program.ops); ++i) {
    try {
      check_op(program, i);
    } catch (const Error& error) {
      throw Error(ExitCode::kUsage,
                  fmt::format("{}: op {} \"{}\": {}", program.name, i,
                              program.ops[static_cast<std::size_t>(i)].label, error.message()));
    }
  }
}

}  // namespace stepmark
