// SPDX-License-Identifier: Apache-2.0
// Bundles with terms, prices and a mix: their verdicts are computed again, a changed byte of them
// is found in its line, and names are replaced alike in all files.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <random>

#include "results/seal/verify.h"
#include "seal_bundle.h"

namespace stepmark {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::Pair;
using ::testing::SizeIs;
using ::testing::StartsWith;

constexpr const char* kTerms = R"(terms: renewal
parties: {provider: Example Cloud, customer: Example Labs}
valid: {from: 2026-09-01, until: 2027-08-31}
quantity: {nodes: 2, gpus_per_node: 2}
floors:
  # node gpu-018: was replaced in March, says ops@gpu-017
  - floor: step
    case: step/tiny/dp2.tp2
    nodes: 2
    metric: tokens_per_s
    at_least: 18000 tokens/s
availability:
  objective: 99.5%
  unit: order
  maintenance: {mode: counts}
  outages:
    - {from: 2026-12-06T05:00:00Z, to: 2026-12-06T11:00:00Z, nodes: [gpu-019], cause: gpu-019 lost NVLink}
)";
constexpr const char* kPrices = R"(prices: november
currency: USD
date: 2026-11-01
source: offers
providers:
  - {provider: Example Cloud, prices: [{kind: on-demand, per_gpu_hour: 3}]}
  - {provider: B, prices: [{kind: on-demand, per_gpu_hour: 2}]}
)";
constexpr const char* kMix = R"(mix: ours
providers:
  - {provider: Example Cloud, gpus: 64, gpus_per_node: 2}
  - {provider: B, gpus: 64, gpus_per_node: 2}
workloads:
  - {workload: tiny, tokens_per_month: 1e10, now: Example Cloud}
)";

class AgreedBundles : public ::testing::Test {
 protected:
  static SealOptions options() {
    SealOptions out;
    out.by = sealed::by();
    out.across = true;
    out.providers = {"Example Cloud", "B"};
    out.day = "2026-11-29";
    out.agreed = {{AgreedKind::terms, {.path = "terms.yaml", .content = kTerms}},
                  {AgreedKind::prices, {.path = "prices.yaml", .content = kPrices}},
                  {AgreedKind::mix, {.path = "mix.yaml", .content = kMix}}};
    out.names.hosts = {"gpu-019"};  // as the command takes them from the terms' outages
    out.names.kept = {"Example Cloud", "Example Labs", "step", "step/tiny/dp2.tp2", "tiny"};
    return out;
  }
  static std::vector<std::vector<JournalSource>> sides() {
    std::vector<std::vector<JournalSource>> out(2);
    for (std::uint64_t i = 0; i < 3; ++i) {
      const auto part = static_cast<double>(i);
      out[0].push_back(sealed::step_journal(fmt::format("a{}.smk", i), 1 + i, 0.1 + 1e-4 * part));
      out[1].push_back(
          sealed::step_journal(fmt::format("b{}.smk", i), 11 + i, 0.125 + 1e-4 * part));
    }
    return out;
  }
  static const SigningKey& key() {
    static const auto made = SigningKey::from_seed(std::string(32, 'k'));
    return made;
  }
  static const Bundle& bundle() {
    static const auto made = seal(sides(), options(), sealed::views(), key());
    return made;
  }
  static std::string content(std::string_view name) {
    auto members = bundle().members;
    return sealed::member(members, name).content;
  }
  // What is said of a bundle whose author wrote something else into a file, and signed all of it.
  static BundleVerification forged(std::string_view name, std::string_view from,
                                   std::string_view to) {
    auto members = bundle().members;
    auto& text = sealed::member(members, name).content;
    const auto at = text.find(from);
    EXPECT_NE(at, std::string::npos) << name << text;
    text.replace(at, from.size(), to);
    sealed::sign_again(members, key());
    return sealed::verified(write_archive(members));
  }
};

