// SPDX-License-Identifier: Apache-2.0
// What entries of a suite's file have in common, read. Mistakes are ConfigErrors at their key.
// Internal to harness/cases.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "core/dtype.h"
#include "core/error.h"
#include "core/yaml.h"
#include "harness/cases/entry.h"

namespace stepmark {

// Texts of a list, each converted by `convert`; its errors are placed at the key.
template <class T, class Convert>
std::vector<T> converted(YamlMap& map, std::string_view key, Convert convert) {
  std::vector<T> result;
  for (const std::string& text : map.optional_strings(key)) {
    try {
      result.push_back(convert(text));
    } catch (const Error& error) {
      map.fail(key, error.message());
    }
  }
  return result;
}

// The text of a key, or the fallback, converted in the same way; without a fallback the key must be
// there.
template <class Convert>
auto value_at(YamlMap& map, std::string_view key, std::string_view fallback, Convert convert) {
  const std::string text =
      fallback.empty() ? map.required_string(key) : map.optional_string(key, fallback);
  try {
    return convert(text);
  } catch (const Error& error) {
    map.fail(key, error.message());
  }
}

[[nodiscard]] std::int64_t parse_positive_bytes(const std::string& text);
// Plans of the key `plan`, as they stand, once they are known to be some.
[[nodiscard]] std::vector<std::string> read_plans(YamlMap& map);
// The keys `workload` and `plan`; no plan: the workload's own.
[[nodiscard]] WorkloadPlans read_workload_plans(YamlMap& map);
// Of a form of an entry that the key `instead` asks for: what is typed in the other form is an
// error.
void refuse_typed(const YamlMap& map, std::string_view instead,
                  std::initializer_list<std::string_view> keys);
// The key `dtypes`; fp32 where it is not there.
[[nodiscard]] std::vector<DType> read_dtypes(YamlMap& map);
// The key `dtype` of what is computed with: fp32 or bf16.
[[nodiscard]] DType read_dtype(YamlMap& map);

// Verbs whose counts follow from one size, so that a program can hold them.
inline constexpr std::array<std::string_view, 6> kProgramVerbs{
    "all_reduce", "all_gather", "reduce_scatter", "all_to_all", "broadcast", "send_recv"};

// Lists multiply; a slip in one must not make more cases than anybody reads.
void require_few(YamlMap& map, std::string_view key, std::initializer_list<std::size_t> lengths);

// Runs `action`; errors of what a suite's file says get its place.
template <class Action>
void placed(const YamlPlace& place, Action action) {
  try {
    action();
  } catch (const Error& error) {
    if (place.file.empty()) throw;
    throw ConfigError(place.file, place.line, place.column, error.message());
  }
}

}  // namespace stepmark
