// SPDX-License-Identifier: Apache-2.0
// The text form of a shape: "name dtype=D dim=... scalar=...", every field, in declared order.
#include <fmt/format.h>

#include <charconv>
#include <iterator>

#include "core/error.h"
#include "kernels/op.h"

namespace stepmark {
namespace {

// Takes the next blank-separated word off the front of `text`; empty at the end.
std::string_view take_word(std::string_view& text) {
  const auto begin = text.find_first_not_of(' ');
  if (begin == std::string_view::npos) {
    text = {};
    return {};
  }
  text.remove_prefix(begin);
  const std::string_view word = text.substr(0, text.find(' '));
  text.remove_prefix(word.size());
  return word;
}

// The value of the word "key=value", which must come next.
std::string_view take_value(std::string_view& text, std::string_view key, std::string_view op) {
  const std::string_view word = take_word(text);
  STEPMARK_REQUIRE(word.size() > key.size() && word.starts_with(key) && word[key.size()] == '=',
                   "op {}: expected '{}=...', found '{}'", op, key,
                   word.empty() ? "end of text" : word);
  return word.substr(key.size() + 1);
}

template <class T>
T to_number(std::string_view value, std::string_view key, std::string_view op) {
  T number{};
  const char* end = value.data() + value.size();
  const auto result = std::from_chars(value.data(), end, number);
  STEPMARK_REQUIRE(result.ec == std::errc{} && result.ptr == end,
                   "op {}: '{}' is not a number for {}", op, value, key);
  return number;
}

}  // namespace

std::string to_text(const OpShape& shape) {
  const OpInfo& info = info_of(shape.id);
  std::string text = fmt::format("{} dtype={}", info.name, name_of(shape.dtype));
  auto out = std::back_inserter(text);
  for (std::size_t i = 0; i < info.dim_names.size(); ++i) {
    fmt::format_to(out, " {}={}", info.dim_names[i], shape.dims[i]);
  }
  for (std::size_t i = 0; i < info.scalar_names.size(); ++i) {
    fmt::format_to(out, " {}={}", info.scalar_names[i], shape.scalars[i]);
  }
  return text;
}

OpShape op_shape_from_text(std::string_view text) {
  const std::string_view name = take_word(text);
  STEPMARK_REQUIRE(!name.empty(), "an op's text must start with its name");
  const OpInfo& info = info_of(op_from(name));
  OpShape shape{.id = info.id, .dtype = dtype_from(take_value(text, "dtype", name))};
  for (std::size_t i = 0; i < info.dim_names.size(); ++i) {
    const std::string_view key = info.dim_names[i];
    shape.dims[i] = to_number<std::int64_t>(take_value(text, key, name), key, name);
  }
  for (std::size_t i = 0; i < info.scalar_names.size(); ++i) {
    const std::string_view key = info.scalar_names[i];
    shape.scalars[i] = to_number<double>(take_value(text, key, name), key, name);
  }
  const std::string_view rest = take_word(text);
  STEPMARK_REQUIRE(rest.empty(), "op {}: unexpected '{}'", name, rest);
  validate_shape(shape);
  return shape;
}

}  // namespace stepmark
