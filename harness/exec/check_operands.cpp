// SPDX-License-Identifier: Apache-2.0
// What must hold before a program is bound: every address an op will touch lies inside a buffer of
// the type and size that the op's shape asks for.
#include <algorithm>

#include "core/error.h"
#include "harness/exec/bind_comm.h"
#include "harness/exec/executor.h"

namespace stepmark {
namespace {

// One operand against what its op expects; `needed` 0: absent or unused (a rooted verb's away from
// the root), and then only within its buffer.
void check_slice(const Program& program, const BufferSlice& slice, std::string_view what,
                 std::int64_t needed, DType dtype) {
  if (slice.buffer < 0) {
    STEPMARK_REQUIRE(needed == 0, "{} is absent, {} {} expected", what, needed, name_of(dtype));
    return;
  }
  STEPMARK_REQUIRE(slice.buffer < std::ssize(program.buffers), "{} names buffer {} of {}", what,
                   slice.buffer, program.buffers.size());
  const BufferDecl& buffer = program.buffers[static_cast<std::size_t>(slice.buffer)];
  STEPMARK_REQUIRE(needed == 0 || slice.elements == needed, "{} is {} elements of {}, {} expected",
                   what, slice.elements, buffer.name, needed);
  STEPMARK_REQUIRE(slice.offset >= 0 && slice.elements >= 0 && slice.elements <= buffer.elements &&
                       slice.offset <= buffer.elements - slice.elements,
                   "{} is [{}+{}] of {}, which has {} elements", what, slice.offset, slice.elements,
                   buffer.name, buffer.elements);
  STEPMARK_REQUIRE(needed == 0 || buffer.dtype == dtype, "{} is {} ({}), {} expected", what,
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
  STEPMARK_REQUIRE(op.operands.size() == 2, "{} has {} operands, send and recv expected",
                   name_of(shape.verb), op.operands.size());
  const CommAccess access = comm_access(shape, group);
  const std::string verb = fmt::format("{} over {}", name_of(shape.verb), shape.axis);
  check_slice(program, op.operands[0], "operand send of " + verb, access.send, shape.dtype);
  check_slice(program, op.operands[1], "operand recv of " + verb, access.recv, shape.dtype);
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
