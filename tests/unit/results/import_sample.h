// SPDX-License-Identifier: Apache-2.0
// Outputs of other tools, from tests/samples/import: small, and in form as the tools print them.
#pragma once

#include <string>
#include <vector>

#include "results/import/import.h"

namespace stepmark {

[[nodiscard]] ImportSource sample(const std::string& name);
[[nodiscard]] Import import_sample(const std::string& name, const ImportOptions& options = {});
// The record of a case; the test fails where there is none.
[[nodiscard]] const Record& find(const Import& run, const std::string& case_id);
// What importing refuses them with; "accepted" where it does not.
[[nodiscard]] std::string import_error(const std::vector<ImportSource>& sources,
                                       const ImportOptions& options = {});
void replace_all(std::string& text, const std::string& from, const std::string& to);
// As a journal, and read again.
[[nodiscard]] std::vector<std::string> lines_of_journal(const Import& run);
[[nodiscard]] Run read_back(const Import& run);

}  // namespace stepmark
