// SPDX-License-Identifier: Apache-2.0
// A bundle speaks for a journal whose last hash it has signed: that stands for all lines before it.
#include "harness/cli/page.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "core/sha256.h"
#include "harness/cli/evidence.h"
#include "results/history/check.h"
#include "results/record/journal_lines.h"
#include "results/seal/verify.h"
#include "results/views/report/history_data.h"

namespace stepmark {
namespace {

using nlohmann::json;

struct ReadBundle {
  std::string file;
  BundleVerification found;
};

// Null where the file has changed since, is none, or is a bundle's.
json sha256_of(const Run& run) {
  std::error_code failed;
  const auto bytes = std::filesystem::file_size(run.path, failed);
  if (failed || static_cast<std::int64_t>(bytes) != run.extent.bytes) return nullptr;
  return sha256_of_file(run.path);
}

json signers_of(const BundleVerification& found) {
  json out = json::array();
  for (const Signer& signer : found.signers) {
    out.push_back({{"fingerprint", signer.fingerprint}, {"trusted_as", signer.trusted_as}});
  }
  return out;
}

json evidence_of(const Run& run, const std::vector<ReadBundle>& bundles) {
  json out{{"sha256", sha256_of(run)},
           {"signatures", json::array()},
           {"note", bundles.empty() ? "no bundle was given (--evidence)"
                                    : "in none of the bundles that were given"}};
  for (const ReadBundle& bundle : bundles) {
    if (!bundle.found.manifest) continue;
    const auto& journals = bundle.found.manifest->journals;
    const auto same_id = std::find_if(journals.begin(), journals.end(), [&](const auto& one) {
      return one.run_id == run.header.run_id;
    });
    if (same_id == journals.end()) continue;
    if (run.extent.chain.empty() || same_id->chain != run.extent.chain) {
      out["note"] = fmt::format(
          "{} has this run with other lines (redacted, or of another time): its journal is what is "
          "signed",
          bundle.file);
      continue;
    }
    const auto problems = bundle.found.problems.size();
    out["signatures"] = problems == 0 ? signers_of(bundle.found) : json::array();
    out["note"] = problems == 0 ? fmt::format("in {}, which verifies", bundle.file)
                                : fmt::format("in {}, which does not verify: {} problems",
                                              bundle.file, problems);
    return out;
  }
  return out;
}

}  // namespace

PageParts page_parts(std::span<const Run> runs, const PageOptions& options) {
  PageParts out;
  if (!options.history.empty()) {
    const History history(options.history, History::Open::existing);
    out.history = history_data(history, check_history(history));
  }
  std::vector<ReadBundle> bundles;
  for (const std::string& file : options.evidence) {
    bundles.push_back(
        {.file = std::filesystem::path(file).filename().string(),
         .found = verify(read_journal_file(file), {}, evidence_views(), sealed_by_this())});
    STEPMARK_REQUIRE(bundles.back().found.manifest,
                     "{}: no evidence bundle that can be read: expected what `stepmark seal` "
                     "writes (stepmark verify says what is wrong)",
                     file);
  }
  out.evidence = json::array();
  for (const Run& run : runs) out.evidence.push_back(evidence_of(run, bundles));
  return out;
}

}  // namespace stepmark
