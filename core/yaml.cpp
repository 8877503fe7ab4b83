// SPDX-License-Identifier: Apache-2.0
// On yaml-cpp, whose nodes keep their place in the file. One walk over the tree at the start checks
// keys, duplicates and bounds (depth, values with aliases expanded), since a small file can
// describe an endless tree; keys that are read are remembered, and the rest is an error.
#include "core/yaml.h"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <system_error>
#include <type_traits>
#include <utility>

#include "core/error.h"
#include "core/utf8.h"

namespace stepmark {
namespace {

// Bounds on what a configuration file may be: aliases can make a small text describe a huge or
// endless tree.
constexpr int kMaxDepth = 64;
constexpr int kMaxNodes = 100'000;
constexpr std::size_t kMaxBytes = std::size_t{1} << 20;
constexpr std::size_t kMaxText = 4096;  // of one key or value: texts become names and ids

[[noreturn]] void fail_at(const std::string& file, const YAML::Mark& mark,
                          std::string_view message) {
  if (mark.is_null()) throw ConfigError(file, 0, 0, message);
  throw ConfigError(file, mark.line + 1, mark.column + 1, message);
}

std::string shortened(const std::string& text) {
  constexpr std::size_t kLongest = 60;
  return text.size() <= kLongest ? text : text.substr(0, kLongest) + "...";
}

std::string describe(const YAML::Node& node) {
  switch (node.Type()) {
    case YAML::NodeType::Scalar:
      return fmt::format("'{}'", shortened(node.Scalar()));
    case YAML::NodeType::Sequence:
      return "a list";
    case YAML::NodeType::Map:
      return "a map";
    case YAML::NodeType::Undefined:
    case YAML::NodeType::Null:
      break;
  }
  return "nothing";
}

// Quoted scalars are strings and nothing else.
bool is_plain(const YAML::Node& node) { return node.IsScalar() && node.Tag() != "!"; }

template <class T>
std::optional<T> parse_number(const YAML::Node& node) {
  if (!is_plain(node)) return std::nullopt;
  std::string_view text = node.Scalar();
  if (text.starts_with('+')) text.remove_prefix(1);
  if (text.starts_with("+") || text.starts_with("-+")) return std::nullopt;
  T value{};
  const auto [rest, status] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (status != std::errc{} || rest != text.data() + text.size()) return std::nullopt;
  return value;
}

std::string range_text(auto range) {
  using Number = decltype(range.min);
  const bool low = range.min != decltype(range){}.min;
  const bool high = range.max != decltype(range){}.max;
  static_assert(std::is_arithmetic_v<Number>);
  if (low && high) return fmt::format(" from {} to {}", range.min, range.max);
  if (low) return fmt::format(" of at least {}", range.min);
  if (high) return fmt::format(" of at most {}", range.max);
  return "";
}

// Walks the whole tree once: scalar keys, no duplicates, bounded size.
class Checker {
 public:
  explicit Checker(const std::string& file) : file_(file) {}

  void check(const YAML::Node& node, int depth) {
    if (depth > kMaxDepth) {
      fail_at(file_, node.Mark(),
              fmt::format("nested too deeply, expected at most {} levels", kMaxDepth));
    }
    if (++nodes_ > kMaxNodes) {
      fail_at(file_, node.Mark(),
              fmt::format("too large once aliases are expanded: over {} values", kMaxNodes));
    }
    if (node.IsScalar()) check_length(node);
    if (node.IsSequence()) {
      for (const auto& item : node) check(item, depth + 1);
    } else if (node.IsMap()) {
      check_keys(node);
      for (const auto& entry : node) check(entry.second, depth + 1);
    }
  }

 private:
  void check_length(const YAML::Node& scalar) const {
    if (scalar.Scalar().size() <= kMaxText) return;
    fail_at(file_, scalar.Mark(),
            fmt::format("found {} of {} characters, expected at most {}", describe(scalar),
                        scalar.Scalar().size(), kMaxText));
  }

  void check_keys(const YAML::Node& map) const {
    std::vector<std::string> seen;
    for (const auto& entry : map) {
      if (!entry.first.IsScalar()) {
        fail_at(file_, entry.first.Mark(),
                fmt::format("a key must be a word, not {}", describe(entry.first)));
      }
      check_length(entry.first);
      seen.push_back(entry.first.Scalar());
    }
    std::vector<std::string> sorted = seen;
    std::sort(sorted.begin(), sorted.end());
    if (std::adjacent_find(sorted.begin(), sorted.end()) == sorted.end()) return;
    report_duplicate(map);
  }

