// SPDX-License-Identifier: Apache-2.0
// What the page shows of each family, as JSON for its scripts. Internal to results/views/report.
#pragma once

#include <nlohmann/json_fwd.hpp>

namespace stepmark {

// [{name, items, section: {id, heading, hint, columns, curves, bars, split_heading, figures}}], in
// the order in which sections stand. Keys are those of results/families/family.h; values are
// {from, name, show}.
[[nodiscard]] nlohmann::json families_json();

}  // namespace stepmark
