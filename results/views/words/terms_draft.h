// SPDX-License-Identifier: Apache-2.0
// Proposed floors as a file to edit.
#pragma once

#include <string>

#include "results/contract/propose.h"

namespace stepmark {

// As a TERMS.yaml that read_terms reads, with what each floor stands on in comments, to five
// digits.
[[nodiscard]] std::string terms_yaml(const Proposal& proposal);

}  // namespace stepmark
