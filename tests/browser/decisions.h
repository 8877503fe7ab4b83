// SPDX-License-Identifier: Apache-2.0
// A page of providers, and what the program says at other prices and of other mixes than the
// page's: what a page that computes by itself is held against.
#pragma once

#include <filesystem>

namespace stepmark {

// decision.html; decision-walk.json: verdicts over prices; portfolios.json: mixes and their
// answers.
void write_decisions(const std::filesystem::path& folder);

}  // namespace stepmark
