// SPDX-License-Identifier: Apache-2.0
// The reading half of text.h. A line-oriented grammar with one cursor, so that every error has a
// line and a column.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "core/error.h"
#include "harness/program/text.h"

namespace stepmark {
namespace {

class LineParser {
 public:
  LineParser(std::string_view file, std::string_view line, int number)
      : file_(file), line_(line), number_(number) {}

  [[noreturn]] void fail(std::string_view expected) const {
    throw ConfigError(file_, number_, static_cast<int>(at_) + 1,
                      fmt::format("expected {}", expected));
  }
  [[nodiscard]] bool done() const { return at_ >= line_.size(); }
  [[nodiscard]] std::string_view ahead(std::string_view stops) const {
    return line_.substr(at_, line_.find_first_of(stops, at_) - at_);
  }

  std::string_view word(std::string_view what) { return until(" ", what); }

  // Text up to any of `stops`; swallows one following space.
  std::string_view until(std::string_view stops, std::string_view what) {
    const std::string_view text = ahead(stops);
    if (text.empty()) fail(what);
    at_ += text.size();
    (void)take(" ");
    return text;
  }
  std::string_view rest(std::string_view what) {
    if (done()) fail(what);
    const std::string_view text = line_.substr(at_);
    at_ = line_.size();
    return text;
  }
  void literal(std::string_view text) {
    if (line_.substr(at_, text.size()) != text) fail(fmt::format("'{}'", text));
    at_ += text.size();
  }
  [[nodiscard]] bool take(std::string_view text) {
    if (line_.substr(at_, text.size()) != text) return false;
    at_ += text.size();
    return true;
  }
  template <class T>
  T number(std::string_view what) {
    T value{};
    const char* begin = line_.data() + at_;
    const auto [end, error] = std::from_chars(begin, line_.data() + line_.size(), value);
    if (error != std::errc{}) fail(what);
    at_ += static_cast<std::size_t>(end - begin);
    return value;
  }
  // Runs `convert(text)` and places its Error here.
  template <class F>
  auto convert(std::string_view text, F f) {
    try {
      return f(text);
    } catch (const Error& error) {
      throw ConfigError(file_, number_, static_cast<int>(text.data() - line_.data()) + 1,
                        error.message());
    }
  }

