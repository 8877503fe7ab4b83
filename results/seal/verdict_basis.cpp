// SPDX-License-Identifier: Apache-2.0
// Contracts are held against the same sides as providers are compared by, so that "whose" has one
// meaning in a bundle.
#include "results/seal/verdict_basis.h"

#include "core/error.h"

namespace stepmark {

namespace {

std::vector<EvidenceSide> sides_of(const std::vector<std::vector<std::string>>& files,
                                   const std::vector<std::string>& names,
                                   const BundleRuns& bundle) {
  std::vector<EvidenceSide> sides;
  for (std::size_t i = 0; i < files.size(); ++i) {
    auto& side = sides.emplace_back();
    if (i < names.size()) side.name = names[i];
    for (const auto& file : files[i]) {
      const auto run = bundle.runs.find(file);
      STEPMARK_REQUIRE(run != bundle.runs.end(), "compares '{}', which is not in the bundle", file);
      side.runs.push_back(run->second);
    }
  }
  return sides;
}

std::vector<std::string> all_journals(const Manifest& manifest) {
  std::vector<std::string> files;
  for (const auto& journal : manifest.journals) files.push_back(journal.file);
  return files;
}

}  // namespace

std::vector<std::string> verdict_files(const Manifest& manifest) {
  std::vector<std::string> files;
  if (manifest.comparison) files.emplace_back(kVerdictsName);
  if (manifest.across) files.emplace_back(kAcrossName);
  if (manifest.across && manifest.find(AgreedKind::mix) != nullptr) {
    files.emplace_back(kPortfolioName);
  }
  if (manifest.find(AgreedKind::terms) != nullptr) files.emplace_back(kContractName);
  return files;
}

void require_use(const Manifest& manifest) {
  const bool prices = manifest.find(AgreedKind::prices) != nullptr;
  STEPMARK_REQUIRE(!prices || manifest.across,
                   "prices are for verdicts between providers: say with --across or --label whose "
                   "the journals are");
  STEPMARK_REQUIRE(prices || manifest.find(AgreedKind::mix) == nullptr,
                   "a mix is allocated by prices: give --prices too");
}

VerdictBasis verdict_basis(std::string_view file, const Manifest& manifest,
                           const BundleRuns& bundle) {
  VerdictBasis basis;
  if (file == kVerdictsName && manifest.comparison) {
    basis.margin = manifest.comparison->margin;
    basis.sides = sides_of(manifest.comparison->sides, {}, bundle);
  } else if (manifest.across) {
    basis.across = true;
    basis.margin = manifest.across->margin;
    basis.day = manifest.across->day;
    basis.sides = sides_of(manifest.across->sides, manifest.across->names, bundle);
  } else {
    basis.sides = sides_of({all_journals(manifest)}, {}, bundle);
  }
  for (const auto& journal : manifest.journals) {
    const auto content = bundle.contents.find(journal.file);
    if (content != bundle.contents.end()) basis.journals.emplace(*content);
  }
  for (const auto& agreed : manifest.agreed) {
    const auto content = bundle.contents.find(agreed_file(agreed.kind));
    if (content != bundle.contents.end()) basis.agreed.emplace(agreed.kind, content->second);
  }
  return basis;
}

}  // namespace stepmark