  [[noreturn]] void report_duplicate(const YAML::Node& map) const {
    std::vector<std::pair<std::string, YAML::Mark>> seen;
    for (const auto& entry : map) {
      const std::string key = entry.first.Scalar();
      for (const auto& [earlier, mark] : seen) {
        if (earlier != key) continue;
        fail_at(
            file_, entry.first.Mark(),
            fmt::format("duplicate key '{}' (first on line {})", shortened(key), mark.line + 1));
      }
      seen.emplace_back(key, entry.first.Mark());
    }
    fail_at(file_, map.Mark(), "duplicate key");
  }

  const std::string& file_;
  int nodes_ = 0;
};

// YAML is Unicode, and names of a file end up in journals and pages.
void require_utf8(std::string_view text, const std::string& file) {
  const auto bad = first_invalid_utf8(text);
  if (!bad) return;
  const std::string_view before = text.substr(0, *bad);
  const auto line = std::count(before.begin(), before.end(), '\n') + 1;
  const std::size_t begin = before.rfind('\n') + 1;  // npos + 1 is 0
  const auto column = 1 + std::count_if(before.begin() + static_cast<std::ptrdiff_t>(begin),
                                        before.end(), [](char c) { return (c & 0xC0) != 0x80; });
  throw ConfigError(
      file, static_cast<int>(line), static_cast<int>(column),
      fmt::format("found the byte 0x{:02x}, which is not UTF-8; expected a file in UTF-8 (from "
                  "Latin-1: iconv -f latin1 -t utf8)",
                  static_cast<unsigned char>(text[*bad])));
}

// Receives a document and keeps only where it began.
class StartOnly final : public YAML::EventHandler {
 public:
  [[nodiscard]] const YAML::Mark& start() const { return start_; }
  void OnDocumentStart(const YAML::Mark& mark) override { start_ = mark; }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
  void OnAlias(const YAML::Mark&, YAML::anchor_t) override {}
  void OnScalar(const YAML::Mark&, const std::string&, YAML::anchor_t,
                const std::string&) override {}
  void OnSequenceStart(const YAML::Mark&, const std::string&, YAML::anchor_t,
                       YAML::EmitterStyle::value) override {}
  void OnSequenceEnd() override {}
  void OnMapStart(const YAML::Mark&, const std::string&, YAML::anchor_t,
                  YAML::EmitterStyle::value) override {}
  void OnMapEnd() override {}

 private:
  YAML::Mark start_ = YAML::Mark::null_mark();
};

// The one document of the text. Not YAML::LoadAll, which never returns on some malformed texts.
YAML::Node parse(const std::string& text, const std::string& name) {
  try {
    std::istringstream stream(text);
    YAML::Parser parser(stream);
    StartOnly first;
    StartOnly second;
    if (parser.HandleNextDocument(first) && parser.HandleNextDocument(second)) {
      fail_at(name, second.start(), "more than one YAML document in the file");
    }
    return YAML::Load(text);
  } catch (const YAML::Exception& error) {
    fail_at(name, error.mark, error.msg);
  }
}

}  // namespace

struct YamlMap::State {
  std::string file;
  YAML::Node node;
  std::vector<std::string> known;  // asked for by has() or a read, in that order
  std::vector<std::string> read;

  static void remember(std::vector<std::string>& names, std::string_view key) {
    if (std::find(names.begin(), names.end(), key) == names.end()) names.emplace_back(key);
  }

  struct Entry {
    YAML::Node key;
    YAML::Node value;
    // Of the value; an empty value has none of its own.
    [[nodiscard]] YAML::Mark mark() const { return value.IsNull() ? key.Mark() : value.Mark(); }
  };

  [[nodiscard]] std::optional<Entry> find(std::string_view key) const {
    for (const auto& entry : node) {
      if (entry.first.Scalar() == key) return Entry{entry.first, entry.second};
    }
    return std::nullopt;
  }

  // A name that is already given cannot be what was meant.
  [[nodiscard]] std::vector<std::string> free_names() const {
    std::vector<std::string> names;
    for (const std::string& name : known) {
      if (!find(name)) names.push_back(name);
    }
    return names;
  }

  [[nodiscard]] std::optional<Entry> take(std::string_view key) {
    remember(known, key);
    remember(read, key);
    return find(key);
  }

