// SPDX-License-Identifier: Apache-2.0
#include "collectives/sweep.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "core/units.h"

namespace stepmark {
namespace {

// Exact, unlike format_bytes: names must differ wherever sizes do.
std::string exact_size(std::int64_t bytes) {
  for (const auto& [unit, name] : {std::pair{kGiB, "GiB"}, {kMiB, "MiB"}, {kKiB, "KiB"}}) {
    if (bytes >= unit && bytes % unit == 0) return fmt::format("{}{}", bytes / unit, name);
  }
  return fmt::format("{}B", bytes);
}

std::vector<bool> placements(const SweepSpec& spec, const Collective& collective) {
  std::vector<bool> in_place;
  if (spec.out_of_place) in_place.push_back(false);
  if (spec.in_place && collective.supports_in_place) in_place.push_back(true);
  return in_place;
}

void add_cases(const SweepSpec& spec, const Collective& collective, std::vector<SweepCase>& cases) {
  const std::vector<ReduceOp> no_op{ReduceOp::sum};
  const auto sizes = sweep_sizes(spec.min_bytes, spec.max_bytes, spec.factor);
  for (const DType dtype : spec.dtypes) {
    for (const ReduceOp op : collective.reduces ? spec.ops : no_op) {
      for (const bool in_place : placements(spec, collective)) {
        for (const std::int64_t size : sizes) {
          const CollectiveSetup setup{.size_bytes = size,
                                      .dtype = dtype,
                                      .op = op,
                                      .in_place = in_place,
                                      .root = spec.root,
                                      .seed = spec.seed};
          cases.push_back({&collective, setup, case_name(collective, setup)});
        }
      }
    }
  }
}

}  // namespace

std::vector<std::int64_t> sweep_sizes(std::int64_t min_bytes, std::int64_t max_bytes,
                                      double factor) {
  STEPMARK_REQUIRE(min_bytes >= 1 && max_bytes >= min_bytes,
                   "sizes from {} to {} bytes: expected 1 <= min <= max", min_bytes, max_bytes);
  STEPMARK_REQUIRE(factor > 1.0, "a size factor of {}: expected more than 1", factor);
  std::vector<std::int64_t> sizes;
  for (std::int64_t size = min_bytes; size <= max_bytes;) {
    sizes.push_back(size);
    const auto next = std::llround(static_cast<double>(size) * factor);
    size = std::max<std::int64_t>(next, size + 1);
  }
  return sizes;
}

std::vector<SweepCase> sweep_cases(const SweepSpec& spec) {
  std::vector<SweepCase> cases;
  for (const CollectiveKind kind : spec.kinds) {
    const Collective& c = collective(kind);
    if (kind == CollectiveKind::barrier) {  // no data: one case
      const CollectiveSetup setup{.seed = spec.seed};
      cases.push_back({&c, setup, case_name(c, setup)});
    } else {
      add_cases(spec, c, cases);
    }
  }
  return cases;
}

std::string case_name(const Collective& collective, const CollectiveSetup& setup) {
  if (collective.kind == CollectiveKind::barrier) return std::string(name_of(collective.kind));
  return fmt::format("{}/{}{}/{}/{}", name_of(collective.kind), name_of(setup.dtype),
                     collective.reduces ? fmt::format("/{}", name_of(setup.op)) : "",
                     exact_size(setup.size_bytes), setup.in_place ? "in-place" : "out-of-place");
}

}  // namespace stepmark
