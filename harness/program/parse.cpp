// SPDX-License-Identifier: Apache-2.0
// The reading half of text.h. A line-oriented grammar with one cursor, so that every error has a
// line and a column.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <unordered_map>

#include "core/error.h"
#include "harness/program/text.h"
#include "harness/spec/limits.h"

namespace stepmark {
namespace {

// Bounds of what a text may say: far beyond any step, and exact in 64 bits in every later product.
constexpr std::size_t kMaxText = std::size_t{1} << 28;  // bytes
constexpr std::size_t kMaxStreams = 256;
constexpr std::size_t kMaxGroups = 64;

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
  // The same from `min` to `max`; the error says so.
  template <class T>
  T number(std::string_view what, T min, T max) {
    const std::size_t begin = at_;
    const T value = number<T>(what);
    if (value >= min && value <= max) return value;
    at_ = begin;
    fail(fmt::format("{} from {} to {}", what, min, max));
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

std::int32_t rank_number(LineParser& line, std::string_view what) {
  return line.number<std::int32_t>(what, 0, static_cast<std::int32_t>(kMaxRanks) - 1);
}

std::vector<std::int64_t> count_list(LineParser& line) {
  std::vector<std::int64_t> counts;
  do {
    counts.push_back(line.number<std::int64_t>("a count", 0, kMaxElements));
  } while (line.take(","));
  return counts;
}

CommShape parse_comm(LineParser& line) {
  CommShape shape;
  shape.verb = line.convert(line.until(" }", "an operation"), verb_from);
  line.literal("axis=");
  shape.axis = line.until(" }", "an axis");
  line.literal("dtype=");
  shape.dtype = line.convert(line.until(" }", "a dtype"), dtype_from);
  line.literal("op=");
  shape.op = line.convert(line.until(" }", "a reduction"), reduce_op_from);
  line.literal("count=");
  shape.count = line.number<std::int64_t>("a count", 0, kMaxElements);
  if (line.take(" root=")) shape.root = rank_number(line, "a rank");
  if (line.take(" send_peer=")) shape.send_peer = rank_number(line, "a rank");
  if (line.take(" recv_peer=")) shape.recv_peer = rank_number(line, "a rank");
  if (line.take(" send_counts=")) shape.send_counts = count_list(line);
  if (line.take(" recv_counts=")) shape.recv_counts = count_list(line);
  return shape;
}

// Buffers by name while a program is read: it may have many.
using BufferNames = std::unordered_map<std::string, std::int32_t>;

BufferSlice parse_slice(LineParser& line, const Program& program, const BufferNames& names) {
  const std::string name(line.ahead(" [)"));
  const auto known = names.find(name);
  const std::int32_t index = known == names.end() ? -1 : known->second;
  if (index < 0 && name != "-") line.fail(fmt::format("a declared buffer or '-', not '{}'", name));
  (void)line.until(" [)", "a buffer");
  if (index < 0) return {};
  BufferSlice slice{.buffer = index,
                    .offset = 0,
                    .elements = program.buffers[static_cast<std::size_t>(index)].elements};
  if (line.take("[")) {
    slice.offset = line.number<std::int64_t>("an offset", 0, kMaxElements);
    line.literal("+");
    slice.elements = line.number<std::int64_t>("a length", 0, kMaxElements);
    line.literal("]");
    (void)line.take(" ");
  }
  return slice;
}

void parse_op(LineParser& line, Program& program, const BufferNames& names) {
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
    op.operands.push_back(parse_slice(line, program, names));
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
  if (program.groups.size() == kMaxGroups) line.fail(fmt::format("at most {} groups", kMaxGroups));
  (void)line.word("an axis");
  line.literal("index=");
  group.index = rank_number(line, "an index");
  line.literal(" ranks=");
  do {
    group.ranks.push_back(rank_number(line, "a rank"));
  } while (line.take(","));
  program.groups.push_back(std::move(group));
}

void parse_buffer(LineParser& line, Program& program, BufferNames& names) {
  BufferDecl buffer;
  buffer.name = line.ahead(" ");
  if (!names.emplace(buffer.name, static_cast<std::int32_t>(names.size())).second) {
    line.fail("a new buffer name");
  }
  (void)line.word("a buffer name");
  buffer.kind = line.convert(line.word("a buffer kind"), buffer_kind_from);
  buffer.dtype = line.convert(line.word("a dtype"), dtype_from);
  buffer.elements = line.number<std::int64_t>("a number of elements", 0, kMaxElements);
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
  if (text.size() > kMaxText) {
    throw ConfigError(name, 0, 0, fmt::format("longer than {} bytes", kMaxText));
  }
  Program program;
  BufferNames buffers;
  const std::string_view whole = text;
  int number = 0;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    LineParser line(name, text.substr(0, end), ++number);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (number == 1) {
      line.literal("program rank=");
      program.rank = rank_number(line, "a rank");
      line.literal(" world=");
      program.world_size = line.number<std::int32_t>("a world size", 1, kMaxRanks);
      line.literal(" ");
      program.name = line.rest("a name");
    } else if (line.take("stream ")) {
      const auto& known = program.streams;
      if (std::find(known.begin(), known.end(), line.ahead(" ")) != known.end()) {
        line.fail("a new stream name");
      }
      if (known.size() == kMaxStreams) line.fail(fmt::format("at most {} streams", kMaxStreams));
      program.streams.emplace_back(line.word("a stream name"));
    } else if (line.take("group ")) {
      parse_group(line, program);
    } else if (line.take("buffer ")) {
      parse_buffer(line, program, buffers);
    } else if (line.take("op ")) {
      parse_op(line, program, buffers);
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
