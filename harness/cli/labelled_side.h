// SPDX-License-Identifier: Apache-2.0
// What `compare --label` names.
#pragma once

#include <string>

#include "results/across/across.h"

namespace stepmark {

// NAME=FILE.smk[,FILE.smk...]; Error(kUsage) for anything else.
[[nodiscard]] NamedSide labelled_side(const std::string& word, const ReadOptions& read);

}  // namespace stepmark
