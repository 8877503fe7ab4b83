// SPDX-License-Identifier: Apache-2.0
// Sizes are rounded to whole elements first, so that sizes that come to the same call are measured
// once and sizes without an element are dropped, each with a remark. Caps are checked while the
// list grows, not after it has filled the memory.
#include "collectives/sweep.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/error.h"
#include "core/units.h"

namespace stepmark {
namespace {

std::vector<bool> placements(const SweepSpec& spec, const Collective& collective) {
  std::vector<bool> in_place;
  if (spec.out_of_place) in_place.push_back(false);
  if (spec.in_place && collective.supports_in_place) in_place.push_back(true);
  return in_place;
}

void require_range(std::int64_t min_bytes, std::int64_t max_bytes) {
  STEPMARK_REQUIRE(min_bytes >= 1 && max_bytes >= min_bytes,
                   "sizes from {} to {} bytes: expected 1 <= min <= max", min_bytes, max_bytes);
}

void require_few(std::size_t cases) {
  STEPMARK_REQUIRE(cases <= kMaxSweepCases,
                   "a sweep of more than {} cases: take larger steps or a shorter list",
                   kMaxSweepCases);
}

// "8B, 32B", the middle of long lists left out.
std::string listed(const std::vector<std::int64_t>& sizes) {
  constexpr std::size_t kMost = 6;
  std::vector<std::string> names;
  for (const std::int64_t size : sizes) names.push_back(exact_bytes(size));
  if (names.size() <= kMost) return fmt::format("{}", fmt::join(names, ", "));
  return fmt::format("{}, {}, ... {} ({} sizes)", names[0], names[1], names.back(), names.size());
}

// What is left of the sizes once they are whole elements.
struct Whole {
  std::vector<std::int64_t> kept, empty, repeated;
};

Whole whole_elements(const SweepSpec& spec, const Collective& collective, DType dtype, int ranks) {
  std::vector<std::int64_t> sizes = spec.sizes;
  std::sort(sizes.begin(), sizes.end());
  Whole result;
  std::int64_t before = 0;
  for (const std::int64_t size : sizes) {
    const CollectiveSetup setup{.size_bytes = size, .dtype = dtype, .root = spec.root};
    const CollectiveSizes rounded = collective.sizes(setup, ranks);
    if (size <= 0 || rounded.verb_count == 0) {
      result.empty.push_back(size);
    } else if (rounded.size_bytes == before) {
      result.repeated.push_back(size);
    } else {
      result.kept.push_back(size);
      before = rounded.size_bytes;
    }
  }
  return result;
}

// Equal remarks of several collectives become one.
class RemarkList {
 public:
  void add(std::string_view collective, std::string text) {
    for (auto& [known, names] : remarks_) {
      if (known != text) continue;
      names.emplace_back(collective);
      return;
    }
    remarks_.emplace_back(std::move(text), std::vector<std::string>{std::string(collective)});
  }
  [[nodiscard]] std::vector<std::string> take() const {
    std::vector<std::string> all;
    for (const auto& [text, names] : remarks_) {
      all.push_back(fmt::format("{} {}", fmt::join(names, ", "), text));
    }
    return all;
  }

 private:
  std::vector<std::pair<std::string, std::vector<std::string>>> remarks_;
};

void add_cases(const SweepSpec& spec, const Collective& collective, int ranks, Sweep& sweep,
               RemarkList& remarks) {
  const std::vector<ReduceOp> no_op{ReduceOp::sum};
  if (placements(spec, collective).empty()) {
    return remarks.add(name_of(collective.kind), "in place: there is no such form: dropped");
  }
  for (const DType dtype : spec.dtypes) {
    const Whole sizes = whole_elements(spec, collective, dtype, ranks);
    const std::string on = fmt::format("{} on {} ranks", name_of(dtype), ranks);
    if (!sizes.empty.empty()) {
      remarks.add(name_of(collective.kind),
                  fmt::format("{}: no element in {}: dropped", on, listed(sizes.empty)));
    }
    if (!sizes.repeated.empty()) {
      remarks.add(name_of(collective.kind),
                  fmt::format("{}: {} round to the elements of a smaller size: measured once", on,
                              listed(sizes.repeated)));
    }
    for (const ReduceOp op : collective.reduces ? spec.ops : no_op) {
      for (const bool in_place : placements(spec, collective)) {
        require_few(sweep.cases.size() + sizes.kept.size());
        for (const std::int64_t size : sizes.kept) {
          const CollectiveSetup setup{.size_bytes = size,
                                      .dtype = dtype,
                                      .op = op,
                                      .in_place = in_place,
                                      .root = spec.root,
                                      .seed = spec.seed};
          sweep.cases.push_back({&collective, setup, case_name(collective, setup)});
        }
      }
    }
  }
}

}  // namespace

std::vector<std::int64_t> sizes_by_factor(std::int64_t min_bytes, std::int64_t max_bytes,
                                          double factor) {
  require_range(min_bytes, max_bytes);
  STEPMARK_REQUIRE(factor > 1.0, "a size factor of {}: expected more than 1", factor);
  std::vector<std::int64_t> sizes;
  for (std::int64_t size = min_bytes;;) {
    sizes.push_back(size);
    require_few(sizes.size());
    const double next = std::round(static_cast<double>(size) * factor);
    if (size == max_bytes || next > static_cast<double>(max_bytes) || next >= 0x1p63) return sizes;
    // Small sizes must not stand still.
    size = std::min(max_bytes, std::max(static_cast<std::int64_t>(next), size + 1));
  }
}

std::vector<std::int64_t> sizes_by_step(std::int64_t min_bytes, std::int64_t max_bytes,
                                        std::int64_t step) {
  require_range(min_bytes, max_bytes);
  STEPMARK_REQUIRE(step >= 1, "a size step of {} bytes: expected at least 1", step);
  const std::int64_t steps = (max_bytes - min_bytes) / step;
  require_few(static_cast<std::size_t>(steps));
  std::vector<std::int64_t> sizes;
  for (std::int64_t i = 0; i <= steps; ++i) sizes.push_back(min_bytes + i * step);
  require_few(sizes.size());
  return sizes;
}

Sweep sweep_cases(const SweepSpec& spec, int ranks) {
  Sweep sweep;
  RemarkList remarks;
  for (const CollectiveKind kind : spec.kinds) {
    const Collective& c = collective(kind);
    if (kind == CollectiveKind::barrier) {  // no data: one case
      const CollectiveSetup setup{.seed = spec.seed};
      sweep.cases.push_back({&c, setup, case_name(c, setup)});
    } else {
      add_cases(spec, c, ranks, sweep, remarks);
    }
  }
  sweep.remarks = remarks.take();
  return sweep;
}

std::string case_name(const Collective& collective, const CollectiveSetup& setup) {
  if (collective.kind == CollectiveKind::barrier) return std::string(name_of(collective.kind));
  return fmt::format("{}/{}{}/{}/{}", name_of(collective.kind), name_of(setup.dtype),
                     collective.reduces ? fmt::format("/{}", name_of(setup.op)) : "",
                     exact_bytes(setup.size_bytes), setup.in_place ? "in-place" : "out-of-place");
}

}  // namespace stepmark