TEST_F(AgreedBundles, AllVerdictsAreComputedAgain) {
  const auto found = sealed::verified(sealed::bytes_of(bundle()));
  EXPECT_EQ(sealed::said(found), "");
  EXPECT_EQ(found.verdicts, 1 + 1 + 1 + 1);
  EXPECT_THAT(found.verdicts_by_file,
              AllOf(SizeIs(4), Contains(Pair("contract.json", "1 met")),
                    Contains(Pair("across.json", "1 slower")),
                    Contains(Pair("portfolio.json", "1 workload allocated"))));
  EXPECT_THAT(found.runs, SizeIs(6));
  EXPECT_TRUE(found.decision.contains("portfolio"));
  // By hand: 2048 tokens in about 0.1001 s, on four GPUs: 12 $/h over 20,460 tokens/s.
  const auto across = nlohmann::json::parse(content("across.json"));
  const auto& cost = across["works"][0]["costs"][0]["figures"][0];
  EXPECT_EQ(cost["name"], "cost_per_1e6_tokens");
  EXPECT_NEAR(cost["value"].get<double>(), 12.0 / 3600 / (2048 / 0.1001) * 1e6, 2e-4);
  EXPECT_EQ(across["prices"]["today"], "2026-11-29");
  // The other provider's runs are no evidence for these terms.
  const auto contract = nlohmann::json::parse(content("contract.json"));
  EXPECT_THAT(contract["floors"][0]["cells"][0]["runs"], SizeIs(3));
  EXPECT_THAT(contract["floors"][0]["cells"][0]["runs"][0]["journal"].get<std::string>(),
              HasSubstr("journals/a0.smk"));
}

TEST_F(AgreedBundles, ForgedVerdictsAreNamedWithFileAndLine) {
  struct {
    std::string_view file, from, to;
    const char* what;
  } const kForgeries[] = {
      {"contract.json", "\"verdict\": \"met\"", "\"verdict\": \"not met\"", "floor step"},
      {"across.json", "\"verdict\": \"slower\"", "\"verdict\": \"faster\"",
       "works[0].pairs[0].verdict"},
      {"portfolio.json", "\"workload\": \"tiny\"", "\"workload\": \"tony\"",
       "workloads[0].workload"},
      {"comparison.json", "\"verdict\": \"slower\"", "\"verdict\": \"same\"",
       "sides[0].cases[0].verdict"},
  };
  for (const auto& [file, from, to, what] : kForgeries) {
    const auto found = forged(file, from, to);
    ASSERT_THAT(found.problems, SizeIs(1)) << file << sealed::said(found);
    const auto& problem = found.problems[0];
    EXPECT_EQ(problem.member, file);
    EXPECT_THAT(problem.what, AllOf(HasSubstr("does not follow from the samples"), HasSubstr(what),
                                    HasSubstr(std::string(to.substr(to.find(": ") + 2)))));
    const auto text = content(file);
    EXPECT_EQ(problem.line,
              1 + std::count(text.begin(),
                             text.begin() + static_cast<std::ptrdiff_t>(text.find(from)), '\n'));
  }
}

TEST_F(AgreedBundles, OtherTermsGiveOtherVerdicts) {
  auto members = bundle().members;
  auto& terms = sealed::member(members, "agreed/terms.yaml").content;
  terms.replace(terms.find("18000"), 5, "28000");
  sealed::sign_again(members, key());
  const auto said = sealed::said(sealed::verified(write_archive(members)));
  EXPECT_THAT(said, AllOf(HasSubstr("agreed/terms.yaml:11"), HasSubstr("does not fit its hash"),
                          HasSubstr("contract.json:3"), HasSubstr("counts.met: 1, 0 follows")));
}

TEST_F(AgreedBundles, OneBitOfAnyOfThemIsFoundInItsLine) {
  auto bytes = sealed::bytes_of(bundle());
  for (const auto& member : read_archive(bytes)) {
    if (!member.name.starts_with("agreed/") && member.name != "contract.json" &&
        member.name != "across.json" && member.name != "portfolio.json") {
      continue;
    }
    const std::string name = member.name, before(member.content);
    const auto begin = member.begin;
    std::mt19937_64 random(member.begin);
    for (int i = 0; i < (name.starts_with("agreed/") ? 40 : 12); ++i) {
      const auto at = random() % before.size();
      bytes[begin + at] = static_cast<char>(before[at] ^ (1 << (random() % 8)));
      const auto found = sealed::verified(bytes);
      const auto line =
          1 + std::count(before.begin(), before.begin() + static_cast<std::ptrdiff_t>(at), '\n');
      EXPECT_TRUE(std::any_of(found.problems.begin(), found.problems.end(),
                              [&](const Problem& one) {
                                return one.member == name && one.line == line &&
                                       one.begin <= begin + at && begin + at < one.end;
                              }))
          << name << " byte " << at << " line " << line << ": " << sealed::said(found);
      bytes[begin + at] = before[at];
    }
  }
}

