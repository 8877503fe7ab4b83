// SPDX-License-Identifier: Apache-2.0
// What is signed: every file of a bundle with its size and hash, the last hash and the number of
// lines of each journal, so that nothing can be renamed, cut or exchanged.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "results/seal/agreed.h"

namespace stepmark {

inline constexpr std::string_view kManifestType = "application/vnd.stepmark.evidence.v1+json";
inline constexpr std::string_view kManifestName = "manifest.json";
inline constexpr std::string_view kSignaturesName = "signatures.json";
inline constexpr std::string_view kPageName = "report.html";
inline constexpr std::string_view kVerdictsName = "comparison.json";
inline constexpr std::string_view kAcrossName = "across.json";
inline constexpr std::string_view kPortfolioName = "portfolio.json";
inline constexpr std::string_view kContractName = "contract.json";
inline constexpr std::string_view kKeysFolder = "keys/";

struct ManifestFile {
  std::string name;
  std::int64_t bytes = 0;
  std::string sha256;
};

struct ManifestJournal {
  std::string file, run_id;
  std::int64_t lines = 0;
  std::string chain;   // hash of the last line
  bool ended = false;  // its last line says how the run ended
};

// Whose program sealed.
struct SealedBy {
  std::string tool_version, git_revision, build_type, binary_sha256;
  bool dirty = false;
  [[nodiscard]] bool operator==(const SealedBy&) const = default;
};

// The verdicts of comparison.json: which journals were a side, and the margin.
struct ManifestComparison {
  std::vector<std::vector<std::string>> sides;  // the first is the baseline
  double margin = 0;
};

// Those of across.json and portfolio.json: journals by side, whose they are, and the day until
// which the ages of prices are counted.
struct ManifestAcross {
  std::vector<std::vector<std::string>> sides;
  std::vector<std::string> names;  // of the sides' providers; "": as the journals say
  double margin = 0;
  std::string day;  // "2026-11-29"
};

// A file of agreed/, with line_hashes() of it.
struct ManifestAgreed {
  AgreedKind kind = AgreedKind::terms;
  std::vector<std::string> lines;
};

struct Manifest {
  std::vector<ManifestFile> files;  // by name; not the manifest, its signatures and their keys
  std::vector<ManifestJournal> journals;
  std::optional<ManifestComparison> comparison;
  std::optional<ManifestAcross> across;
  std::vector<ManifestAgreed> agreed;  // by kind, each once
  bool redacted = true;
  SealedBy sealed_by;

  // Error(kUsage) naming the key for anything else than what text() writes.
  [[nodiscard]] static Manifest from_text(std::string_view text);
  [[nodiscard]] std::string text() const;
  [[nodiscard]] const ManifestFile* file(std::string_view name) const;
  [[nodiscard]] const ManifestAgreed* find(AgreedKind kind) const;
};

}  // namespace stepmark
