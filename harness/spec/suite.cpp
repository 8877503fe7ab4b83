// SPDX-License-Identifier: Apache-2.0
#include "harness/spec/suite.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <initializer_list>
#include <optional>
#include <utility>

#include "collectives/sweep.h"
#include "core/error.h"
#include "core/units.h"
#include "core/yaml.h"
#include "harness/spec/file_reference.h"
#include "harness/spec/forms.h"
#include "harness/spec/limits.h"
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

std::int64_t parse_positive_bytes(const std::string& text) {
  const std::int64_t bytes = parse_bytes(text);
  STEPMARK_REQUIRE(bytes > 0, "'{}': a size must be positive", text);
  return bytes;
}

double parse_positive_seconds(const std::string& text) {
  const double seconds = parse_seconds(text);
  STEPMARK_REQUIRE(seconds > 0, "'{}': a time must be positive", text);
  return seconds;
}

double parse_positive_fraction(const std::string& text) {
  const double fraction = parse_fraction(text);
  STEPMARK_REQUIRE(fraction > 0, "'{}': must be positive", text);
  return fraction;
}

// Plans of a list, as they stand, once they are known to be some.
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
  entry.place = map.place("dtypes");
  if (map.has("min_bytes")) {
    entry.min_bytes = static_cast<double>(value_at(map, "min_bytes", "", parse_positive_bytes));
  }
  if (map.has("max_bytes")) {
    entry.max_bytes = static_cast<double>(value_at(map, "max_bytes", "", parse_positive_bytes));
  }
  entry.max_gflop = map.optional_double("max_gflop", entry.max_gflop, {.min = 0.0, .max = 1e12});
  return entry;
}

// Sizes as a list, or from min to max by a factor or a step.
std::vector<std::int64_t> read_sizes(YamlMap& map) {
  constexpr std::array<std::string_view, 4> kRange{"min", "max", "factor", "step"};
  if (map.has("sizes")) {
    for (const std::string_view key : kRange) {
      if (map.has(key)) map.fail(key, fmt::format("give either sizes or {}", key));
    }
    auto sizes = converted<std::int64_t>(map, "sizes", parse_positive_bytes);
    if (sizes.empty()) map.fail("sizes", "name at least one size");
    return sizes;
  }
  const std::int64_t min = value_at(map, "min", "4KiB", parse_positive_bytes);
  const std::int64_t max = value_at(map, "max", "16MiB", parse_positive_bytes);
  if (max < min) map.fail(map.has("max") ? "max" : "min", "max must not be below min");
  if (map.has("factor") && map.has("step")) map.fail("step", "give either factor or step");
  try {
    if (map.has("step")) {
      return sizes_by_step(min, max, value_at(map, "step", "", parse_positive_bytes));
    }
    return sizes_by_factor(min, max, map.optional_double("factor", 2.0));
  } catch (const ConfigError&) {
    throw;
  } catch (const Error& error) {
    map.fail(map.has("step") ? "step" : "factor", error.message());
  }
}

// Lists multiply; a slip in one must not make more cases than anybody reads.
void require_few(YamlMap& map, std::string_view key, std::initializer_list<std::size_t> lengths) {
  double cases = 1;
  for (const std::size_t length : lengths) cases *= static_cast<double>(length);
  if (cases <= static_cast<double>(kMaxSweepCases)) return;
  map.fail(key, fmt::format("this entry asks for {:.0f} cases; at most {}: take larger steps or "
                            "shorter lists",
                            cases, kMaxSweepCases));
}

CollectiveEntry read_collective(YamlMap& map) {
  static constexpr std::array<std::string_view, 3> kPlacements{"in-place", "out-of-place", "both"};
  CollectiveEntry entry;
  entry.kinds = converted<CollectiveKind>(map, "collectives", collective_from);
  if (entry.kinds.empty()) map.fail("collectives", "name at least one collective");
  entry.dtypes = read_dtypes(map);
  entry.ops = converted<ReduceOp>(map, "ops", reduce_op_from);
  if (entry.ops.empty()) entry.ops.push_back(ReduceOp::sum);
  entry.sizes = read_sizes(map);
  const std::string placement = map.optional_choice("placement", "both", kPlacements);
  entry.in_place = placement != "out-of-place";
  entry.out_of_place = placement != "in-place";
  require_few(map, "collectives",
              {entry.kinds.size(), entry.dtypes.size(), entry.ops.size(), entry.sizes.size(),
               entry.in_place && entry.out_of_place ? 2U : 1U});
  return entry;
}

StepEntry read_step(YamlMap& map) {
  StepEntry entry;
  entry.workload = map.required_string("workload");
  entry.place = map.place("workload");
  if (names_a_file(entry.workload)) {
    entry.workload = relative_to_file(entry.place.file, entry.workload);
  }
  entry.plans = read_plans(map);
  if (entry.plans.empty()) entry.plans.emplace_back();
  return entry;
}

// Verbs whose counts follow from one size, so that a program can hold them.
constexpr std::array<std::string_view, 6> kProgramVerbs{
    "all_reduce", "all_gather", "reduce_scatter", "all_to_all", "broadcast", "send_recv"};

