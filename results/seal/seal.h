// SPDX-License-Identifier: Apache-2.0
// Journals become an evidence bundle: one archive of them, what follows from them, a manifest of
// everything, and signatures of the manifest. docs/evidence.md has the format.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "results/seal/archive.h"
#include "results/seal/evidence_views.h"
#include "results/seal/keys.h"
#include "results/seal/manifest.h"
#include "results/seal/redact.h"

namespace stepmark {

struct JournalSource {  // or a file that was agreed
  std::string path, content;
};

struct SealOptions {
  bool redact = true;
  RedactedNames names;             // known beside those that the journals tell
  bool accept_unfinished = false;  // journals whose last line says no end
  double margin = 0.02;            // of the verdicts
  SealedBy by;
  bool across = false;                 // the sides are providers': verdicts between these too
  std::vector<std::string> providers;  // of the sides; "": as the journals say
  std::string day;                     // "2026-11-29", with `across`: prices age until then
  std::map<AgreedKind, JournalSource> agreed;
};

struct Bundle {
  std::vector<Member> members;  // with manifest, signatures and their keys
  std::vector<Redaction> redactions;
};

// `sides`: journals by side, as `compare` takes them; several sides get verdicts, and so do terms,
// of all journals or of those whose side has the provider's name. Error(kUsage) "FILE:LINE: ..."
// for a journal that is damaged, cut, without hashes, given twice, or whose run has not ended, and
// for prices or a mix of which nothing is made; Error(kCheckFailed) where what stands in a journal
// does not follow from its samples.
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
