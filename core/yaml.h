// SPDX-License-Identifier: Apache-2.0
// Strict reading of YAML: every key must be asked for, every value must have the right type, and
// every mistake is a ConfigError "file:line:column: what was found, what was expected, nearest
// valid key". Usage:
//
//   YamlMap map = YamlDocument::read_file("w.yaml").map();
//   const auto layers = map.required_int("layers", {.min = 1});
//   const auto eps = map.optional_double("norm_eps", 1e-5);
//   map.finish();   // any key not asked for is an error
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace stepmark {

struct IntRange {
  std::int64_t min = std::numeric_limits<std::int64_t>::min();
  std::int64_t max = std::numeric_limits<std::int64_t>::max();
};
struct DoubleRange {
  double min = -std::numeric_limits<double>::infinity();
  double max = std::numeric_limits<double>::infinity();
};

// Candidate with the smallest edit distance (case-insensitive); empty if none is near, or if half
// of a short name differs and several candidates are as near.
[[nodiscard]] std::string nearest_name(std::string_view wrong, std::span<const std::string> valid);
// The same as the end of an error message: "; did you mean 'layers'?", or "; valid: a, b, c" when
// none is near.
[[nodiscard]] std::string nearest_hint(std::string_view wrong, std::span<const std::string> valid);
// The nearest of `free`, the valid names that are not given yet; else all `valid` ones.
[[nodiscard]] std::string nearest_hint(std::string_view wrong, std::span<const std::string> free,
                                       std::span<const std::string> valid);
// Which of the `present` names may have been meant to be `missing`: at most two edits away, so that
// 'kv_heads' is no misspelling of a missing 'heads'. Empty if none.
[[nodiscard]] std::string misspelling_of(std::string_view missing,
                                         std::span<const std::string> present);

// A place in a document, for errors that are found after reading.
struct YamlPlace {
  std::string file;
  int line = 0;  // line and column count from 1; 0: not known
  int column = 0;
};

// A map of the document. Cheap to copy: copies share what was asked for. has() makes a key known
// to suggestions but does not count as reading it.
class YamlMap {
 public:
  [[nodiscard]] bool has(std::string_view key) const;
  [[nodiscard]] std::int64_t required_int(std::string_view key, IntRange range = {});
  [[nodiscard]] std::int64_t optional_int(std::string_view key, std::int64_t fallback,
                                          IntRange range = {});
  [[nodiscard]] double required_double(std::string_view key, DoubleRange range = {});
  [[nodiscard]] double optional_double(std::string_view key, double fallback,
                                       DoubleRange range = {});
  [[nodiscard]] bool optional_bool(std::string_view key, bool fallback);
  [[nodiscard]] std::string required_string(std::string_view key);
  [[nodiscard]] std::string optional_string(std::string_view key, std::string_view fallback);
  // One of `allowed`; the error lists them and the nearest.
  [[nodiscard]] std::string required_choice(std::string_view key,
                                            std::span<const std::string_view> allowed);
  [[nodiscard]] std::string optional_choice(std::string_view key, std::string_view fallback,
                                            std::span<const std::string_view> allowed);
  // Lists: a scalar is accepted as a list of one.
  [[nodiscard]] std::vector<std::string> optional_strings(std::string_view key);
  [[nodiscard]] std::vector<std::int64_t> optional_ints(std::string_view key, IntRange range = {});
  [[nodiscard]] std::optional<YamlMap> optional_map(std::string_view key);
  [[nodiscard]] YamlMap required_map(std::string_view key);
  [[nodiscard]] std::vector<YamlMap> optional_maps(std::string_view key);
  // All keys present, in file order (for maps whose keys are names chosen by the user).
  [[nodiscard]] std::vector<std::string> keys() const;
  // Throws for the first key that nobody asked for.
  void finish() const;
  // Throws ConfigError at the place of `key` (or of the map itself when absent).
  [[noreturn]] void fail(std::string_view key, std::string_view message) const;
  // Where the value of `key` (or the map itself when absent) stands.
  [[nodiscard]] YamlPlace place(std::string_view key) const;

 private:
  friend class YamlDocument;
  struct State;
  explicit YamlMap(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;
};

class YamlDocument {
 public:
  // ConfigError on unreadable file, syntax errors, duplicate keys, a root that is not a map.
  [[nodiscard]] static YamlDocument read_file(const std::string& path);
  [[nodiscard]] static YamlDocument read_text(std::string_view text, std::string_view name);
  [[nodiscard]] YamlMap map() const;

 private:
  std::shared_ptr<YamlMap::State> root_;
};

}  // namespace stepmark
