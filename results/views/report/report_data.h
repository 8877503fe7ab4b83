// SPDX-License-Identifier: Apache-2.0
// What the page's scripts need, as JSON. Internal to results/views/report.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <span>

#include "results/record/journal.h"
#include "results/views/report/page_parts.h"

namespace stepmark {

// {"families": what families_json() says, "runs": [{label, owner, header, facts, hardware, counts,
// provenances, records, missing, warnings, evidence, ended, exit_code}], "beside": what
// beside_json() says, "scaling": what scaling_json() says, "history", "left_out": [sentences]}:
// records in their journal form, samples and timelines included as far as they fit
// (slim_records()). Runs that stand beside others are in "beside" alone.
[[nodiscard]] nlohmann::json report_data(std::span<const Run> runs, const PageParts& parts = {});

}  // namespace stepmark
