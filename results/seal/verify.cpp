// SPDX-License-Identifier: Apache-2.0
// From the outside in: the archive's form, the signatures, the manifest, the files, what follows
// from the journals. Each step reads only what the one before has found good.
#include "results/seal/verify.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "core/error.h"
#include "results/seal/archive.h"
#include "results/seal/bytes.h"
#include "results/seal/verdict_basis.h"
#include "results/seal/verify_follows.h"
#include "results/seal/verify_journal.h"
#include "results/seal/verify_signatures.h"

namespace stepmark {

namespace {

bool is_unsigned(std::string_view name) {
  return name == kManifestName || name == kSignaturesName || name.starts_with(kKeysFolder);
}

class BundleCheck {
 public:
  BundleCheck(const std::vector<PlacedMember>& members, const Manifest& manifest,
              const EvidenceViews& views, const SealedBy& own, BundleVerification& out)
      : members_(members), manifest_(manifest), views_(views), out_(out) {
    const auto& by = manifest.sealed_by;
    const bool own_version = by.tool_version == own.tool_version &&
                             by.git_revision == own.git_revision && !by.dirty && !own.dirty;
    same_build_ = own_version || by == own;
  }

  void all() {
    files();
    for (const auto& journal : manifest_.journals) {
      const auto* member = find_member(members_, journal.file);
      if (member == nullptr) continue;  // said already
      if (auto run = verify_journal(*member, journal, views_, same_build_, out_)) {
        runs_.emplace(journal.file, std::move(*run));
      }
    }
    const CheckedBundle bundle{.members = members_,
                               .manifest = manifest_,
                               .views = views_,
                               .same_build = same_build_,
                               .wrong = wrong_,
                               .runs = runs_};
    for (const auto& [name, ignored] : runs_) {
      for (const char* part : {"config", "environment"}) {
        require_same(bundle, beside_journal(part, name), header_text(content_of(name), part), out_);
      }
    }
    verify_agreed(bundle, out_);
    if (runs_.size() == manifest_.journals.size() && !runs_.empty()) {
      verify_verdicts_and_page(bundle, out_);
    }
    for (const auto& name : wrong_) {
      const auto* member = find_member(members_, name);
      if (!said(name)) {
        out_.problems.push_back(problem_in(*member, "damaged: its SHA-256 is not the signed one"));
      }
    }
  }

 private:
  [[nodiscard]] bool said(const std::string& name) const {
    return std::any_of(out_.problems.begin(), out_.problems.end(),
                       [&](const Problem& problem) { return problem.member == name; });
  }

  void files() {
    for (const auto& file : manifest_.files) {
      const auto* member = find_member(members_, file.name);
      if (member == nullptr || is_unsigned(file.name)) {
        absent(file.name, "missing: the manifest names it");
      } else if (static_cast<std::int64_t>(member->content.size()) != file.bytes ||
                 sha256(member->content) != file.sha256) {
        wrong_.insert(file.name);
      }
    }
    for (const auto& member : members_) {
      if (!is_unsigned(member.name) && manifest_.file(member.name) == nullptr) {
        out_.problems.push_back(problem_in(member, "nobody signed this file"));
      }
    }
    const auto expected = expected_files();
    for (const auto& file : manifest_.files) {
      if (!expected.contains(file.name)) absent(file.name, "not a file that a bundle has");
    }
    for (const auto& name : expected) {
      if (manifest_.file(name) == nullptr) absent(name, "missing: the manifest does not name it");
    }
  }

  // What is signed is what is checked: a journal that the manifest names as a file alone would be
  // looked at by nobody. Journals and runs stand in it once.
  std::set<std::string> expected_files() {
    std::set<std::string> names{std::string(kPageName)}, runs;
    for (const auto& name : verdict_files(manifest_)) names.insert(name);
    for (const auto& agreed : manifest_.agreed) {
      if (!names.insert(agreed_file(agreed.kind)).second) {
        absent(agreed_file(agreed.kind), "twice in the manifest");
      }
    }
    for (const auto& journal : manifest_.journals) {
      if (!journal.file.starts_with("journals/") || !names.insert(journal.file).second) {
        absent(journal.file, "not a journal's name, or twice in the manifest");
      }
      if (!runs.insert(journal.run_id).second) {
        absent(journal.file, "the run '" + journal.run_id + "' is in the bundle twice");
      }
      names.insert(beside_journal("config", journal.file));
      names.insert(beside_journal("environment", journal.file));
    }
    if (manifest_.journals.empty()) absent(std::string(kManifestName), "no journal");
    return names;
  }

  void absent(const std::string& name, std::string what) {
    out_.problems.push_back(
        {.member = name, .line = 0, .begin = 0, .end = 0, .what = std::move(what)});
  }

  [[nodiscard]] std::string_view content_of(const std::string& name) const {
    return find_member(members_, name)->content;
  }

  const std::vector<PlacedMember>& members_;
  const Manifest& manifest_;
  const EvidenceViews& views_;
  BundleVerification& out_;
  bool same_build_ = false;      // figures, verdicts and page must come out alike
  std::set<std::string> wrong_;  // files whose size or hash is not the signed one
  std::map<std::string, Run> runs_;
};

}  // namespace

std::string text_of(const Problem& problem) {
  auto place = problem.member.empty() ? std::string("the archive") : problem.member;
  if (problem.line > 0) place += fmt::format(":{}", problem.line);
  if (problem.end > problem.begin + 1) {
    place += fmt::format(" (bytes {} to {} of the bundle)", problem.begin, problem.end - 1);
  } else if (problem.end > 0) {
    place += fmt::format(" (byte {} of the bundle)", problem.begin);
  }
  return fmt::format("{}: {}", place, problem.what);
}

int BundleVerification::trusted() const {
  return static_cast<int>(std::count_if(signers.begin(), signers.end(), [](const Signer& signer) {
    return !signer.trusted_as.empty();
  }));
}

BundleVerification verify(std::string_view bytes, std::span<const TrustedKey> trusted,
                          const EvidenceViews& views, const SealedBy& own) {
  BundleVerification out;
  try {
    const auto members = read_archive(bytes);
    const auto body = verify_signatures(members, trusted, out);
    if (!body) return out;
    try {
      out.manifest = Manifest::from_text(*body);
    } catch (const Error& error) {
      out.problems.push_back(problem_in(*find_member(members, kManifestName), error.message()));
      return out;
    }
    BundleCheck(members, *out.manifest, views, own, out).all();
  } catch (const ArchiveError& error) {
    out.problems.push_back({.member = {},
                            .line = 0,
                            .begin = error.begin(),
                            .end = error.end(),
                            .what = error.message()});
  } catch (const std::exception& error) {
    out.problems.push_back(
        {.member = {}, .line = 0, .begin = 0, .end = bytes.size(), .what = error.what()});
  }
  return out;
}

}  // namespace stepmark
