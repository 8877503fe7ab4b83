// SPDX-License-Identifier: Apache-2.0
// From the outside in: the archive's form, the signatures, the manifest, the files, what follows
// from the journals. Each step reads only what the one before has found good.
#include "results/seal/verify.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "core/error.h"
#include "results/record/json_reader.h"
#include "results/seal/archive.h"
#include "results/seal/bytes.h"
#include "results/seal/json_differs.h"
#include "results/seal/verify_journal.h"
#include "results/seal/verify_signatures.h"

namespace stepmark {

namespace {

bool is_unsigned(std::string_view name) {
  return name == kManifestName || name == kSignaturesName || name.starts_with(kKeysFolder);
}

// Pages of one version: alike but for digits of numbers, which compilers may differ in.
bool same_page(std::string_view claimed, std::string_view again) {
  if (claimed == again) return true;
  constexpr std::string_view kBegin = R"(<script type="application/json" id="data">)";
  constexpr std::string_view kEnd = "</script>";
  const auto data_of = [&](std::string_view page) -> std::pair<std::string_view, std::string> {
    const auto begin = page.find(kBegin);
    const auto end = page.find(kEnd, begin);
    if (begin == std::string_view::npos || end == std::string_view::npos) return {{}, ""};
    return {page.substr(begin + kBegin.size(), end - begin - kBegin.size()),
            std::string(page.substr(0, begin)) + std::string(page.substr(end))};
  };
  const auto [data, rest] = data_of(claimed);
  const auto [other_data, other_rest] = data_of(again);
  return !data.empty() && !other_data.empty() && rest == other_rest &&
         !first_difference_of(parse_json(data), parse_json(other_data), false);
}

class BundleCheck {
 public:
  BundleCheck(const std::vector<PlacedMember>& members, const Manifest& manifest,
              const EvidenceViews& views, const SealedBy& own, Verification& out)
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
    for (const auto& [name, ignored] : runs_) {
      follows(beside_journal("config", name), header_text(content_of(name), "config"));
      follows(beside_journal("environment", name), header_text(content_of(name), "environment"));
    }
    if (runs_.size() == manifest_.journals.size() && !runs_.empty()) {
      guarded(kPageName, [&] { page(); });
      if (manifest_.comparison) guarded(kVerdictsName, [&] { verdicts(); });
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

  // A step that reads what a signer wrote, who may be anyone.
  template <class Step>
  void guarded(std::string_view name, const Step& step) {
    try {
      step();
    } catch (const std::exception& error) {
      out_.problems.push_back(
          {.member = std::string(name), .line = 0, .begin = 0, .end = 0, .what = error.what()});
    }
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
    if (manifest_.comparison) names.emplace(kVerdictsName);
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

  // A file that can be made again from the journals.
  void follows(const std::string& name, const std::string& expected) {
    const auto* member = find_member(members_, name);
    if (member == nullptr) return;  // said already
    if (auto wrong = first_wrong_byte(*member, expected,
                                      wrong_.contains(name)
                                          ? "damaged: this byte is not as it was signed"
                                          : "does not follow from the journal from here on")) {
      out_.problems.push_back(std::move(*wrong));
    }
  }

  // Whether the page that is made again is the one that was signed, whatever the member holds now.
  [[nodiscard]] bool was_signed(std::string_view name, std::string_view text) const {
    const auto* file = manifest_.file(name);
    return file != nullptr && sha256(text) == file->sha256;
  }

  void page() {
    const auto again = views_.page(runs_in_order());
    const auto* member = find_member(members_, kPageName);
    if (member == nullptr) return;
    const bool damaged = wrong_.contains(std::string(kPageName));
    if (damaged ? was_signed(kPageName, again)
                : same_build_ && !same_page(member->content, again)) {
      follows(std::string(kPageName), again);
    } else if (!damaged && !same_build_) {
      out_.notes.push_back(
          "report.html was drawn by another build of stepmark and was not compared with the "
          "samples: draw it again with `stepmark report` from the journals");
    }
  }

  void verdicts() {
    const auto* member = find_member(members_, kVerdictsName);
    if (member == nullptr) return;
    std::vector<std::vector<Run>> sides;
    for (const auto& side : manifest_.comparison->sides) {
      auto& list = sides.emplace_back();
      for (const auto& file : side) {
        const auto run = runs_.find(file);
        STEPMARK_REQUIRE(run != runs_.end(), "compares '{}', which is not in the bundle", file);
        list.push_back(run->second);
      }
    }
    const auto again = views_.verdicts(sides, manifest_.comparison->margin);
    if (wrong_.contains(std::string(kVerdictsName))) {
      const auto text = verdicts_text(again);
      if (was_signed(kVerdictsName, text)) follows(std::string(kVerdictsName), text);
      return;
    }
    const auto claimed = parse_json(member->content);
    if (auto found = first_difference_of(claimed, again, !same_build_)) {
      out_.problems.push_back(
          problem_in(*member, "does not follow from the samples: " + *found +
                                  (same_build_ ? ""
                                               : " (sealed by another build of stepmark, which "
                                                 "may have judged otherwise)")));
    }
    for (const auto& side : again.value("sides", nlohmann::json::array())) {
      out_.verdicts +=
          static_cast<std::int64_t>(side.value("cases", nlohmann::json::array()).size());
    }
  }

  [[nodiscard]] std::string_view content_of(const std::string& name) const {
    return find_member(members_, name)->content;
  }

  [[nodiscard]] std::vector<Run> runs_in_order() const {
    std::vector<Run> out;
    for (const auto& journal : manifest_.journals) out.push_back(runs_.at(journal.file));
    return out;
  }

  const std::vector<PlacedMember>& members_;
  const Manifest& manifest_;
  const EvidenceViews& views_;
  Verification& out_;
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

int Verification::trusted() const {
  return static_cast<int>(std::count_if(signers.begin(), signers.end(), [](const Signer& signer) {
    return !signer.trusted_as.empty();
  }));
}

Verification verify(std::string_view bytes, std::span<const TrustedKey> trusted,
                    const EvidenceViews& views, const SealedBy& own) {
  Verification out;
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
