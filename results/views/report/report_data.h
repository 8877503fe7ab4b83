// SPDX-License-Identifier: Apache-2.0
// What the page's scripts need, as JSON. Internal to results/views/report.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <span>

#include "results/record/journal.h"

namespace stepmark {

// {"families": what families_json() says, "runs": [{label, header, facts, hardware, counts,
// provenances, records, missing, warnings, ended, exit_code}], "beside": what beside_json() says}:
// records in their journal form, samples and timelines included. Runs that stand beside others are
// in "beside" alone.
[[nodiscard]] nlohmann::json report_data(std::span<const Run> runs);

}  // namespace stepmark
