// SPDX-License-Identifier: Apache-2.0
// Journals become an evidence bundle: one archive of them, what follows from them, a manifest of
// everything, and signatures of the manifest. docs/evidence.md has the format.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "results/record/journal.h"
#include "results/record/recompute.h"
#include "results/seal/archive.h"
#include "results/seal/keys.h"
#include "results/seal/manifest.h"
#include "results/seal/redact.h"

namespace stepmark {

// What this folder does not know: how figures, verdicts and the page come about.
struct EvidenceViews {
  Derive derive;
  std::function<std::string(std::span<const Run>)> page;
  // The verdicts of sides against the first, as `compare --json`.
  std::function<nlohmann::json(const std::vector<std::vector<Run>>& sides, double margin)> verdicts;
};

struct JournalSource {
  std::string path, content;
};

struct SealOptions {
  bool redact = true;
  RedactedNames names;             // known beside those that the journals tell
  bool accept_unfinished = false;  // journals whose last line says no end
  double margin = 0.02;            // of the verdicts
  SealedBy by;
};

struct Bundle {
  std::vector<Member> members;  // with manifest, signatures and their keys
  std::vector<Redaction> redactions;
};

// `sides`: journals by side, as `compare` takes them; several sides get verdicts. Error(kUsage)
// "FILE:LINE: ..." for a journal that is damaged, cut, without hashes, given twice, or whose run
// has not ended; Error(kCheckFailed) where what stands in one does not follow from its samples.
[[nodiscard]] Bundle seal(const std::vector<std::vector<JournalSource>>& sides,
                          const SealOptions& options, const EvidenceViews& views,
                          const SigningKey& key);

// A bundle's bytes with one more signature. Error(kCheckFailed) for a bundle that does not verify,
// which nobody should sign, Error(kUsage) where the key has signed already.
[[nodiscard]] std::string add_signature(std::string_view bundle, const std::string& path,
                                        const SigningKey& key, const EvidenceViews& views,
                                        const SealedBy& own);

// "config" or "environment" of a journal's first line, as it stands in a bundle beside the journal.
[[nodiscard]] std::string header_text(std::string_view journal, std::string_view key);
[[nodiscard]] std::string verdicts_text(const nlohmann::json& verdicts);
// "config/NAME.json" of "journals/NAME.smk".
[[nodiscard]] std::string beside_journal(std::string_view folder, std::string_view journal);

}  // namespace stepmark
