// SPDX-License-Identifier: Apache-2.0
// Small programs for the executor's tests.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "harness/program/program.h"

namespace stepmark::test {

inline BufferDecl buffer(std::string name, std::int64_t elements, DType dtype = DType::f32) {
  return {.name = std::move(name), .dtype = dtype, .elements = elements};
}

inline BufferSlice whole(const Program& program, std::int32_t index) {
  return {.buffer = index,
          .offset = 0,
          .elements = program.buffers[static_cast<std::size_t>(index)].elements};
}

// One rank, one group "x" of one rank, streams as given.
inline Program program_of(std::vector<std::string> streams, std::vector<BufferDecl> buffers) {
  Program program;
  program.name = "test";
  program.streams = std::move(streams);
  program.groups = {{.axis = "x", .ranks = {0}, .index = 0}};
  program.buffers = std::move(buffers);
  return program;
}

// Appends an all-reduce over "x" of the whole of two equally long buffers; returns the op's index.
inline std::int32_t add_comm(Program& program, std::string label, std::int32_t stream,
                             std::int32_t send, std::int32_t recv,
                             std::vector<std::int32_t> deps = {}) {
  const BufferDecl& decl = program.buffers[static_cast<std::size_t>(send)];
  program.ops.push_back(
      {.label = std::move(label),
       .stream = stream,
       .comm =
           CommShape{
               .verb = Verb::all_reduce, .axis = "x", .dtype = decl.dtype, .count = decl.elements},
       .operands = {whole(program, send), whole(program, recv)},
       .deps = std::move(deps)});
  return static_cast<std::int32_t>(program.ops.size()) - 1;
}

}  // namespace stepmark::test
