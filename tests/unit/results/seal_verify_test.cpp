// SPDX-License-Identifier: Apache-2.0
// Whatever is done to a bundle is found, and the place is named; what its author forged is found
// where it does not follow from the samples.
#include "results/seal/verify.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <random>

#include "results/record/chain.h"
#include "results/record/journal_lines.h"
#include "seal_bundle.h"
#include "synthetic.h"

namespace stepmark {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

std::string lines_joined(const std::vector<std::string>& lines) {
  std::string out;
  for (const auto& line : lines) out += line;
  return out;
}

std::vector<std::string> lines_of(const std::string& content) {
  std::vector<std::string> out;
  for (std::size_t at = 0; at < content.size();) {
    const auto end = content.find('\n', at) + 1;
    out.push_back(content.substr(at, end - at));
    at = end;
  }
  return out;
}

class Bundles : public ::testing::Test {
 protected:
  static Bundle one() {
    return seal({{sealed::journal("/tmp/a.smk", 1)}}, options(), sealed::views(), key());
  }
  static Bundle two(int count = 30) {
    return seal({{sealed::journal("a.smk", 1, count)}, {sealed::journal("b.smk", 2, count)}},
                options(), sealed::views(), key());
  }
  static SealOptions options() { return {.by = sealed::by()}; }
  static const SigningKey& key() {
    static const auto made = SigningKey::from_seed(std::string(32, 'k'));
    return made;
  }
  static std::vector<TrustedKey> trust(const SigningKey& whom) {
    return {{.name = "friend.pub", .key = whom.public_key()}};
  }
  // A bundle whose author changed the first record of a journal, and hashed and signed it all.
  template <class Change>
  static std::string forged(const Change& change) {
    auto bundle = two();
    auto& journal = sealed::member(bundle.members, "journals/a.smk");
    std::vector<nlohmann::json> lines;
    for (const auto& line : lines_of(journal.content)) {
      lines.push_back(nlohmann::json::parse(line));
      lines.back().erase("chain");
    }
    change(lines[1]);
    journal.content = synthetic::chained(lines);
    auto& manifest = sealed::member(bundle.members, kManifestName);
    auto json = nlohmann::json::parse(manifest.content);
    std::string hash;
    for (const auto& line : lines) static_cast<void>(chained_line(compact(line), hash));
    for (auto& one : json["journals"]) {
      if (one["file"] == "journals/a.smk") one["chain"] = hash;
    }
    manifest.content = json.dump(1) + "\n";
    sealed::sign_again(bundle.members, key());
    return sealed::bytes_of(bundle);
  }
};

TEST_F(Bundles, VerifyWithEveryFigureAndVerdictComputedAgain) {
  const auto bytes = sealed::bytes_of(two());
  const auto found = sealed::verified(bytes, trust(key()));
  EXPECT_EQ(sealed::said(found), "");
  EXPECT_EQ(found.lines, 6);
  EXPECT_EQ(found.records, 2);
  EXPECT_GE(found.figures, 2 * 4);
  EXPECT_EQ(found.verdicts, 1);
  EXPECT_EQ(found.trusted(), 1);
  ASSERT_THAT(found.signers, SizeIs(1));
  EXPECT_EQ(found.signers[0].trusted_as, "friend.pub");
  EXPECT_EQ(sealed::bytes_of(two()), bytes) << "the same twice";
  const auto stranger = sealed::verified(bytes, trust(SigningKey::generate()));
  EXPECT_EQ(stranger.trusted(), 0);
  EXPECT_EQ(sealed::said(stranger), "");
}

TEST_F(Bundles, OneBitOfAnyByteIsFoundAndLocated) {
  auto bytes = sealed::bytes_of(one());
  ASSERT_EQ(sealed::said(sealed::verified(bytes)), "");
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const char before = bytes[i];
    bytes[i] = static_cast<char>(before ^ (1 << (i % 8)));
    const auto found = sealed::verified(bytes);
    const bool located =
        std::any_of(found.problems.begin(), found.problems.end(), [&](const Problem& problem) {
          return problem.begin <= i && i < problem.end && problem.end - problem.begin < 6000;
        });
    ASSERT_TRUE(located) << "byte " << i << " of " << bytes.size() << ": " << sealed::said(found);
    bytes[i] = before;
  }
}

