// SPDX-License-Identifier: Apache-2.0
// Whether two records are measurements of the same thing. Internal to results/compare.
#pragma once

#include <string>

#include "results/record/record.h"

namespace stepmark {

// Why the records cannot be compared, or empty: other parameters, provenance, invalid timing ...
[[nodiscard]] std::string why_not_comparable(const Record& baseline, const Record& candidate);

}  // namespace stepmark