 private:
  std::string_view file_;
  std::string_view line_;
  int number_;
  std::size_t at_ = 0;
};

template <class Enum, std::size_t N>
Enum enum_from(std::string_view text, const std::array<Enum, N>& values) {
  for (const Enum value : values) {
    if (name_of(value) == text) return value;
  }
  throw Error(ExitCode::kUsage, fmt::format("unknown name '{}'", text));
}

BufferKind buffer_kind_from(std::string_view text) {
  return enum_from(text, std::array{BufferKind::param, BufferKind::grad, BufferKind::optimizer,
                                    BufferKind::activation, BufferKind::workspace,
                                    BufferKind::input, BufferKind::scalar});
}

Phase phase_from(std::string_view text) {
  return enum_from(text, std::array{Phase::forward, Phase::loss, Phase::backward,
                                    Phase::gradient_sync, Phase::optimizer});
}

bool is_kernel(std::string_view name) {
  return std::any_of(all_ops().begin(), all_ops().end(),
                     [&](const OpInfo* info) { return info->name == name; });
}

std::vector<std::int64_t> count_list(LineParser& line) {
  std::vector<std::int64_t> counts;
  do {
    counts.push_back(line.number<std::int64_t>("a count"));
  } while (line.take(","));
  return counts;
}

CommShape parse_comm(LineParser& line) {
  CommShape shape;
  shape.kind = line.convert(line.until(" }", "an operation"), collective_from);
  line.literal("axis=");
  shape.axis = line.until(" }", "an axis");
  line.literal("dtype=");
  shape.dtype = line.convert(line.until(" }", "a dtype"), dtype_from);
  line.literal("op=");
  shape.op = line.convert(line.until(" }", "a reduction"), reduce_op_from);
  line.literal("count=");
  shape.count = line.number<std::int64_t>("a count");
  if (line.take(" send_peer=")) shape.send_peer = line.number<std::int32_t>("a rank");
  if (line.take(" recv_peer=")) shape.recv_peer = line.number<std::int32_t>("a rank");
  if (line.take(" send_counts=")) shape.send_counts = count_list(line);
  if (line.take(" recv_counts=")) shape.recv_counts = count_list(line);
  return shape;
}

BufferSlice parse_slice(LineParser& line, const Program& program) {
  const std::string_view name = line.ahead(" [)");
  const std::int32_t index = program.buffer_index(name);
  if (index < 0 && name != "-") line.fail(fmt::format("a declared buffer or '-', not '{}'", name));
  (void)line.until(" [)", "a buffer");
  if (index < 0) return {};
  BufferSlice slice{.buffer = index,
                    .offset = 0,
                    .elements = program.buffers[static_cast<std::size_t>(index)].elements};
  if (line.take("[")) {
    slice.offset = line.number<std::int64_t>("an offset");
    line.literal("+");
    slice.elements = line.number<std::int64_t>("a length");
    line.literal("]");
    (void)line.take(" ");
  }
  return slice;
}

void parse_op(LineParser& line, Program& program) {
  const auto index = line.number<std::size_t>("an op number");
  if (index != program.ops.size()) line.fail(fmt::format("op number {}", program.ops.size()));
  line.literal(" ");
  Op op;
  const std::string_view stream = line.ahead(" ");
  const auto found = std::find(program.streams.begin(), program.streams.end(), stream);
  if (found == program.streams.end()) line.fail(fmt::format("a declared stream, not '{}'", stream));
  (void)line.word("a stream");
  op.stream = static_cast<std::int32_t>(found - program.streams.begin());
  op.phase = line.convert(line.word("a phase"), phase_from);
  op.label = line.word("a label");
  line.literal("{");
  if (is_kernel(line.ahead(" }"))) {
    op.kernel = line.convert(line.until("}", "an operation"), op_shape_from_text);
  } else {
    op.comm = parse_comm(line);
  }
  line.literal("} (");
  while (!line.take(")")) {
    op.operands.push_back(parse_slice(line, program));
  }
  if (line.take(" after")) {
    while (line.take(" ")) op.deps.push_back(line.number<std::int32_t>("an op number"));
  }
  program.ops.push_back(std::move(op));
}

void parse_group(LineParser& line, Program& program) {
  Group group;
  group.axis = line.ahead(" ");
  for (const Group& other : program.groups) {
    if (other.axis == group.axis) line.fail("an axis without a group so far");
  }
  (void)line.word("an axis");
  line.literal("index=");
  group.index = line.number<std::int32_t>("an index");
  line.literal(" ranks=");
  do {
    group.ranks.push_back(line.number<std::int32_t>("a rank"));
  } while (line.take(","));
  program.groups.push_back(std::move(group));
}

void parse_buffer(LineParser& line, Program& program) {
  BufferDecl buffer;
  buffer.name = line.ahead(" ");
  if (program.buffer_index(buffer.name) >= 0) line.fail("a new buffer name");
  (void)line.word("a buffer name");
  buffer.kind = line.convert(line.word("a buffer kind"), buffer_kind_from);
  buffer.dtype = line.convert(line.word("a dtype"), dtype_from);
  buffer.elements = line.number<std::int64_t>("a number of elements");
  program.buffers.push_back(std::move(buffer));
}

// What the cursor let pass because it is clear (a slice of a whole buffer, lines in another order)
// but is not what to_text prints: one program has one text.
void check_canonical(const Program& program, std::string_view text, std::string_view name) {
  const std::string canonical = to_text(program);
  if (text == canonical) return;
  const auto at = static_cast<std::size_t>(
      std::mismatch(text.begin(), text.end(), canonical.begin(), canonical.end()).first -
      text.begin());
  const std::size_t line_begin = at == 0 ? 0 : text.rfind('\n', at - 1) + 1;
  const std::size_t line_end = std::min(canonical.find('\n', at), canonical.size());
  throw ConfigError(name, 1 + static_cast<int>(std::count(text.begin(), text.begin() + at, '\n')),
                    static_cast<int>(at - line_begin) + 1,
                    at == line_end
                        ? "expected the end of the line"
                        : fmt::format("expected '{}'", canonical.substr(at, line_end - at)));
}

}  // namespace

Program parse_program(std::string_view text, std::string_view name) {
  Program program;
  const std::string_view whole = text;
  int number = 0;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    LineParser line(name, text.substr(0, end), ++number);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (number == 1) {
      line.literal("program rank=");
      program.rank = line.number<std::int32_t>("a rank");
      line.literal(" world=");
      program.world_size = line.number<std::int32_t>("a world size");
      line.literal(" ");
      program.name = line.rest("a name");
    } else if (line.take("stream ")) {
      const auto& known = program.streams;
      if (std::find(known.begin(), known.end(), line.ahead(" ")) != known.end()) {
        line.fail("a new stream name");
      }
      program.streams.emplace_back(line.word("a stream name"));
    } else if (line.take("group ")) {
      parse_group(line, program);
    } else if (line.take("buffer ")) {
      parse_buffer(line, program);
    } else if (line.take("op ")) {
      parse_op(line, program);
    } else {
      line.fail("'stream', 'group', 'buffer' or 'op'");
    }
    if (!line.done()) line.fail("the end of the line");
  }
  if (number == 0) throw ConfigError(name, 1, 1, "expected 'program rank=...'");
  check_canonical(program, whole, name);
  return program;
}

}  // namespace stepmark