TEST_F(Bundles, OneBitOfVerdictsIsFoundToTheByte) {
  auto bytes = sealed::bytes_of(two());
  const auto begin = bytes.find("\"adjusted_p\"");
  for (std::size_t i = begin; i < begin + 200; i += 7) {
    bytes[i] = static_cast<char>(bytes[i] ^ 1);
    const auto found = sealed::verified(bytes);
    ASSERT_THAT(found.problems, SizeIs(1));
    EXPECT_EQ(found.problems[0].begin, i);
    EXPECT_EQ(found.problems[0].end, i + 1);
    bytes[i] = static_cast<char>(bytes[i] ^ 1);
  }
}

TEST_F(Bundles, OneBitOfALargeOneIsFoundInItsLine) {
  const auto bundle =
      seal({{sealed::journal("a.smk", 1, 20000, "n", 4)}}, options(), sealed::views(), key());
  auto bytes = sealed::bytes_of(bundle);
  ASSERT_GT(bytes.size(), 1'000'000U);
  std::mt19937_64 random(7);
  for (int i = 0; i < 20; ++i) {
    const auto at = random() % bytes.size();
    bytes[at] = static_cast<char>(bytes[at] ^ (1 << (random() % 8)));
    const auto found = sealed::verified(bytes);
    ASSERT_THAT(found.problems, Not(IsEmpty())) << at;
    EXPECT_TRUE(std::any_of(found.problems.begin(), found.problems.end(),
                            [&](const Problem& one) { return one.begin <= at && at < one.end; }))
        << at << sealed::said(found);
    bytes = sealed::bytes_of(bundle);
  }
}

TEST_F(Bundles, CutRepeatedAndMovedLinesAreRefusedWithTheLine) {
  const auto source = sealed::journal("a.smk", 1, 8, "n", 3);
  const auto lines = lines_of(source.content);
  ASSERT_THAT(lines, SizeIs(5));
  auto repeated = lines;
  repeated.insert(repeated.begin() + 2, lines[1]);
  auto moved = lines;
  std::swap(moved[1], moved[2]);
  auto removed = lines;
  removed.erase(removed.begin() + 1);
  const auto cut = source.content.substr(0, source.content.size() - 30);
  const auto without_end = lines_joined({lines.begin(), lines.end() - 1});
  for (const auto& [content, place] :
       {std::pair(lines_joined(repeated), "3"), std::pair(lines_joined(moved), "2"),
        std::pair(lines_joined(removed), "2"), std::pair(cut, "5"), std::pair(without_end, "4")}) {
    try {
      static_cast<void>(
          seal({{{.path = "a.smk", .content = content}}}, options(), sealed::views(), key()));
      ADD_FAILURE() << "sealed, line " << place;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::kUsage);
      EXPECT_THAT(error.message(), HasSubstr(fmt::format("a.smk:{}: ", place)));
    }
    // And where it happens to a bundle.
    auto bundle = seal({{source}}, {.redact = false, .by = sealed::by()}, sealed::views(), key());
    sealed::member(bundle.members, "journals/a.smk").content = content;
    const auto found = sealed::verified(sealed::bytes_of(bundle));
    const auto expected = content == without_end ? "5" : place;
    EXPECT_THAT(sealed::said(found), HasSubstr(fmt::format("journals/a.smk:{} ", expected)));
  }
  EXPECT_NO_THROW(static_cast<void>(seal({{{.path = "a.smk", .content = without_end}}},
                                         {.accept_unfinished = true, .by = sealed::by()},
                                         sealed::views(), key())));
  try {
    static_cast<void>(seal({{source, {.path = "copy.smk", .content = source.content}}}, options(),
                           sealed::views(), key()));
    ADD_FAILURE() << "the same run twice";
  } catch (const Error& error) {
    EXPECT_THAT(error.message(), HasSubstr("a.smk and copy.smk are the same run"));
  }
}

TEST_F(Bundles, AnotherJournalInThePlaceOfTheSignedOneIsFound) {
  auto bundle = one();
  sealed::member(bundle.members, "journals/a.smk").content = sealed::journal("a.smk", 99).content;
  EXPECT_THAT(sealed::said(sealed::verified(sealed::bytes_of(bundle))),
              HasSubstr("its lines fit each other, but are not those that were signed"));
}

