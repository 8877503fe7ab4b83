// SPDX-License-Identifier: Apache-2.0
// Writing and comparing; reading is parse.cpp. A slice that is a whole buffer is its name alone,
// which keeps lines short enough to compare by eye.
#include "harness/program/text.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace stepmark {
namespace {

std::string slice_text(const Program& program, const BufferSlice& slice) {
  if (slice.buffer < 0) return "-";
  const BufferDecl& buffer = program.buffers[static_cast<std::size_t>(slice.buffer)];
  if (slice.offset == 0 && slice.elements == buffer.elements) return buffer.name;
  return fmt::format("{}[{}+{}]", buffer.name, slice.offset, slice.elements);
}

std::string op_text(const Program& program, std::size_t index) {
  const Op& op = program.ops[index];
  std::vector<std::string> operands;
  for (const BufferSlice& slice : op.operands) operands.push_back(slice_text(program, slice));
  std::string line =
      fmt::format("op {} {} {} {} {{{}}} ({})", index,
                  program.streams[static_cast<std::size_t>(op.stream)], name_of(op.phase), op.label,
                  op.kernel ? to_text(*op.kernel) : to_text(*op.comm), fmt::join(operands, " "));
  if (!op.deps.empty()) line += fmt::format(" after {}", fmt::join(op.deps, " "));
  return line;
}

std::vector<std::string> lines_of(const Program& program) {
  std::vector<std::string> lines;
  lines.push_back(
      fmt::format("program rank={} world={} {}", program.rank, program.world_size, program.name));
  for (const std::string& stream : program.streams) lines.push_back("stream " + stream);
  for (const Group& group : program.groups) {
    lines.push_back(fmt::format("group {} index={} ranks={}", group.axis, group.index,
                                fmt::join(group.ranks, ",")));
  }
  for (const BufferDecl& buffer : program.buffers) {
    lines.push_back(fmt::format("buffer {} {} {} {}", buffer.name, name_of(buffer.kind),
                                name_of(buffer.dtype), buffer.elements));
  }
  for (std::size_t i = 0; i < program.ops.size(); ++i) lines.push_back(op_text(program, i));
  return lines;
}

}  // namespace

std::string to_text(const CommShape& shape) {
  std::string text = fmt::format("{} axis={} dtype={} op={} count={}", name_of(shape.verb),
                                 shape.axis, name_of(shape.dtype), name_of(shape.op), shape.count);
  if (shape.root >= 0) text += fmt::format(" root={}", shape.root);
  if (shape.send_peer >= 0) text += fmt::format(" send_peer={}", shape.send_peer);
  if (shape.recv_peer >= 0) text += fmt::format(" recv_peer={}", shape.recv_peer);
  if (!shape.send_counts.empty()) {
    text += fmt::format(" send_counts={}", fmt::join(shape.send_counts, ","));
  }
  if (!shape.recv_counts.empty()) {
    text += fmt::format(" recv_counts={}", fmt::join(shape.recv_counts, ","));
  }
  return text;
}

std::string to_text(const Program& program) {
  return fmt::format("{}\n", fmt::join(lines_of(program), "\n"));
}

std::vector<std::string> diff(const Program& a, const Program& b) {
  // Longest common subsequence would align insertions; programs of one role differ in place, so the
  // common head and tail are cut and the rest is shown as replaced.
  const std::vector<std::string> old_lines = lines_of(a);
  const std::vector<std::string> new_lines = lines_of(b);
  const std::size_t shorter = std::min(old_lines.size(), new_lines.size());
  std::vector<std::string> result;
  if (old_lines.size() == new_lines.size()) {
    for (std::size_t i = 0; i < shorter; ++i) {
      if (old_lines[i] == new_lines[i]) continue;
      result.push_back(fmt::format("- {}: {}", i + 1, old_lines[i]));
      result.push_back(fmt::format("+ {}: {}", i + 1, new_lines[i]));
    }
    return result;
  }
  std::size_t head = 0;
  while (head < shorter && old_lines[head] == new_lines[head]) ++head;
  std::size_t tail = 0;
  while (tail < shorter - head &&
         old_lines[old_lines.size() - 1 - tail] == new_lines[new_lines.size() - 1 - tail]) {
    ++tail;
  }
  for (std::size_t i = head; i + tail < old_lines.size(); ++i) {
    result.push_back(fmt::format("- {}: {}", i + 1, old_lines[i]));
  }
  for (std::size_t i = head; i + tail < new_lines.size(); ++i) {
    result.push_back(fmt::format("+ {}: {}", i + 1, new_lines[i]));
  }
  return result;
}

}  // namespace stepmark
