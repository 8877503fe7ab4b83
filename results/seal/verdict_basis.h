// SPDX-License-Identifier: Apache-2.0
// Which verdicts a bundle has, and what they are made of, from its manifest: for whoever seals and
// whoever verifies alike. Internal to results/seal.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "results/seal/evidence_views.h"
#include "results/seal/manifest.h"

namespace stepmark {

// The files of verdicts that a bundle with this manifest has.
[[nodiscard]] std::vector<std::string> verdict_files(const Manifest& manifest);

// Error(kUsage) where prices or a mix are agreed and nothing can be made of them.
void require_use(const Manifest& manifest);

struct BundleRuns {
  const std::map<std::string, Run>& runs;  // by file
  // Of journals and of agreed files, by name.
  const std::map<std::string, std::string_view>& contents;
};
// For `file`, one of verdict_files(). Error(kUsage) for a journal that is not in the bundle.
[[nodiscard]] VerdictBasis verdict_basis(std::string_view file, const Manifest& manifest,
                                         const BundleRuns& bundle);

}  // namespace stepmark
