// SPDX-License-Identifier: Apache-2.0
// Whatever happens to a journal after it was written is noticed, and named.
#include "results/record/chain.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "core/error.h"
#include "results/compare/compare.h"
#include "results/families/read_journal.h"
#include "results/record/journal_lines.h"
#include "results/views/csv/csv.h"
#include "results/views/json/run_json.h"
#include "results/views/report/report_data.h"
#include "results/views/table/comparison_table.h"
#include "results/views/table/run_table.h"
#include "synthetic.h"

namespace stepmark {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

stepmark::Run small_run() {
  auto run = synthetic::run({.seed = 1, .count = 12, .collectives = false, .steps = false});
  run.records.resize(3);
  run.header.cases = {run.records[0].case_id, run.records[1].case_id, run.records[2].case_id};
  return run;
}

// What reading says: the error, or the warnings; empty: nothing was noticed.
std::string said(const std::string& content, const ReadOptions& options = {}) {
  try {
    const auto run = parse_journal(content, "a.smk", options);
    std::string out;
    for (const auto& warning : run.warnings) {
      out += warning + "\n";
    }
    return out;
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kUsage);
    return error.message();
  }
}

std::vector<std::string> split(const std::string& content) {
  std::vector<std::string> out;
  std::istringstream lines(content);
  for (std::string line; std::getline(lines, line);) {
    out.push_back(line + "\n");
  }
  return out;
}

std::string joined(const std::vector<std::string>& lines) {
  std::string out;
  for (const auto& line : lines) {
    out += line;
  }
  return out;
}

