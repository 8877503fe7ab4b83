// SPDX-License-Identifier: Apache-2.0
#include "harness/spec/suite.h"

#include <array>

#include "core/error.h"
#include "core/units.h"
#include "core/yaml.h"
#include "harness/spec/plan.h"

namespace stepmark {
namespace {

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

template <class Convert>
auto value_at(YamlMap& map, std::string_view key, std::string_view fallback, Convert convert) {
  const std::string text = map.optional_string(key, fallback);
  try {
    return convert(text);
  } catch (const Error& error) {
    map.fail(key, error.message());
  }
}

std::vector<DType> read_dtypes(YamlMap& map) {
  auto dtypes = converted<DType>(map, "dtypes", dtype_from);
  if (dtypes.empty()) dtypes.push_back(DType::f32);
  return dtypes;
}

KernelEntry read_kernel(YamlMap& map) {
  KernelEntry entry;
  entry.ops = converted<OpId>(map, "ops", op_from);
  if (entry.ops.empty()) {
    for (const OpInfo* info : all_ops()) entry.ops.push_back(info->id);
  }
  entry.dtypes = read_dtypes(map);
  if (map.has("max_bytes")) {
    entry.max_bytes = static_cast<double>(value_at(map, "max_bytes", "", parse_bytes));
  }
  entry.max_gflop = map.optional_double("max_gflop", entry.max_gflop, {.min = 0.0});
  return entry;
}

CollectiveEntry read_collective(YamlMap& map) {
  static constexpr std::array<std::string_view, 2> kPlacements{"in-place", "out-of-place"};
  CollectiveEntry entry;
  entry.kinds = converted<CollectiveKind>(map, "collectives", collective_from);
  if (entry.kinds.empty()) map.fail("collectives", "name at least one collective");
  entry.dtypes = read_dtypes(map);
  entry.ops = converted<ReduceOp>(map, "ops", reduce_op_from);
  if (entry.ops.empty()) entry.ops.push_back(ReduceOp::sum);
  entry.min_bytes = value_at(map, "min", "4KiB", parse_bytes);
  entry.max_bytes = value_at(map, "max", "16MiB", parse_bytes);
  if (entry.max_bytes < entry.min_bytes) map.fail("max", "max must not be below min");
  entry.factor = map.optional_int("factor", 2, {.min = 2});
  if (map.has("placement")) {
    const std::string placement = map.required_choice("placement", kPlacements);
    entry.in_place = placement == "in-place";
    entry.out_of_place = !entry.in_place;
  }
  return entry;
}

StepEntry read_step(YamlMap& map) {
  StepEntry entry;
  entry.workload = map.required_string("workload");
  entry.plans = map.optional_strings("plan");
  if (entry.plans.empty()) entry.plans.emplace_back();
  for (const std::string& plan : entry.plans) {
    try {
      (void)parse_plan(plan);
    } catch (const Error& error) {
      map.fail("plan", error.message());
    }
  }
  return entry;
}

}  // namespace

Suite read_suite(const std::string& path) {
  static constexpr std::array<std::string_view, 3> kFamilies{"kernel", "collective", "step"};
  YamlMap map = YamlDocument::read_file(path).map();
  Suite suite;
  suite.name = map.required_string("suite");
  suite.description = map.required_string("description");
  suite.budget_s = value_at(map, "budget", "2m", parse_seconds);
  suite.precision = value_at(map, "precision", "1%", parse_fraction);
  for (YamlMap& item : map.optional_maps("cases")) {
    const std::string family = item.required_choice("family", kFamilies);
    if (family == "kernel") {
      suite.entries.emplace_back(read_kernel(item));
    } else if (family == "collective") {
      suite.entries.emplace_back(read_collective(item));
    } else {
      suite.entries.emplace_back(read_step(item));
    }
    item.finish();
  }
  if (suite.entries.empty()) map.fail("cases", "a suite needs at least one case");
  map.finish();
  return suite;
}

}  // namespace stepmark
