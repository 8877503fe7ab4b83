// SPDX-License-Identifier: Apache-2.0
// What a bundle is worth: whether it is as it was signed, by whom, and whether everything in it
// follows from its samples. What is wrong is named with file, line and bytes of the bundle.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "results/seal/keys.h"
#include "results/seal/manifest.h"
#include "results/seal/seal.h"

namespace stepmark {

struct Problem {
  std::string member;              // file of the bundle; empty: the archive itself
  std::int64_t line = 0;           // of the file, from 1; 0: none
  std::size_t begin = 0, end = 0;  // bytes of the bundle, from 0, end not included
  std::string what;
};
// "journals/a.smk:7 (bytes 512 to 1023): ..."
[[nodiscard]] std::string text_of(const Problem& problem);

struct TrustedKey {
  std::string name;  // file that the user named
  PublicKey key;
};

struct Signer {
  std::string fingerprint;
  std::string trusted_as;  // TrustedKey::name; empty: nobody named this key
};

struct BundleVerification {
  std::vector<Problem> problems;  // none: intact, and everything follows
  std::vector<Signer> signers;    // whose signatures fit, each key once
  std::vector<std::string> notes;
  std::optional<Manifest> manifest;                                // absent where nothing signed it
  std::int64_t lines = 0, records = 0, figures = 0, verdicts = 0;  // that were checked again
  [[nodiscard]] int trusted() const;                               // signers whose key was named
  // Of each file of verdicts, what they come to: "2 met, 1 undecided".
  std::vector<std::pair<std::string, std::string>> verdicts_by_file;
  // Of the bundle's runs, in the manifest's order, where all of them are intact; and what its page
  // shows beside them (AcrossVerdicts::page).
  std::vector<Run> runs;
  nlohmann::json decision;
};

// Never throws for what stands in `bytes`.
[[nodiscard]] BundleVerification verify(std::string_view bytes, std::span<const TrustedKey> trusted,
                                        const EvidenceViews& views, const SealedBy& own);

}  // namespace stepmark
