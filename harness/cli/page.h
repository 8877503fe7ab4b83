// SPDX-License-Identifier: Apache-2.0
// What a command's page shows beside its runs.
#pragma once

#include <span>

#include "harness/cli/options.h"
#include "results/record/journal.h"
#include "results/views/report/page_parts.h"

namespace stepmark {

// History and evidence, as far as asked for; SHA-256 of every journal that is still the file that
// was read. Error(kUsage) for a history or a bundle that cannot be read.
[[nodiscard]] PageParts page_parts(std::span<const Run> runs, const PageOptions& options);

}  // namespace stepmark