TEST_F(Bundles, AddedMissingAndRenamedFilesAreFound) {
  auto added = one();
  added.members.push_back({.name = "notes.txt", .content = "believe me"});
  EXPECT_THAT(sealed::said(sealed::verified(sealed::bytes_of(added))),
              HasSubstr("notes.txt (bytes"));
  auto missing = one();
  std::erase_if(missing.members, [](const Member& one) { return one.name == kPageName; });
  EXPECT_THAT(sealed::said(sealed::verified(sealed::bytes_of(missing))),
              HasSubstr("report.html: missing"));
  auto renamed = two();
  auto& a = sealed::member(renamed.members, "journals/a.smk");
  auto& b = sealed::member(renamed.members, "journals/b.smk");
  std::swap(a.content, b.content);
  EXPECT_THAT(sealed::said(sealed::verified(sealed::bytes_of(renamed))),
              AllOf(HasSubstr("journals/a.smk"), HasSubstr("journals/b.smk")));
}

TEST_F(Bundles, WhatItsAuthorForgedDoesNotFollow) {
  EXPECT_THAT(sealed::said(sealed::verified(forged([](auto&) {}))), IsEmpty());
  const auto metric = sealed::verified(forged([](nlohmann::json& record) {
    auto& value = record["metrics"][0]["value"];
    value = value.template get<double>() * 1.05;
  }));
  EXPECT_THAT(sealed::said(metric), AllOf(HasSubstr("journals/a.smk:2 (bytes"),
                                          HasSubstr("does not follow"), HasSubstr("metric ")));
  const auto summary = sealed::verified(
      forged([](nlohmann::json& record) { record["summaries"][0]["median"] = 1e-9; }));
  EXPECT_THAT(sealed::said(summary), HasSubstr("summary of time_s: median 1e-09 in the file"));
}

TEST_F(Bundles, ForgedVerdictsAndPagesDoNotFollow) {
  for (const auto& [name, from, to] :
       {std::tuple(kVerdictsName, "undecided", "faster"), std::tuple(kPageName, "run-1", "run-9"),
        std::tuple(std::string_view("config/a.json"), "\"", "'"),
        std::tuple(std::string_view("environment/b.json"), "EPYC", "XEON")}) {
    auto bundle = two();
    auto& content = sealed::member(bundle.members, name).content;
    const auto at = content.find(from);
    ASSERT_NE(at, std::string::npos) << name << content;
    content.replace(at, std::string_view(from).size(), to);
    sealed::sign_again(bundle.members, key());
    EXPECT_THAT(sealed::said(sealed::verified(sealed::bytes_of(bundle))),
                AllOf(HasSubstr(std::string(name) + ":"), HasSubstr("does not follow")));
  }
}

// What a signer could hide from being looked at.
TEST_F(Bundles, AManifestThatLeavesSomethingUncheckedIsRefused) {
  const auto said_of = [](auto&& change) {
    auto bundle = two();
    auto& content = sealed::member(bundle.members, kManifestName).content;
    auto json = nlohmann::json::parse(content);
    change(json);
    content = json.dump(1) + "\n";
    sealed::sign_again(bundle.members, key());
    return sealed::said(sealed::verified(sealed::bytes_of(bundle)));
  };
  EXPECT_EQ(said_of([](auto&) {}), "");
  EXPECT_THAT(said_of([](auto& json) { json["journals"].erase(1); }),
              HasSubstr("journals/b.smk: not a file that a bundle has"));
  EXPECT_THAT(said_of([](auto& json) { json["journals"].push_back(json["journals"][0]); }),
              HasSubstr("journals/a.smk: not a journal's name, or twice"));
  EXPECT_THAT(said_of([](auto& json) { json.erase("comparison"); }),
              HasSubstr("comparison.json: not a file that a bundle has"));
  EXPECT_THAT(said_of([](auto& json) { json["journals"][0]["ended"] = false; }),
              HasSubstr("the manifest says 'run-1' (not ended)"));
  EXPECT_THAT(said_of([](auto& json) { json["comparison"]["margin"] = 0.5; }),
              HasSubstr("comparison.json:"));
  EXPECT_THAT(said_of([](auto& json) { json["journals"] = nlohmann::json::array(); }),
              HasSubstr("no journal"));
}

