// SPDX-License-Identifier: Apache-2.0
// Brackets are walked once, apart from parsing: that gives the line of each object, and where to
// close what a tool that died left open.
#include "results/import/json_source.h"

#include <algorithm>
#include <cmath>

#include "core/utf8.h"
#include "results/record/journal_limits.h"
#include "results/record/json_reader.h"

namespace stepmark {
namespace {

using nlohmann::json;

// Six decimals are what printf("%f") leaves; of a number that was parsed the digits are not known.
constexpr double kHalfUnit = 0.5e-6;
constexpr std::size_t kMostObjects = 1'000'000;  // whose lines are remembered
constexpr std::size_t kLongestText = 1024;

// Walks the brackets of a text, strings apart: what is open where.
class Brackets {
 public:
  explicit Brackets(std::string_view text) : text_(text) { walk(); }

  // Line of each object by its place.
  std::map<std::string, int, std::less<>> lines;
  std::size_t complete = 0;  // behind the last value that was closed
  std::string closers;       // of what was open there
  int depth = 0;             // the deepest

 private:
  struct Open {
    char closer;
    std::string place;
    std::size_t index = 0;  // of an array's next element
    std::string key = {};
  };

  void walk() {
    int line = 1;
    for (std::size_t i = 0; i < text_.size(); ++i) {
      const char c = text_[i];
      if (c == '\n') ++line;
      if (c == '"') {
        i = take_string(i, line);
      } else if (c == '{' || c == '[') {
        open(c, line);
        if (depth > kMaxJsonDepth) return;
      } else if ((c == '}' || c == ']') && !open_.empty()) {
        open_.pop_back();
        complete = i + 1;
        closers.clear();
        for (auto one = open_.rbegin(); one != open_.rend(); ++one) closers += one->closer;
      } else if (c == ',' && !open_.empty()) {
        ++open_.back().index;
      }
    }
  }

  // The position of its end.
  std::size_t take_string(std::size_t begin, int& line) {
    std::size_t i = begin + 1;
    for (; i < text_.size() && text_[i] != '"'; ++i) {
      if (text_[i] == '\n') ++line;
      if (text_[i] == '\\') ++i;
    }
    if (!open_.empty() && open_.back().closer == '}') {
      open_.back().key =
          std::string(text_.substr(begin + 1, std::min<std::size_t>(i - begin - 1, 64)));
    }
    return i;
  }

  void open(char c, int line) {
    std::string place;
    if (!open_.empty()) {
      const Open& around = open_.back();
      place =
          around.place + "/" + (around.closer == ']' ? std::to_string(around.index) : around.key);
    }
    if (c == '{' && lines.size() < kMostObjects) lines.emplace(place, line);
    open_.push_back({.closer = c == '{' ? '}' : ']', .place = std::move(place)});
    depth = std::max(depth, static_cast<int>(open_.size()));
  }

  std::string_view text_;
  std::vector<Open> open_;
};

int line_at(std::string_view text, std::size_t byte) {
  const auto until = text.substr(0, std::min(byte, text.size()));
  return 1 + static_cast<int>(std::count(until.begin(), until.end(), '\n'));
}

}  // namespace

JsonSource::JsonSource(const ImportSource& source) {
  const std::string_view text = source.content;
  Brackets brackets(text);
  if (brackets.depth > kMaxJsonDepth) {
    refuse_import(source, 0, "nested more than {} levels deep: no tool's results", kMaxJsonDepth);
  }
  lines_ = std::move(brackets.lines);
  try {
    root_ = json::parse(text);
  } catch (const json::parse_error& error) {
    // What ends before its brackets do was cut, or its tool died: whole values of it are read.
    const bool ends_early = error.byte + 1 >= text.size() && !brackets.closers.empty();
    if (!ends_early) {
      refuse_import(
          source, line_at(text, error.byte),
          "no JSON here: expected the whole file as the tool wrote it, without lines of a "
          "log around it");
    }
    try {
      root_ = json::parse(std::string(text.substr(0, brackets.complete)) + brackets.closers);
    } catch (const json::exception&) {
      refuse_import(source, line_at(text, error.byte),
                    "the file ends early, and nothing in it is "
                    "whole: make it again");
    }
    cut_ = true;
  } catch (const json::exception& error) {
    refuse_import(source, 0, "not JSON: {}",
                  printable_line(std::string_view(error.what()).substr(0, 200)));
  }
}

int JsonSource::line(std::string_view pointer) const {
  while (true) {
    const auto found = lines_.find(pointer);
    if (found != lines_.end()) return found->second;
    const auto cut = pointer.rfind('/');
    if (cut == std::string_view::npos) return 1;
    pointer = pointer.substr(0, cut);
  }
}

const json* JsonSource::find(const json& object, const char* key) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(key);
  return found == object.end() ? nullptr : &*found;
}

std::string JsonSource::text(const json& object, const char* key) {
  const json* value = find(object, key);
  if (value == nullptr || !value->is_string()) return {};
  return valid_utf8(trimmed(value->get_ref<const std::string&>()).substr(0, kLongestText));
}

std::optional<PrintedNumber> JsonSource::number(const json& object, const char* key) {
  const json* value = find(object, key);
  if (value == nullptr) return std::nullopt;
  if (value->is_string()) return printed_number(trimmed(value->get_ref<const std::string&>()));
  if (!value->is_number()) return std::nullopt;
  const double number = value->get<double>();
  if (!std::isfinite(number) || number < 0) return std::nullopt;
  return PrintedNumber{.value = number, .half_unit = kHalfUnit};
}

std::optional<std::int64_t> JsonSource::whole(const json& object, const char* key) {
  const json* value = find(object, key);
  if (value == nullptr) return std::nullopt;
  if (value->is_string()) return whole_number(trimmed(value->get_ref<const std::string&>()));
  if (value->is_number_unsigned()) {
    const auto number = value->get<std::uint64_t>();
    return number <= std::uint64_t{1} << 62U ? std::optional<std::int64_t>(number) : std::nullopt;
  }
  if (value->is_number_integer()) return value->get<std::int64_t>();
  return std::nullopt;
}

std::string JsonSource::shown(const json& object, const char* key) {
  const json* value = find(object, key);
  if (value == nullptr) return "nothing";
  const bool scalar = value->is_primitive();
  return scalar ? printable_line(value->is_string()
                                     ? value->get_ref<const std::string&>().substr(0, 40)
                                     : value->dump())
                : std::string(value->type_name());
}

}  // namespace stepmark
