// SPDX-License-Identifier: Apache-2.0
// Redaction, then hashes, then what follows from the journals and from what was agreed, then the
// manifest, then the signature. What was made is verified before anyone gets it: a bundle that
// fails at the other party's is of no use.
#include "results/seal/seal.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "core/error.h"
#include "results/record/journal_lines.h"
#include "results/record/json_reader.h"
#include "results/record/json_text.h"
#include "results/seal/bytes.h"
#include "results/seal/chain_scan.h"
#include "results/seal/dsse.h"
#include "results/seal/sources.h"
#include "results/seal/verdict_basis.h"
#include "results/seal/verify.h"

namespace stepmark {

namespace {

constexpr std::string_view kJournalFolder = "journals/";
constexpr std::string_view kJournalEnding = ".smk";

// A bundle in the making.
class Sealing {
 public:
  Sealing(SealedSources sources, const SealOptions& options, const EvidenceViews& views)
      : sources_(std::move(sources)), options_(options), views_(views) {
    manifest_.redacted = options.redact;
    manifest_.sealed_by = options.by;
  }

  Bundle signed_by(const SigningKey& key) {
    journals();
    agreed();
    require_use(manifest_);
    verdicts_and_page();
    auto& members = bundle_.members;
    std::sort(members.begin(), members.end(),
              [](const Member& a, const Member& b) { return a.name < b.name; });
    for (const Member& member : members) {
      manifest_.files.push_back({.name = member.name,
                                 .bytes = static_cast<std::int64_t>(member.content.size()),
                                 .sha256 = sha256(member.content)});
    }
    Envelope envelope{
        .type = std::string(kManifestType), .body = manifest_.text(), .signatures = {}};
    envelope.sign(key);
    add(kManifestName, envelope.body);
    add(kSignaturesName, envelope.text());
    bundle_.redactions = std::move(sources_.redactions);
    return std::move(bundle_);
  }

 private:
  void add(std::string_view name, std::string content) {
    bundle_.members.push_back({.name = std::string(name), .content = std::move(content)});
  }

  void journals() {
    std::vector<std::vector<std::string>> sides;
    for (const auto& side : sources_.sides) {
      auto& files = sides.emplace_back();
      for (const auto& journal : side) {
        files.push_back(journal.name);
        add_journal(journal);
      }
    }
    if (sides.size() > 1) {
      manifest_.comparison = ManifestComparison{.sides = sides, .margin = options_.margin};
    }
    if (options_.across) {
      manifest_.across = ManifestAcross{.sides = std::move(sides),
                                        .names = sources_.providers,
                                        .margin = options_.margin,
                                        .day = options_.day};
    }
  }

  void add_journal(const Sealed& journal) {
    const auto scan = scan_chain(journal.content);
    auto run = parse_lines(journal.content, journal.name, views_.derive);
    manifest_.journals.push_back({.file = journal.name,
                                  .run_id = run.header.run_id,
                                  .lines = scan.lines,
                                  .chain = scan.last_hash,
                                  .ended = run.ended});
    all_.push_back(run);
    runs_.emplace(journal.name, std::move(run));
    contents_.emplace(journal.name, journal.content);
    add(beside_journal("config", journal.name), header_text(journal.content, "config"));
    add(beside_journal("environment", journal.name), header_text(journal.content, "environment"));
    add(journal.name, journal.content);
  }

  void agreed() {
    for (const auto& [kind, content] : sources_.agreed) {
      manifest_.agreed.push_back({.kind = kind, .lines = line_hashes(content)});
      contents_.emplace(agreed_file(kind), content);
      add(agreed_file(kind), content);
    }
  }

  [[nodiscard]] VerdictBasis basis(std::string_view file) const {
    auto out = verdict_basis(file, manifest_, {.runs = runs_, .contents = contents_});
    for (const auto& [kind, source] : options_.agreed) out.said_as.emplace(kind, source.path);
    return out;
  }

  void verdicts_and_page() {
    nlohmann::json decision;
    if (manifest_.comparison) {
      add(kVerdictsName, verdicts_text(views_.compare(basis(kVerdictsName)).json));
    }
    if (manifest_.across) {
      auto made = views_.across(basis(kAcrossName));
      add(kAcrossName, verdicts_text(made.across.json));
      if (!made.portfolio.json.is_null()) add(kPortfolioName, verdicts_text(made.portfolio.json));
      decision = std::move(made.page);
    }
    if (manifest_.find(AgreedKind::terms) != nullptr) {
      add(kContractName, verdicts_text(views_.contract(basis(kContractName)).json));
    }
    add(kPageName, views_.page(all_, decision));
  }

  SealedSources sources_;
  const SealOptions& options_;
  const EvidenceViews& views_;
  Manifest manifest_;
  Bundle bundle_;
  std::vector<Run> all_;  // in the order of the manifest
  std::map<std::string, Run> runs_;
  std::map<std::string, std::string_view> contents_;  // of sources_
};

void add_key(std::vector<Member>& members, const PublicKey& key) {
  members.push_back(
      {.name = fmt::format("{}{}.pub", kKeysFolder, key.fingerprint()), .content = key.pem()});
}

void require_verified(std::string_view bytes, const EvidenceViews& views, const SealedBy& own,
                      const std::string& what) {
  const auto found = verify(bytes, {}, views, own);
  if (found.problems.empty()) return;
  throw Error(ExitCode::kCheckFailed,
              fmt::format("{}: {}{}", what, text_of(found.problems.front()),
                          found.problems.size() == 1
                              ? ""
                              : fmt::format(" (and {} more)", found.problems.size() - 1)));
}

}  // namespace

std::string beside_journal(std::string_view folder, std::string_view journal) {
  journal.remove_prefix(std::min(kJournalFolder.size(), journal.size()));
  if (journal.ends_with(kJournalEnding)) journal.remove_suffix(kJournalEnding.size());
  return fmt::format("{}/{}.json", folder, journal);
}

std::string header_text(std::string_view journal, std::string_view key) {
  const auto line = parse_json(journal.substr(0, journal.find('\n')));
  return json_text(line.value(std::string(key), nlohmann::json()), {.indent = 1}) + "\n";
}

std::string verdicts_text(const nlohmann::json& verdicts) {
  return json_text(verdicts, {.indent = 1}) + "\n";
}

Bundle seal(const std::vector<std::vector<JournalSource>>& sides, const SealOptions& options,
            const EvidenceViews& views, const SigningKey& key) {
  require_sealable(sides, options.accept_unfinished);
  auto bundle = Sealing(sealed_sources(sides, options), options, views).signed_by(key);
  add_key(bundle.members, key.public_key());
  require_verified(write_archive(bundle.members), views, options.by, "not sealed");
  return bundle;
}

std::string add_signature(std::string_view bundle, const std::string& path, const SigningKey& key,
                          const EvidenceViews& views, const SealedBy& own) {
  require_verified(bundle, views, own, path + ": not signed");
  std::vector<Member> members;
  for (const auto& member : read_archive(bundle)) {
    members.push_back({.name = member.name, .content = std::string(member.content)});
  }
  const auto signatures = std::find_if(members.begin(), members.end(), [](const Member& member) {
    return member.name == kSignaturesName;
  });
  auto envelope = Envelope::from_text(signatures->content);
  STEPMARK_REQUIRE(envelope.signature_of(key.public_key()) == nullptr,
                   "{}: this key has signed already ({})", path, key.public_key().fingerprint());
  envelope.sign(key);
  signatures->content = envelope.text();
  add_key(members, key.public_key());
  return write_archive(std::move(members));
}

}  // namespace stepmark
