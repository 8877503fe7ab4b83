// SPDX-License-Identifier: Apache-2.0
// Each family names the facts that two records must share; of an unknown family all names count.
// Two undefined numbers are the same, a missing one and a defined one are not.
#include "results/compare/case_compare.h"

#include <fmt/format.h>

#include <cmath>
#include <vector>

#include "core/number_text.h"
#include "results/families/family.h"
#include "results/record/common_facts.h"

namespace stepmark {
namespace {

// Names of the facts that two records of one measurement share.
struct SameFacts {
  std::vector<std::string> numbers, texts;
};

void add(const Family& family, const Record& record, SameFacts& same) {
  for (const std::string& item : items_of(family, record)) {
    for (const std::string& name : family.same_numbers) {
      same.numbers.push_back(with_item(name, item));
    }
  }
  same.texts.insert(same.texts.end(), family.same_texts.begin(), family.same_texts.end());
}

// Of a family that is not known, all that says in any family what was done.
SameFacts same_facts(const Record& record) {
  SameFacts same;
  if (const Family* family = find_family(record.family)) {
    add(*family, record, same);
  } else {
    for (const Family& one : families()) add(one, record, same);
  }
  same.texts.emplace_back(facts::kTopology);
  return same;
}

}  // namespace

std::string why_not_comparable(const Record& a, const Record& b) {
  if (a.provenance != b.provenance) {
    return fmt::format("provenance {} and {}", name_of(a.provenance), name_of(b.provenance));
  }
  for (const auto* record : {&a, &b}) {
    const auto* side = record == &a ? "baseline" : "candidate";
    if (record->outcome != Outcome::ok) {
      return fmt::format("{}: {}: {}", side, name_of(record->outcome), record->reason);
    }
    if (!record->perf_valid) {
      return fmt::format("{}: {}", side, not_performance(*record));
    }
    for (const auto& check : record->checks) {
      if (!check.passed) {
        return fmt::format("{}: check failed: {}: {}", side, check.name, check.detail);
      }
    }
  }
  if (a.family != b.family) {
    return fmt::format("family {} and {}", a.family, b.family);
  }
  const SameFacts same = same_facts(a);
  for (const auto& name : same.numbers) {
    const bool both_undefined =
        std::isnan(a.number(name).value_or(0)) && std::isnan(b.number(name).value_or(0));
    if (!both_undefined && a.number(name) != b.number(name)) {
      const auto shown = [](const std::optional<double>& value) {
        return value ? number_text("{}", *value) : std::string("nothing");
      };
      return fmt::format("{} is {} and {}", name, shown(a.number(name)), shown(b.number(name)));
    }
  }
  for (const auto& name : same.texts) {
    if (a.text(name) != b.text(name)) {
      return fmt::format("{} is '{}' and '{}'", name, a.text(name), b.text(name));
    }
  }
  return {};
}

}  // namespace stepmark
