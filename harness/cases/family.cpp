// SPDX-License-Identifier: Apache-2.0
// The table of families, generated from the list of results/families/CMakeLists.txt. A family
// without its reader does not link.
#include "harness/cases/family.h"

namespace stepmark {

const std::vector<CaseFamily>& case_families() {
#define STEPMARK_CASE_FAMILY(name) {#name, read_##name##_entry},
  static const std::vector<CaseFamily> kAll = {STEPMARK_CASE_FAMILIES(STEPMARK_CASE_FAMILY)};
#undef STEPMARK_CASE_FAMILY
  return kAll;
}

}  // namespace stepmark