  [[nodiscard]] Entry need(std::string_view key) {
    auto entry = take(key);
    if (entry) return *entry;
    // A misspelt key is the likelier mistake than a forgotten one.
    std::vector<std::string> present;
    for (const auto& other : node) {
      const std::string name = other.first.Scalar();
      if (std::find(read.begin(), read.end(), name) == read.end()) present.push_back(name);
    }
    const std::string near = misspelling_of(key, present);
    fail_at(file, node.Mark(),
            near.empty()
                ? fmt::format("missing key '{}'", key)
                : fmt::format("missing key '{}' (is '{}' a misspelling of it?)", key, near));
  }

  [[noreturn]] void wrong(std::string_view key, const YAML::Node& value, const YAML::Mark& mark,
                          std::string_view expected) const {
    fail_at(file, mark, fmt::format("{}: found {}, expected {}", key, describe(value), expected));
  }

  [[nodiscard]] std::int64_t to_int(std::string_view key, const YAML::Node& value,
                                    const YAML::Mark& mark, IntRange range) const {
    const auto number = parse_number<std::int64_t>(value);
    if (!number || *number < range.min || *number > range.max) {
      wrong(key, value, mark, "a whole number" + range_text(range));
    }
    return *number;
  }

  [[nodiscard]] double to_double(std::string_view key, const Entry& entry,
                                 DoubleRange range) const {
    const auto number = parse_number<double>(entry.value);
    // Also refuses "inf" and "nan", which from_chars would take.
    if (!number || !std::isfinite(*number) || *number < range.min || *number > range.max) {
      wrong(key, entry.value, entry.mark(), "a number" + range_text(range));
    }
    return *number;
  }

  [[nodiscard]] std::string to_text(std::string_view key, const YAML::Node& value,
                                    const YAML::Mark& mark) const {
    if (!value.IsScalar()) wrong(key, value, mark, "a text");
    return value.Scalar();
  }

  [[nodiscard]] std::string to_choice(std::string_view key, const Entry& entry,
                                      std::span<const std::string_view> allowed) const {
    std::string text = to_text(key, entry.value, entry.mark());
    if (std::find(allowed.begin(), allowed.end(), text) != allowed.end()) return text;
    const std::vector<std::string> valid(allowed.begin(), allowed.end());
    const std::string nearest = nearest_name(text, valid);
    wrong(key, entry.value, entry.mark(),
          fmt::format("one of {}{}", fmt::join(allowed, ", "),
                      nearest.empty() ? "" : fmt::format("; did you mean '{}'?", nearest)));
  }

  [[nodiscard]] std::shared_ptr<State> to_map(std::string_view key, const YAML::Node& value,
                                              const YAML::Mark& mark) const {
    if (!value.IsMap()) wrong(key, value, mark, "a map");
    return std::make_shared<State>(State{file, value, {}, {}});
  }

