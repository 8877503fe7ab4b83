// SPDX-License-Identifier: Apache-2.0
// Verdicts are compared as values, since compilers differ in last digits; what is damaged, and
// comes out here as it was signed, is named to the byte.
#include "results/seal/verify_follows.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.h"
#include "results/record/json_reader.h"
#include "results/seal/bytes.h"
#include "results/seal/json_differs.h"
#include "results/seal/verdict_basis.h"
#include "results/seal/verify_signatures.h"

namespace stepmark {

namespace {

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

class FollowsCheck {
 public:
  FollowsCheck(const CheckedBundle& bundle, BundleVerification& out) : bundle_(bundle), out_(out) {
    for (const auto& member : bundle.members) contents_.emplace(member.name, member.content);
  }

  void all() {
    for (const auto& journal : manifest().journals) {
      out_.runs.push_back(bundle_.runs.at(journal.file));
    }
    bool drawn = true;  // whether all is known that the page shows
    if (!agreed_is_whole()) {
      drawn = !manifest().across;
    } else {
      guarded(std::string(kManifestName), [&] { require_use(manifest()); });
      if (manifest().comparison) {
        guarded(kVerdictsName,
                [&] { verdicts(kVerdictsName, bundle_.views.compare(basis(kVerdictsName))); });
      }
      if (manifest().across) drawn = guarded(kAcrossName, [&] { across(); });
      if (manifest().find(AgreedKind::terms) != nullptr) {
        guarded(kContractName,
                [&] { verdicts(kContractName, bundle_.views.contract(basis(kContractName))); });
      }
    }
    if (drawn) guarded(kPageName, [&] { page(); });
  }

 private:
  [[nodiscard]] const Manifest& manifest() const { return bundle_.manifest; }

  [[nodiscard]] bool agreed_is_whole() const {
    return std::none_of(manifest().agreed.begin(), manifest().agreed.end(), [&](const auto& one) {
      const auto name = agreed_file(one.kind);
      return bundle_.wrong.contains(name) || !contents_.contains(name);
    });
  }

  // A step that reads what a signer wrote, who may be anyone. Whether it came to its end.
  template <class Step>
  bool guarded(std::string_view name, const Step& step) {
    try {
      step();
      return true;
    } catch (const std::exception& error) {
      out_.problems.push_back(
          {.member = std::string(name), .line = 0, .begin = 0, .end = 0, .what = error.what()});
      return false;
    }
  }

  [[nodiscard]] VerdictBasis basis(std::string_view file) const {
    return verdict_basis(file, manifest(), {.runs = bundle_.runs, .contents = contents_});
  }

  void across() {
    auto again = bundle_.views.across(basis(kAcrossName));
    verdicts(kAcrossName, again.across);
    if (manifest().find(AgreedKind::mix) != nullptr) verdicts(kPortfolioName, again.portfolio);
    out_.decision = std::move(again.page);
  }

  // Whether what is made again is what was signed, whatever the member holds now.
  [[nodiscard]] bool was_signed(std::string_view name, std::string_view text) const {
    const auto* file = manifest().file(name);
    return file != nullptr && sha256(text) == file->sha256;
  }

  void verdicts(std::string_view file, const Verdicts& again) {
    const std::string name(file);
    const auto* member = find_member(bundle_.members, name);
    if (member == nullptr) return;  // said already
    if (bundle_.wrong.contains(name)) {
      const auto text = verdicts_text(again.json);
      if (was_signed(name, text)) require_same(bundle_, name, text, out_);
      return;
    }
    const auto claimed = parse_json(member->content);
    if (auto found = first_difference_of(claimed, again.json, !bundle_.same_build)) {
      auto problem = problem_in(
          *member, "does not follow from the samples: " + found->text +
                       (bundle_.same_build ? ""
                                           : " (sealed by another build of stepmark, which may "
                                             "have judged otherwise)"));
      problem.line = line_of(claimed, found->place, member->content);
      out_.problems.push_back(std::move(problem));
    }
    out_.verdicts += again.count;
    out_.verdicts_by_file.emplace_back(name, again.summary);
  }

  void page() {
    const auto again = bundle_.views.page(out_.runs, out_.decision);
    const std::string name(kPageName);
    const auto* member = find_member(bundle_.members, name);
    if (member == nullptr) return;
    const bool damaged = bundle_.wrong.contains(name);
    if (damaged ? was_signed(name, again)
                : bundle_.same_build && !same_page(member->content, again)) {
      require_same(bundle_, name, again, out_);
    } else if (!damaged && !bundle_.same_build) {
      out_.notes.emplace_back(
          "report.html was drawn by another build of stepmark and was not compared with the "
          "samples: draw it again with `stepmark verify BUNDLE --html PAGE`");
    }
  }

  const CheckedBundle& bundle_;
  BundleVerification& out_;
  std::map<std::string, std::string_view> contents_;
};

}  // namespace

void require_same(const CheckedBundle& bundle, const std::string& name, const std::string& expected,
                  BundleVerification& out) {
  const auto* member = find_member(bundle.members, name);
  if (member == nullptr) return;  // said already
  if (auto wrong = first_wrong_byte(*member, expected,
                                    bundle.wrong.contains(name)
                                        ? "damaged: this byte is not as it was signed"
                                        : "does not follow from the journal from here on")) {
    out.problems.push_back(std::move(*wrong));
  }
}

void verify_agreed(const CheckedBundle& bundle, BundleVerification& out) {
  for (const auto& agreed : bundle.manifest.agreed) {
    const auto* member = find_member(bundle.members, agreed_file(agreed.kind));
    if (member == nullptr) continue;  // said already
    const auto place = first_other_line(member->content, agreed.lines);
    if (!place) continue;
    auto problem = problem_in(*member, bundle.wrong.contains(member->name)
                                           ? "damaged: this line is not as it was signed"
                                           : "this line does not fit its hash in the manifest");
    problem.line = place->line;
    problem.begin = member->begin + place->begin;
    problem.end = member->begin + place->end;
    out.problems.push_back(std::move(problem));
  }
}

void verify_verdicts_and_page(const CheckedBundle& bundle, BundleVerification& out) {
  FollowsCheck(bundle, out).all();
}

}  // namespace stepmark
