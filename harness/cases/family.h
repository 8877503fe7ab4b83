// SPDX-License-Identifier: Apache-2.0
// The families of cases, as a suite's file asks for them. What runs of a family is its
// families/NAME.cpp, with one function of family_list.h: read_NAME_entry(). What results know of it
// is results/families/NAME.
#pragma once

#include <string_view>
#include <vector>

#include "harness/cases/entry.h"
#include "results/families/family_list.h"  // generated: STEPMARK_CASE_FAMILIES(X)

namespace stepmark {

struct CaseFamily {
  std::string_view name;
  // From the map of an entry; mistakes are ConfigErrors at their place. Keys that nobody asked for
  // are the caller's business.
  SuiteEntry (*read)(YamlMap& map);
};

#define STEPMARK_READ_ENTRY(name) SuiteEntry read_##name##_entry(YamlMap& map);
STEPMARK_CASE_FAMILIES(STEPMARK_READ_ENTRY)
#undef STEPMARK_READ_ENTRY

[[nodiscard]] const std::vector<CaseFamily>& case_families();

}  // namespace stepmark
