// SPDX-License-Identifier: Apache-2.0
// Readers with bounds that several families share. A mistake in a value found by a parser of units
// or plans is reported at its key in the file.
#include "harness/cases/entry_yaml.h"

#include <fmt/format.h>

#include "collectives/sweep.h"
#include "core/units.h"
#include "harness/spec/file_reference.h"
#include "harness/spec/plan.h"

namespace stepmark {

std::int64_t parse_positive_bytes(const std::string& text) {
  const std::int64_t bytes = parse_bytes(text);
  STEPMARK_REQUIRE(bytes > 0, "'{}': a size must be positive", text);
  return bytes;
}

std::vector<std::string> read_plans(YamlMap& map) {
  std::vector<std::string> plans = map.optional_strings("plan");
  for (const std::string& plan : plans) {
    try {
      (void)parse_plan(plan, {}, fmt::format("plan '{}'", plan));
    } catch (const Error& error) {
      map.fail("plan", error.message());
    }
  }
  return plans;
}

WorkloadPlans read_workload_plans(YamlMap& map) {
  WorkloadPlans of;
  of.workload = map.required_string("workload");
  of.place = map.place("workload");
  if (names_a_file(of.workload)) of.workload = relative_to_file(of.place.file, of.workload);
  of.plans = read_plans(map);
  if (of.plans.empty()) of.plans.emplace_back();
  return of;
}

void refuse_typed(const YamlMap& map, std::string_view instead,
                  std::initializer_list<std::string_view> keys) {
  for (const std::string_view key : keys) {
    if (!map.has(key)) continue;
    map.fail(key, fmt::format("with '{}', '{}' is taken from the program of the plan: leave out "
                              "one of them",
                              instead, key));
  }
}

std::vector<DType> read_dtypes(YamlMap& map) {
  auto dtypes = converted<DType>(map, "dtypes", dtype_from);
  if (dtypes.empty()) dtypes.push_back(DType::f32);
  return dtypes;
}

DType read_dtype(YamlMap& map) {
  return value_at(map, "dtype", "fp32", [&](const std::string& text) {
    const DType dtype = dtype_from(text);
    STEPMARK_REQUIRE(dtype == DType::f32 || dtype == DType::bf16,
                     "dtype '{}': expected fp32 or bf16", text);
    return dtype;
  });
}

void require_few(YamlMap& map, std::string_view key, std::initializer_list<std::size_t> lengths) {
  double cases = 1;
  for (const std::size_t length : lengths) cases *= static_cast<double>(length);
  if (cases <= static_cast<double>(kMaxSweepCases)) return;
  map.fail(key, fmt::format("this entry asks for {:.0f} cases; at most {}: take larger steps or "
                            "shorter lists",
                            cases, kMaxSweepCases));
}

}  // namespace stepmark