TEST_F(Bundles, AnotherCompilersDigitsAreNoForgery) {
  auto other = sealed::views();
  other.compare = [](const VerdictBasis& basis) {
    auto verdicts = sealed::views().compare(basis);
    auto& ratio = verdicts.json["sides"][0]["cases"][0]["ratio"];
    ratio = ratio.template get<double>() * (1 + 1e-13);
    return verdicts;
  };
  const auto page = [](const char* number) {
    return [number](std::span<const stepmark::Run>, const nlohmann::json&) {
      return fmt::format(R"(<p><script type="application/json" id="data">{{"a":{}}}</script></p>)",
                         number);
    };
  };
  other.page = page("1.00000000000001");
  auto here = sealed::views();
  here.page = page("1");
  const auto sources = [] {
    return std::vector<std::vector<JournalSource>>{{sealed::journal("a.smk", 1)},
                                                   {sealed::journal("b.smk", 2)}};
  };
  const auto bytes = sealed::bytes_of(seal(sources(), options(), other, key()));
  EXPECT_EQ(sealed::said(verify(bytes, {}, here, sealed::by())), "");
  here.page = page("1.001");
  EXPECT_THAT(sealed::said(verify(bytes, {}, here, sealed::by())),
              HasSubstr("report.html:1 (byte"));
  // Of another version nothing is said of the page.
  auto newer = sealed::by();
  newer.tool_version = "2.0";
  const auto found = verify(bytes, {}, here, newer);
  EXPECT_EQ(sealed::said(found), "");
  EXPECT_THAT(found.notes, ::testing::Contains(HasSubstr("was not compared")));
}

TEST_F(Bundles, SeveralSignAndEachIsNamed) {
  const auto provider = SigningKey::generate();
  const auto first = sealed::bytes_of(one());
  const auto both = add_signature(first, "b.tar", provider, sealed::views(), sealed::by());
  const std::vector<TrustedKey> keys{{.name = "buyer.pub", .key = key().public_key()},
                                     {.name = "provider.pub", .key = provider.public_key()}};
  const auto found = sealed::verified(both, keys);
  EXPECT_EQ(sealed::said(found), "");
  EXPECT_EQ(found.trusted(), 2);
  EXPECT_EQ(sealed::verified(first, keys).trusted(), 1);
  EXPECT_THROW(
      static_cast<void>(add_signature(both, "b.tar", provider, sealed::views(), sealed::by())),
      Error);
  auto broken = first;
  broken[broken.find("EPYC")] = 'X';
  try {
    static_cast<void>(add_signature(broken, "b.tar", provider, sealed::views(), sealed::by()));
    ADD_FAILURE() << "signed what does not verify";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kCheckFailed);
    EXPECT_THAT(error.message(), HasSubstr("b.tar: not signed: "));
  }
}

TEST_F(Bundles, ASignatureIsWorthNothingUnderAnotherName) {
  // Who changes everything and signs it is a signer, but not the one who was named.
  auto bundle = one();
  const auto thief = SigningKey::generate();
  sealed::sign_again(bundle.members, thief);
  const auto found = sealed::verified(sealed::bytes_of(bundle), trust(key()));
  EXPECT_EQ(sealed::said(found), "");
  EXPECT_EQ(found.trusted(), 0);
  EXPECT_EQ(found.signers.at(0).fingerprint, thief.public_key().fingerprint());
  // A key under another's name.
  auto named = one();
  sealed::member(named.members, fmt::format("keys/{}.pub", key().public_key().fingerprint()))
      .content = thief.public_key().pem();
  EXPECT_THAT(sealed::said(sealed::verified(sealed::bytes_of(named))),
              HasSubstr("whose name it does not have"));
}

TEST_F(Bundles, AnythingElseIsNoBundle) {
  const auto bytes = sealed::bytes_of(one());
  for (const auto& other :
       {std::string(), std::string("hello"), std::string(1024, '\0'), bytes.substr(0, 700),
        bytes.substr(0, bytes.size() - 512), bytes + std::string(512, '\0')}) {
    EXPECT_THAT(sealed::verified(other).problems, Not(IsEmpty()));
  }
}

}  // namespace
}  // namespace stepmark