DType read_dtype(YamlMap& map) {
  return value_at(map, "dtype", "fp32", [&](const std::string& text) {
    const DType dtype = dtype_from(text);
    STEPMARK_REQUIRE(dtype == DType::f32 || dtype == DType::bf16,
                     "dtype '{}': expected fp32 or bf16", text);
    return dtype;
  });
}

GroupsEntry read_groups(YamlMap& map) {
  static constexpr std::array<std::string_view, 2> kAxes{"tp", "dp"};
  GroupsEntry entry;
  entry.plans = read_plans(map);
  if (entry.plans.empty()) map.fail("plan", "name at least one plan, as in [\"dp=2,tp=2\"]");
  YamlMap traffic = map.required_map("traffic");
  for (const std::string_view axis : kAxes) {
    std::optional<YamlMap> one = traffic.optional_map(axis);
    if (!one) continue;
    entry.traffic.push_back({.axis = std::string(axis),
                             .kind = collective_from(one->required_choice("op", kProgramVerbs)),
                             .bytes = value_at(*one, "bytes", "", parse_positive_bytes)});
    one->finish();
  }
  refuse_forms_not_built(traffic);
  traffic.finish();
  if (entry.traffic.empty()) map.fail("traffic", "name what at least one axis does (tp, dp)");
  entry.dtype = read_dtype(map);
  entry.calls = map.optional_int("calls", entry.calls, {.min = 1, .max = 1000});
  return entry;
}

OverlapEntry read_overlap(YamlMap& map) {
  static constexpr std::array<std::string_view, 2> kPriorities{"normal", "high"};
  OverlapEntry entry;
  YamlMap gemm = map.required_map("gemm");
  for (const auto& [key, dim] :
       {std::pair{"m", &entry.m}, std::pair{"n", &entry.n}, std::pair{"k", &entry.k}}) {
    *dim = gemm.required_int(key, {.min = 1, .max = 1 << 20});
  }
  gemm.finish();
  entry.dtype = read_dtype(map);
  entry.kinds = converted<CollectiveKind>(map, "collectives", [&](const std::string& text) {
    const CollectiveKind kind = collective_from(text);
    STEPMARK_REQUIRE(
        std::find(kProgramVerbs.begin(), kProgramVerbs.end(), text) != kProgramVerbs.end(),
        "'{}' cannot stand beside a product; expected {}", text, fmt::join(kProgramVerbs, ", "));
    return kind;
  });
  if (entry.kinds.empty()) map.fail("collectives", "name at least one collective");
  entry.bytes = converted<std::int64_t>(map, "bytes", parse_positive_bytes);
  if (entry.bytes.empty()) map.fail("bytes", "name at least one size");
  entry.max_ctas = map.optional_ints("max_ctas", {.min = 0, .max = 1024});
  if (entry.max_ctas.empty()) entry.max_ctas = {0};
  entry.occupy_ctas = map.optional_ints("occupy_ctas", {.min = 1, .max = 1024});
  if (entry.occupy_ctas.empty()) entry.occupy_ctas = {16};
  for (const std::string& text : map.optional_strings("priority")) {
    if (std::find(kPriorities.begin(), kPriorities.end(), text) == kPriorities.end()) {
      map.fail("priority", fmt::format("'{}': expected normal or high", text));
    }
    entry.priorities.push_back(text);
  }
  if (entry.priorities.empty()) entry.priorities = {"normal"};
  require_few(
      map, "collectives",
      {entry.kinds.size(), entry.bytes.size(), entry.max_ctas.size(), entry.priorities.size()});
  require_few(map, "occupy_ctas", {entry.occupy_ctas.size(), entry.priorities.size()});
  return entry;
}

double parse_budget(const std::string& text) {
  const double seconds = parse_positive_seconds(text);
  STEPMARK_REQUIRE(seconds <= kMaxSeconds, "'{}': at most 30 days (30d) can be asked for", text);
  return seconds;
}

}  // namespace

Suite read_suite(const std::string& path) {
  static constexpr std::array<std::string_view, 5> kFamilies{"kernel", "collective", "groups",
                                                             "overlap", "step"};
  YamlMap map = YamlDocument::read_file(path).map();
  Suite suite;
  suite.name = map.required_string("suite");
  suite.description = map.required_string("description");
  suite.budget_s = value_at(map, "budget", "2m", parse_budget);
  suite.precision = value_at(map, "precision", "1%", parse_positive_fraction);
  suite.repeat = static_cast<int>(map.optional_int("repeat", 1, {.min = 1, .max = 100}));
  for (YamlMap& item : map.optional_maps("cases")) {
    const std::string family = item.required_choice("family", kFamilies);
    if (family == "kernel") {
      suite.entries.emplace_back(read_kernel(item));
    } else if (family == "collective") {
      suite.entries.emplace_back(read_collective(item));
    } else if (family == "groups") {
      suite.entries.emplace_back(read_groups(item));
    } else if (family == "overlap") {
      suite.entries.emplace_back(read_overlap(item));
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