TEST_F(AgreedBundles, NamesAreReplacedAlikeAndPartiesStay) {
  const auto terms = content("agreed/terms.yaml");
  EXPECT_THAT(terms, Not(HasSubstr("gpu-01")));
  EXPECT_THAT(terms, AllOf(HasSubstr("provider: Example Cloud, customer: Example Labs"),
                           HasSubstr("case: step/tiny/dp2.tp2"), HasSubstr("nodes: [host-")));
  const auto environment = content("environment/a0.json");
  EXPECT_THAT(environment, Not(HasSubstr("gpu-01")));
  // gpu-018 of the comment is the journals' gpu-018, gpu-019 is another host.
  std::string word;
  for (const auto& one : bundle().redactions) {
    if (one.original == "gpu-018") word = one.replacement;
  }
  ASSERT_FALSE(word.empty());
  EXPECT_THAT(terms, HasSubstr("# node " + word + ": was replaced"));
  EXPECT_THAT(environment, HasSubstr(word + " x2"));
  EXPECT_THAT(terms, Not(HasSubstr("cause: " + word)));
}

TEST_F(AgreedBundles, KeysOfAFileStayThoughTheyAreNames) {
  Redactor redactor({.hosts = {"nodes"}, .users = {"case"}, .others = {}});
  EXPECT_EQ(redactor.replaced_yaml("case: x  # case: y\nnodes: [nodes]\n\"case\": case\n"),
            "case: x  # user-1: y\nnodes: [host-1]\n\"case\": user-1\n");
}

TEST_F(AgreedBundles, WhatIsLeftOutIsSaid) {
  const auto message = [](const SealOptions& how) -> std::string {
    try {
      static_cast<void>(seal(sides(), how, sealed::views(), key()));
    } catch (const Error& error) {
      return error.message();
    }
    return "sealed";
  };
  auto no_across = options();
  no_across.across = false;
  EXPECT_THAT(message(no_across), HasSubstr("prices are for verdicts between providers"));
  auto no_prices = options();
  no_prices.agreed.erase(AgreedKind::prices);
  EXPECT_THAT(message(no_prices), HasSubstr("a mix is allocated by prices"));
  auto stranger = options();
  stranger.providers = {"A", "B"};
  stranger.agreed.erase(AgreedKind::prices);
  stranger.agreed.erase(AgreedKind::mix);
  EXPECT_THAT(message(stranger),
              AllOf(StartsWith("terms.yaml: the provider 'Example Cloud' of the terms is none of"),
                    HasSubstr("(A, B)")));
  stranger.agreed.erase(AgreedKind::terms);
  EXPECT_EQ(message(stranger), "sealed");
}

// What a signer could leave out of the manifest.
TEST_F(AgreedBundles, AManifestThatLeavesSomethingUncheckedIsRefused) {
  const auto said_of = [](auto&& change) {
    auto members = bundle().members;
    auto& text = sealed::member(members, kManifestName).content;
    auto json = nlohmann::json::parse(text);
    change(json);
    text = json.dump(1) + "\n";
    sealed::sign_again(members, key());
    return sealed::said(sealed::verified(write_archive(members)));
  };
  EXPECT_THAT(said_of([](auto&) {}), IsEmpty());
  EXPECT_THAT(said_of([](auto& json) { json.erase("across"); }),
              AllOf(HasSubstr("across.json: not a file that a bundle has"),
                    HasSubstr("portfolio.json: not a file that a bundle has")));
  EXPECT_THAT(said_of([](auto& json) { json["agreed"].erase(0); }),
              AllOf(HasSubstr("agreed/terms.yaml: not a file that"),
                    HasSubstr("contract.json: not a file that")));
  EXPECT_THAT(said_of([](auto& json) { json["agreed"].push_back(json["agreed"][0]); }),
              HasSubstr("agreed/terms.yaml: twice in the manifest"));
  EXPECT_THAT(said_of([](auto& json) { json["across"]["day"] = "2027-06-01"; }),
              HasSubstr("across.json:"));
  EXPECT_THAT(said_of([](auto& json) { json["across"]["names"][0] = "C"; }),
              HasSubstr("across.json:"));
  EXPECT_THAT(said_of([](auto& json) { json["across"]["day"] = "soon"; }),
              HasSubstr("across.json: 'soon': no day"));
}

}  // namespace
}  // namespace stepmark
