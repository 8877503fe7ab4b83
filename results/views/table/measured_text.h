// SPDX-License-Identifier: Apache-2.0
// Measured figures with their intervals, for tables.
#pragma once

#include <string>

#include "results/normalise/figure.h"

namespace stepmark {

// "1.250 [1.240, 1.260]"; "1.250 [?]" without bounds; N/A.
[[nodiscard]] std::string with_interval(const normalise::Measured& value, int digits = 3);
// The same with four significant digits at least, whatever the currency.
[[nodiscard]] std::string money_text(const normalise::Measured& value);

}  // namespace stepmark
