// SPDX-License-Identifier: Apache-2.0
// What `contract` shows on a terminal. Pure; nothing is printed here.
#pragma once

#include <string>

#include "results/contract/check.h"
#include "results/contract/credits.h"

namespace stepmark {

// Every floor with its cells, what was set aside and why, counts and exit code.
[[nodiscard]] std::string contract_table(const ContractCheck& check);
// One floor down to the samples of each run, with the journal's line. At most `most_samples` of a
// run are printed; the line has them all.
[[nodiscard]] std::string explanation(const FloorResult& result, std::size_t most_samples = 40);
[[nodiscard]] std::string credits_table(const CreditsOwed& credits);

}  // namespace stepmark
