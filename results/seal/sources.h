// SPDX-License-Identifier: Apache-2.0
// What is sealed, as it was handed in and as it stands in a bundle: with other names, hashed anew.
// Internal to results/seal.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "results/seal/seal.h"

namespace stepmark {

struct Sealed {
  std::string name;  // in the bundle
  std::string content;
};

struct SealedSources {
  std::vector<std::vector<Sealed>> sides;
  std::vector<std::string> providers;  // of the sides
  std::map<AgreedKind, std::string> agreed;
  std::vector<Redaction> redactions;
};

// Error(kUsage) "FILE:LINE: ..." for journals that cannot be evidence: seal().
void require_sealable(const std::vector<std::vector<JournalSource>>& sides, bool accept_unfinished);
[[nodiscard]] SealedSources sealed_sources(const std::vector<std::vector<JournalSource>>& sides,
                                           const SealOptions& options);

}  // namespace stepmark
