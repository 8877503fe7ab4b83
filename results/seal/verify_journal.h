// SPDX-License-Identifier: Apache-2.0
// One journal of a bundle: its hashes against what was signed, its figures against its samples.
// Internal to results/seal.
#pragma once

#include <optional>

#include "results/seal/archive.h"
#include "results/seal/verify.h"

namespace stepmark {

// Problems and counts go to `out`. The run, where the journal is intact.
[[nodiscard]] std::optional<Run> verify_journal(const PlacedMember& member,
                                                const ManifestJournal& manifest,
                                                const EvidenceViews& views, bool own_version,
                                                BundleVerification& out);

}  // namespace stepmark