TEST(Chain, IsWhatItsDescriptionSays) {
  // BLAKE2b-256 of "abc", from the reference implementation.
  const std::string abc = "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319";
  EXPECT_EQ(chain_hash("", "abc"), abc);
  EXPECT_EQ(chain_hash("a", "bc"), abc);
  std::string hash;
  const auto line = chained_line(R"({"a":1})", hash);
  EXPECT_EQ(line, R"({"a":1,"chain":")" + chain_hash("", R"({"a":1)") + R"("})");
  const auto parts = split_chained(line);
  ASSERT_TRUE(parts);
  EXPECT_EQ(parts->body, R"({"a":1)");
  EXPECT_EQ(parts->hash, hash);
  EXPECT_FALSE(split_chained(R"({"a":1})"));
}

// One bit of every byte; over the bytes, every bit of a byte has its turn.
TEST(Chain, EveryFlippedBitIsNoticed) {
  const auto content = synthetic::chained(synthetic::lines_of(small_run()));
  ASSERT_EQ(said(content), "");
  for (std::size_t i = 0; i < content.size(); ++i) {
    auto changed = content;
    changed[i] = static_cast<char>(changed[i] ^ (1 << (i % 8)));
    EXPECT_NE(said(changed), "") << "byte " << i << " '" << content[i] << "' -> '" << changed[i];
  }
}

TEST(Chain, EveryChangedDigitIsNoticed) {
  const auto content = synthetic::chained(synthetic::lines_of(small_run()));
  for (std::size_t i = 0; i < content.size(); ++i) {
    if (std::isdigit(static_cast<unsigned char>(content[i])) != 0) {
      auto changed = content;
      changed[i] = static_cast<char>('0' + (content[i] - '0' + 1 + i % 9) % 10);
      EXPECT_NE(said(changed), "") << "byte " << i;
    }
  }
}

TEST(Chain, TheDamagedLineIsNamed) {
  auto lines = split(synthetic::chained(synthetic::lines_of(small_run())));
  ASSERT_EQ(lines.size(), 5U);
  const auto whole = lines;
  const auto digit = lines[2].find("0.0");
  lines[2][digit + 2] = lines[2][digit + 2] == '9' ? '8' : '9';
  EXPECT_THAT(said(joined(lines)),
              AllOf(StartsWith("a.smk:3: damaged: "), HasSubstr("lines 1 to 2 are intact"),
                    HasSubstr("--accept-damaged")));
  const auto moved = [&](const std::vector<std::size_t>& order) {
    std::string content;
    for (const auto i : order) {
      content += whole[i];
    }
    return said(content);
  };
  EXPECT_EQ(moved({0, 1, 2, 3, 4}), "");
  EXPECT_THAT(moved({0, 2, 3, 4}), StartsWith("a.smk:2: damaged"));        // removed
  EXPECT_THAT(moved({0, 1, 1, 2, 3, 4}), StartsWith("a.smk:3: damaged"));  // twice
  EXPECT_THAT(moved({0, 2, 1, 3, 4}), StartsWith("a.smk:2: damaged"));     // moved
  EXPECT_THAT(moved({1, 2, 3, 4}), StartsWith("a.smk:1: damaged"));
  EXPECT_EQ(moved({0, 1, 2, 3}), "");  // a cut end is seen by what is missing:
  const auto cut = parse_journal(whole[0] + whole[1] + whole[2], "a.smk");
  EXPECT_EQ(cut.missing().size(), 1U);
  EXPECT_THAT(run_table(cut), AllOf(HasSubstr("No end line"), HasSubstr("not-measured")));
  EXPECT_THAT(run_table(small_run()), Not(HasSubstr("No end line")));
}

TEST(Chain, ALineOfAnotherJournalDoesNotFit) {
  auto other = small_run();
  other.header.run_id = "another";
  auto lines = split(synthetic::chained(synthetic::lines_of(small_run())));
  lines[2] = split(synthetic::chained(synthetic::lines_of(other)))[2];
  EXPECT_THAT(said(joined(lines)), StartsWith("a.smk:3: damaged"));
}

TEST(Chain, HashesCannotBeTakenAway) {
  const auto lines = synthetic::lines_of(small_run());
  const auto with = split(synthetic::chained(lines));
  const auto without = split(synthetic::unchained(lines));
  // An older journal is read, and says that nothing watches over it.
  EXPECT_THAT(said(joined(without)), StartsWith("no hashes (schema version 1"));
  const auto old = parse_journal(joined(without), "a.smk");
  EXPECT_THAT(run_table(old), HasSubstr("Warning: no hashes"));
  EXPECT_EQ(run_json(old)["integrity"], "no hashes");
  // Version 1 with hashes, version 2 without, and mixtures are no journals.
  auto first = with[0];
  first.replace(first.find("\"schema_version\":2"), 18, "\"schema_version\":1");
  EXPECT_THAT(said(first + joined(without).substr(without[0].size())),
              StartsWith("a.smk:1: damaged"));
  EXPECT_THAT(said(without[0] + with[1]), StartsWith("a.smk:2: record.chain: unknown key"));
  EXPECT_THAT(said(with[0] + without[1]), StartsWith("a.smk:2: damaged"));
  auto bare = without[0];
  bare.replace(bare.find("\"schema_version\":1"), 18, "\"schema_version\":2");
  EXPECT_THAT(said(bare), StartsWith("a.smk:1: damaged"));
}

TEST(Chain, ADamagedEndIsReadWhereItsHashHolds) {
  const auto content = synthetic::chained(synthetic::lines_of(small_run()));
  auto damaged = content;
  damaged.back() = '\x0b';
  for (const auto& text : {damaged, content.substr(0, content.size() - 1)}) {
    const auto run = parse_journal(text, "a.smk");
    EXPECT_TRUE(run.ended);
    EXPECT_THAT(run.warnings, ElementsAre(HasSubstr("line 5: the last line's break is missing")));
  }
  const auto cut = parse_journal(content.substr(0, content.size() - 2), "a.smk");
  EXPECT_FALSE(cut.ended);
  EXPECT_THAT(cut.warnings, ElementsAre("line 5: incomplete last line ignored"));
}

TEST(Chain, AcceptedDamageIsReadOnAndLabelledEverywhere) {
  auto lines = split(synthetic::chained(synthetic::lines_of(small_run())));
  const auto digit = lines[2].find("0.0");
  lines[2][digit + 2] = '9';
  lines[3].replace(0, 10, "{\"label\":[");  // no JSON any more
  const auto run = parse_journal(joined(lines), "a.smk", {.accept_damaged = true});
  // The lines behind fit again: they follow from the hashes that the file has.
  EXPECT_THAT(run.damaged_lines, ElementsAre(3, 4));
  ASSERT_EQ(run.records.size(), 2U);
  EXPECT_THAT(run.records[0].labels, IsEmpty());
  EXPECT_THAT(run.records[1].labels, ElementsAre("damaged: line 3"));
  EXPECT_TRUE(run.ended);
  EXPECT_EQ(run.missing().size(), 1U);
  const auto table = run_table(run);
  EXPECT_THAT(table, AllOf(StartsWith("DAMAGED JOURNAL"), HasSubstr("line 3: damaged"),
                           HasSubstr("line 4: damaged, cannot be read")));
  const auto json = run_json(run);
  EXPECT_EQ(json["integrity"], "damaged");
  EXPECT_EQ(json["damaged_lines"], nlohmann::json({3, 4}));
  EXPECT_THAT(runs_csv(std::span(&run, 1)), HasSubstr("damaged: line 3"));
  const auto page = report_data(std::span(&run, 1));
  EXPECT_EQ(page["runs"][0]["integrity"], "damaged");
  EXPECT_GE(page["runs"][0]["warnings"].size(), 3U);
  auto candidate = small_run();
  candidate.header.run_id = "candidate";
  for (auto& record : candidate.records) {
    record.started_unix_s += 1;
  }
  const auto comparison = compare(
      std::vector{RunSide{.label = "a", .runs = {run}}, {.label = "b", .runs = {candidate}}});
  EXPECT_THAT(comparison_table(comparison),
              AllOf(HasSubstr("a.smk: line 3: damaged"), HasSubstr("baseline only: damaged")));
}

// What is said of a line that is no UTF-8 is UTF-8: it goes into JSON like every warning.
TEST(Chain, BytesOfADamagedLineStayPrintable) {
  auto lines = split(synthetic::chained(synthetic::lines_of(small_run())));
  for (const char* byte : {"\x97", "\xff", "\x1b"}) {
    auto changed = lines;
    changed[2].replace(changed[2].find("\"family\""), 1, byte);
    const auto run = parse_journal(joined(changed), "a.smk", {.accept_damaged = true});
    EXPECT_THAT(run.damaged_lines, ElementsAre(3));
    EXPECT_NO_THROW(static_cast<void>(run_json(run).dump()));
    EXPECT_NO_THROW(static_cast<void>(report_data(std::span(&run, 1)).dump()));
    EXPECT_EQ(run_table(run).find('\x1b'), std::string::npos);
  }
}

TEST(Chain, ChangedFiguresAreReplacedByThoseOfTheSamples) {
  const auto original = small_run();
  auto run = original;
  run.records[1].summaries[0].median *= 2;
  run.records[2].metrics[0].value = 1e6;
  for (const auto& content : {synthetic::unchained(synthetic::lines_of(run)),
                              synthetic::chained(synthetic::lines_of(run))}) {
    const auto back = parse_journal(content, "a.smk");
    EXPECT_THAT(back.warnings, ::testing::Contains(HasSubstr("lines 3-4: summaries or metrics")));
    for (std::size_t i = 0; i < original.records.size(); ++i) {
      EXPECT_EQ(to_json(back.records[i]), to_json(original.records[i]));
    }
  }
  run = original;
  run.records[0].series.clear();
  const auto bare = parse_journal(synthetic::chained(synthetic::lines_of(run)), "a.smk");
  EXPECT_THAT(bare.warnings, ElementsAre(HasSubstr("line 2: figures are as the file has them")));
}

class ChainFile : public ::testing::Test {
 protected:
  void SetUp() override {
    path_ = (std::filesystem::path(::testing::TempDir()) /
             fmt::format("stepmark_chain_{}.smk", ::getpid()))
                .string();
    std::filesystem::remove(path_);
  }
  void TearDown() override { std::filesystem::remove(path_); }
  std::string path_;
};

TEST_F(ChainFile, ResumeGoesOnWithTheChain) {
  const auto run = small_run();
  const auto lines = split(synthetic::chained(synthetic::lines_of(run)));
  const auto resume_and_read = [&](const std::string& content) {
    std::ofstream(path_, std::ios::binary) << content;
    {
      auto writer = JournalWriter::append(path_, run.header);
      writer.write(run.records[2]);
      writer.write_end(0, "");
    }
    const auto back = read_journal(path_);
    EXPECT_THAT(back.warnings, IsEmpty());
    EXPECT_TRUE(back.missing().empty());
    EXPECT_TRUE(back.ended);
  };
  resume_and_read(lines[0] + lines[1] + lines[2]);
  resume_and_read(lines[0] + lines[1] + lines[2] + lines[3].substr(0, 50));
  // A whole line without its break is kept.
  const auto unbroken = lines[0] + lines[1] + lines[2].substr(0, lines[2].size() - 1);
  resume_and_read(unbroken);
  resume_and_read(unbroken + "\x0b");
}

TEST_F(ChainFile, ResumeRefusesWhatIsDamagedOrOld) {
  const auto run = small_run();
  const auto refused = [&](const std::string& content) {
    std::ofstream(path_, std::ios::binary) << content;
    try {
      static_cast<void>(JournalWriter::append(path_, run.header));
    } catch (const Error& error) {
      EXPECT_EQ(std::filesystem::file_size(path_), content.size());
      return error.message();
    }
    return std::string();
  };
  auto lines = split(synthetic::chained(synthetic::lines_of(run)));
  lines[1][30] ^= 1;
  EXPECT_THAT(refused(joined(lines)), HasSubstr(":2: damaged"));
  EXPECT_THAT(refused(synthetic::unchained(synthetic::lines_of(run))),
              HasSubstr("give another --out"));
}

}  // namespace
}  // namespace stepmark