  // Calls use(node, mark) for each item of a list, or once for a scalar or map standing alone.
  template <class F>
  static void for_each_item(const std::optional<Entry>& entry, F use) {
    if (!entry) return;
    if (!entry->value.IsSequence()) return use(entry->value, entry->mark());
    for (const auto& item : entry->value) {
      use(item, item.IsNull() ? entry->mark() : item.Mark());
    }
  }
};

YamlMap::YamlMap(std::shared_ptr<State> state) : state_(std::move(state)) {}

bool YamlMap::has(std::string_view key) const {
  State::remember(state_->known, key);
  return state_->find(key).has_value();
}

std::int64_t YamlMap::required_int(std::string_view key, IntRange range) {
  const auto entry = state_->need(key);
  return state_->to_int(key, entry.value, entry.mark(), range);
}

std::int64_t YamlMap::optional_int(std::string_view key, std::int64_t fallback, IntRange range) {
  const auto entry = state_->take(key);
  return entry ? state_->to_int(key, entry->value, entry->mark(), range) : fallback;
}

double YamlMap::required_double(std::string_view key, DoubleRange range) {
  return state_->to_double(key, state_->need(key), range);
}

double YamlMap::optional_double(std::string_view key, double fallback, DoubleRange range) {
  const auto entry = state_->take(key);
  return entry ? state_->to_double(key, *entry, range) : fallback;
}

bool YamlMap::optional_bool(std::string_view key, bool fallback) {
  const auto entry = state_->take(key);
  if (!entry) return fallback;
  if (is_plain(entry->value) && entry->value.Scalar() == "true") return true;
  if (is_plain(entry->value) && entry->value.Scalar() == "false") return false;
  state_->wrong(key, entry->value, entry->mark(), "true or false");
}

std::string YamlMap::required_string(std::string_view key) {
  const auto entry = state_->need(key);
  return state_->to_text(key, entry.value, entry.mark());
}

std::string YamlMap::optional_string(std::string_view key, std::string_view fallback) {
  const auto entry = state_->take(key);
  return entry ? state_->to_text(key, entry->value, entry->mark()) : std::string(fallback);
}

std::string YamlMap::required_choice(std::string_view key,
                                     std::span<const std::string_view> allowed) {
  return state_->to_choice(key, state_->need(key), allowed);
}

std::string YamlMap::optional_choice(std::string_view key, std::string_view fallback,
                                     std::span<const std::string_view> allowed) {
  const auto entry = state_->take(key);
  return entry ? state_->to_choice(key, *entry, allowed) : std::string(fallback);
}

std::vector<std::string> YamlMap::optional_strings(std::string_view key) {
  std::vector<std::string> out;
  State::for_each_item(state_->take(key), [&](const YAML::Node& item, const YAML::Mark& mark) {
    out.push_back(state_->to_text(key, item, mark));
  });
  return out;
}

std::vector<std::int64_t> YamlMap::optional_ints(std::string_view key, IntRange range) {
  std::vector<std::int64_t> out;
  State::for_each_item(state_->take(key), [&](const YAML::Node& item, const YAML::Mark& mark) {
    out.push_back(state_->to_int(key, item, mark, range));
  });
  return out;
}

std::optional<YamlMap> YamlMap::optional_map(std::string_view key) {
  const auto entry = state_->take(key);
  if (!entry) return std::nullopt;
  return YamlMap(state_->to_map(key, entry->value, entry->mark()));
}

YamlMap YamlMap::required_map(std::string_view key) {
  const auto entry = state_->need(key);
  return YamlMap(state_->to_map(key, entry.value, entry.mark()));
}

std::vector<YamlMap> YamlMap::optional_maps(std::string_view key) {
  std::vector<YamlMap> out;
  State::for_each_item(state_->take(key), [&](const YAML::Node& item, const YAML::Mark& mark) {
    out.push_back(YamlMap(state_->to_map(key, item, mark)));
  });
  return out;
}

std::vector<std::string> YamlMap::keys() const {
  std::vector<std::string> out;
  for (const auto& entry : state_->node) out.push_back(entry.first.Scalar());
  return out;
}

void YamlMap::finish() const {
  const auto& read = state_->read;
  for (const auto& entry : state_->node) {
    const std::string key = entry.first.Scalar();
    if (std::find(read.begin(), read.end(), key) != read.end()) continue;
    fail_at(state_->file, entry.first.Mark(),
            fmt::format("unknown key '{}'{}", shortened(key),
                        nearest_hint(key, state_->free_names(), state_->known)));
  }
}

void YamlMap::fail(std::string_view key, std::string_view message) const {
  const auto entry = state_->find(key);
  fail_at(state_->file, entry ? entry->key.Mark() : state_->node.Mark(), message);
}

YamlPlace YamlMap::place(std::string_view key) const {
  const auto entry = state_->find(key);
  const YAML::Mark mark = entry ? entry->mark() : state_->node.Mark();
  if (mark.is_null()) return {.file = state_->file};
  return {.file = state_->file, .line = mark.line + 1, .column = mark.column + 1};
}

YamlDocument YamlDocument::read_file(const std::string& path) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) {
    throw ConfigError(path, 0, 0, "is a directory, expected a .yaml file");
  }
  errno = 0;
  std::ifstream stream(path, std::ios::binary);
  // One byte more than is allowed: what has no end, such as a device, is not read to it.
  std::string text(kMaxBytes + 1, '\0');
  stream.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(stream.gcount()));
  if (!stream.is_open() || stream.bad()) {
    throw ConfigError(path, 0, 0,
                      fmt::format("cannot read: {}", std::generic_category().message(errno)));
  }
  return read_text(text, path);
}

YamlDocument YamlDocument::read_text(std::string_view text, std::string_view name) {
  const std::string file(name);
  if (text.size() > kMaxBytes) {
    throw ConfigError(file, 0, 0,
                      fmt::format("longer than {} bytes, which no configuration is", kMaxBytes));
  }
  require_utf8(text, file);
  const YAML::Node root = parse(std::string(text), file);
  if (root.IsNull()) throw ConfigError(file, 0, 0, "found nothing, expected a map of keys");
  if (!root.IsMap()) {
    fail_at(file, root.Mark(), fmt::format("found {}, expected a map of keys", describe(root)));
  }
  Checker(file).check(root, 0);
  YamlDocument document;
  document.root_ = std::make_shared<YamlMap::State>(YamlMap::State{file, root, {}, {}});
  return document;
}

YamlMap YamlDocument::map() const { return YamlMap(root_); }

}  // namespace stepmark
