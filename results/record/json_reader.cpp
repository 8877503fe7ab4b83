// SPDX-License-Identifier: Apache-2.0
// Depth is counted before parsing, as the parser recurses on the stack. Null numbers are NaN, which
// JSON cannot write; keys that were not asked for are an error, with the nearest known one.
#include "results/record/json_reader.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/error.h"
#include "core/utf8.h"
#include "core/yaml.h"  // nearest_name
#include "results/record/journal_limits.h"

namespace stepmark {

namespace {

std::string shown(const nlohmann::json& json) {
  if (json.is_object() || json.is_array()) {
    return fmt::format("{} of {}", json.type_name(), json.size());
  }
  std::string text = json.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
  if (text.size() > 40) {
    text = text.substr(0, 37) + "...";
  }
  return fmt::format("{} {}", json.type_name(), text);
}

}  // namespace

JsonReader::JsonReader(const nlohmann::json& json, std::string where)
    : json_(json), where_(std::move(where)) {
  STEPMARK_REQUIRE(json.is_object(), "{}: found {}, expected an object", where_, shown(json));
}

std::string JsonReader::place(std::string_view key) const {
  return fmt::format("{}.{}", where_, key);
}

void JsonReader::fail(std::string_view key, std::string_view expected) const {
  const auto found = json_.find(key);
  throw Error(ExitCode::kUsage,
              fmt::format("{}: found {}, expected {}", place(key),
                          found == json_.end() ? "nothing" : shown(*found), expected));
}

bool JsonReader::has(std::string_view key) const { return json_.contains(key); }

const nlohmann::json& JsonReader::any(std::string_view key) {
  asked_.emplace(key);
  const auto found = json_.find(key);
  if (found == json_.end()) {
    fail(key, "this key");
  }
  return *found;
}

const nlohmann::json& JsonReader::array(std::string_view key) {
  const auto& value = any(key);
  return value.is_array() ? value : (fail(key, "an array"), value);
}

const nlohmann::json& JsonReader::object(std::string_view key) {
  const auto& value = any(key);
  return value.is_object() ? value : (fail(key, "an object"), value);
}

std::string JsonReader::text(std::string_view key) {
  const auto& value = any(key);
  return value.is_string() ? value.get<std::string>() : (fail(key, "a string"), std::string{});
}

double JsonReader::number(std::string_view key) {
  const auto& value = any(key);
  if (value.is_null()) {
    return std::numeric_limits<double>::quiet_NaN();
  }
  return value.is_number() ? value.get<double>() : (fail(key, "a number or null"), 0.0);
}

std::int64_t JsonReader::integer(std::string_view key) {
  const auto& value = any(key);
  const bool fits = value.is_number_integer() &&
                    (!value.is_number_unsigned() ||
                     value.get<std::uint64_t>() <=
                         static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()));
  return fits ? value.get<std::int64_t>() : (fail(key, "an integer"), 0);
}

int JsonReader::small_integer(std::string_view key) {
  const auto value = integer(key);
  if (value < std::numeric_limits<int>::min() || value > std::numeric_limits<int>::max()) {
    fail(key, "an integer of 32 bits");
  }
  return static_cast<int>(value);
}

bool JsonReader::boolean(std::string_view key) {
  const auto& value = any(key);
  return value.is_boolean() ? value.get<bool>() : (fail(key, "true or false"), false);
}

std::vector<std::string> JsonReader::texts(std::string_view key) {
  std::vector<std::string> out;
  for (const auto& value : array(key)) {
    if (!value.is_string()) {
      fail(key, "an array of strings");
    }
    out.push_back(value.get<std::string>());
  }
  return out;
}

std::vector<double> JsonReader::numbers(std::string_view key) {
  const auto& values = array(key);
  std::vector<double> out;
  out.reserve(values.size());
  for (const auto& value : values) {
    if (!value.is_number() && !value.is_null()) {
      fail(key, "an array of numbers");
    }
    out.push_back(value.is_null() ? std::numeric_limits<double>::quiet_NaN() : value.get<double>());
  }
  return out;
}

void JsonReader::finish() const {
  for (const auto& [key, value] : json_.items()) {
    if (!asked_.contains(key)) {
      const std::vector<std::string> valid(asked_.begin(), asked_.end());
      const auto nearest = nearest_name(key, valid);
      throw Error(ExitCode::kUsage,
                  fmt::format("{}: unknown key{}", place(key),
                              nearest.empty() ? "" : fmt::format(", did you mean '{}'?", nearest)));
    }
  }
}

namespace {

// Of objects and arrays inside each other. Brackets in strings do not count.
int depth_of(std::string_view text) {
  int depth = 0;
  int deepest = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') {
        ++i;
      } else if (c == '"') {
        in_string = false;
      }
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      deepest = std::max(deepest, ++depth);
    } else if (c == '}' || c == ']') {
      --depth;
    }
  }
  return deepest;
}

}  // namespace

nlohmann::json parse_json(std::string_view text) {
  const int depth = depth_of(text);
  STEPMARK_REQUIRE(depth <= kMaxJsonDepth, "nested {} levels deep, at most {} are read", depth,
                   kMaxJsonDepth);
  try {
    return nlohmann::json::parse(text);
  } catch (const nlohmann::json::exception& error) {
    // "[json.exception.parse_error.101] parse error at line 1, column 7: ...": ours is the number.
    std::string_view what = error.what();
    what.remove_prefix(std::min(what.find("] ") + 2, what.size()));
    throw Error(ExitCode::kUsage, fmt::format("not JSON: {}", printable_line(what.substr(0, 200))));
  }
}

nlohmann::json number_or_null(double value) {
  return std::isfinite(value) ? nlohmann::json(value) : nlohmann::json(nullptr);
}

}  // namespace stepmark
