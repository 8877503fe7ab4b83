// SPDX-License-Identifier: Apache-2.0
// What the families of cases share. Internal to harness/cases.
#pragma once

#include <string>

#include "harness/cases/case.h"

namespace stepmark {

// The largest of `value` over the ranks.
[[nodiscard]] double max_over_ranks(Control& control, double value);
// True when it is true on every rank.
[[nodiscard]] bool all_ranks(Control& control, bool value);

// Records outcome failed with the check's detail; returns false when the check failed.
bool add_check(Record& record, std::string name, bool passed, std::string detail);

// Runs the sampler and puts samples, warm-up count and stop reason into the record.
void sample_into(Record& record, CaseContext& context, const Body& body);

}  // namespace stepmark
