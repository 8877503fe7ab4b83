// SPDX-License-Identifier: Apache-2.0
#include "harness/run/run_journal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "results/families/read_journal.h"
#include "tests/unit/core/temp_folder.h"

namespace stepmark {
namespace {

using testing::HasSubstr;

RunHeader header_of_three() {
  RunHeader header;
  header.run_id = "test";
  header.cases = {"a", "b", "c"};
  return header;
}

struct RunJournalTest : testing::Test {
  RunJournal run_journal() {
    return {JournalWriter::create(path, header_of_three()),
            {{.id = "a", .family = "kernel"},
             {.id = "b", .family = "step"},
             {.id = "c", .family = "step"}}};
  }
  static Record measured(const std::string& id) {
    Record record;
    record.case_id = id;
    record.family = "kernel";
    return record;
  }
  TempFolder folder;
  std::string path = folder.file("run.smk");
};

TEST_F(RunJournalTest, EveryCaseHasALineWhenARunIsGivenUp) {
  RunJournal book = run_journal();
  book.begin("a");
  book.finish(measured("a"));
  book.begin("b");
  EXPECT_EQ(book.current(), "b");
  const std::string kept = book.give_up("power is out", ExitCode::kNotMeasured);
  EXPECT_THAT(kept, HasSubstr("1 of 3 cases are kept"));
  EXPECT_THAT(kept, HasSubstr("--resume --out " + path));

  const stepmark::Run run = read_journal(path);
  ASSERT_EQ(run.records.size(), 3U);
  EXPECT_EQ(run.find("a")->outcome, Outcome::ok);
  EXPECT_EQ(run.find("b")->outcome, Outcome::not_measured);
  EXPECT_EQ(run.find("b")->reason, "power is out");
  EXPECT_EQ(run.find("b")->family, "step");
  EXPECT_EQ(run.find("c")->reason, "not reached: power is out");
  EXPECT_TRUE(run.ended);
  EXPECT_EQ(run.exit_code, 3);
}

TEST_F(RunJournalTest, NothingIsWrittenAfterGivingUp) {
  RunJournal book = run_journal();
  book.begin("a");
  EXPECT_NE(book.give_up("first", ExitCode::kNotMeasured), "");
  const auto size = std::filesystem::file_size(path);
  EXPECT_EQ(book.give_up("second", ExitCode::kEnvironment), "");
  book.finish(measured("a"));
  book.close(ExitCode::kOk);
  EXPECT_EQ(std::filesystem::file_size(path), size);
}

TEST_F(RunJournalTest, AFolderThatDisappearsIsNoticedWithTheNextCaseAndNothingIsLost) {
  std::filesystem::create_directory(folder.file("sub"));
  path = folder.file("sub/run.smk");
  RunJournal book = run_journal();
  book.begin("a");
  book.finish(measured("a"));
  std::filesystem::remove_all(folder.file("sub"));
  book.begin("b");
  try {
    book.finish(measured("b"));
    FAIL() << "not noticed";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kEnvironment);
    EXPECT_THAT(error.message(), HasSubstr("folder '" + folder.file("sub") + "' is gone"));
    EXPECT_THAT(error.message(), HasSubstr(book.path()));
  }
  const std::string copy = book.path();
  EXPECT_NE(copy, path);
  EXPECT_THAT(book.give_up("x", ExitCode::kEnvironment), HasSubstr("--out " + copy));
  const stepmark::Run run = read_journal(copy);
  EXPECT_EQ(run.find("a")->outcome, Outcome::ok);
  EXPECT_EQ(run.find("b")->outcome, Outcome::ok);
  EXPECT_EQ(run.find("c")->outcome, Outcome::not_measured);
  EXPECT_EQ(run.exit_code, 4);
  std::filesystem::remove(copy);
}

TEST_F(RunJournalTest, AMovedJournalGoesOnWhereItIs) {
  RunJournal book = run_journal();
  std::filesystem::rename(path, folder.file("other.smk"));
  EXPECT_THROW(book.finish(measured("a")), Error);
  EXPECT_EQ(book.path(), folder.file("other.smk"));
}

TEST_F(RunJournalTest, AReplacedJournalIsSavedBesideIt) {
  RunJournal book = run_journal();
  std::filesystem::remove(path);
  std::ofstream(path) << "of someone else";
  EXPECT_THROW(book.finish(measured("a")), Error);
  EXPECT_EQ(book.path(), folder.file("run-1.smk"));
  EXPECT_NE(read_journal(book.path()).find("a"), nullptr);
}

TEST_F(RunJournalTest, AnotherProcessCanEndAnAbandonedJournal) {
  {
    RunJournal book = run_journal();
    book.begin("a");
    book.finish(measured("a"));
  }
  const std::string kept =
      end_abandoned_journal(path, "rank 0 is gone; during case 'b'", ExitCode::kNotMeasured);
  EXPECT_THAT(kept, HasSubstr("1 of 3 cases are kept"));
  const auto size = std::filesystem::file_size(path);
  const stepmark::Run run = read_journal(path);
  EXPECT_EQ(run.exit_code, 3);
  EXPECT_EQ(run.find("b")->reason, "rank 0 is gone; during case 'b'");
  EXPECT_EQ(run.find("c")->reason, "not reached: rank 0 is gone; during case 'b'");
  EXPECT_EQ(end_abandoned_journal(path, "again", ExitCode::kNotMeasured), kept);
  EXPECT_EQ(std::filesystem::file_size(path), size);
}

// "CASE REPETITION OUTCOME: REASON" of every record line, in order.
std::vector<std::string> lines_of(const std::string& path) {
  std::vector<std::string> out;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    const auto json = nlohmann::json::parse(line);
    if (json["type"] != "record") continue;
    out.push_back(json["case_id"].get<std::string>() + std::to_string(json.value("repetition", 1)) +
                  " " + json["outcome"].get<std::string>() + ": " +
                  json["reason"].get<std::string>());
  }
  return out;
}

TEST_F(RunJournalTest, LaterRepetitionsHaveLinesToo) {
  RunHeader header = header_of_three();
  header.cases = {"a", "b"};
  header.repetitions = 3;
  const auto items = [](int repetition) {
    return std::vector<RunJournal::Item>{{.id = "a", .family = "kernel", .repetition = repetition},
                                         {.id = "b", .family = "step", .repetition = repetition}};
  };
  auto later = items(2);
  for (auto& one : items(3)) later.push_back(one);
  RunJournal book(JournalWriter::create(path, header), items(1), later);
  book.begin("a");
  book.finish(measured("a"));
  book.begin("b");
  EXPECT_THAT(book.give_up("gone", ExitCode::kNotMeasured),
              HasSubstr("1 of 2 cases of repetition 1 are kept"));
  EXPECT_THAT(lines_of(path), testing::ElementsAre("a1 ok: ", "b1 not-measured: gone",
                                                   "a2 not-measured: not reached: gone",
                                                   "b2 not-measured: not reached: gone",
                                                   "a3 not-measured: not reached: gone",
                                                   "b3 not-measured: not reached: gone"));
}

// Repetitions of two cases, as `run --repeat 3` writes them; the last is not ended.
struct AbandonedTest : RunJournalTest {
  void SetUp() override {
    header.cases = {"a", "b"};
    header.repetitions = 3;
    auto journal = JournalWriter::create(path, header);
    write(journal, "a", 1);
    write(journal, "b", 1, Outcome::not_measured, "too large");
  }
  static void write(JournalWriter& journal, const std::string& id, int repetition,
                    Outcome outcome = Outcome::ok, const std::string& reason = "") {
    Record record = measured(id);
    record.repetition = repetition;
    record.outcome = outcome;
    record.reason = reason;
    journal.write(record);
  }
  JournalWriter begin(int repetition) {
    header.repetition = repetition;
    return JournalWriter::append(path, header);
  }
  std::vector<std::string> ended(const std::string& reason) {
    const std::size_t before = lines_of(path).size();
    kept = end_abandoned_journal(path, reason, ExitCode::kNotMeasured);
    auto lines = lines_of(path);
    lines.erase(lines.begin(), lines.begin() + static_cast<std::ptrdiff_t>(before));
    return lines;
  }
  RunHeader header = header_of_three();
  std::string kept;
};

TEST_F(AbandonedTest, TheRestOfARepetitionAndAllLaterOnesAreListed) {
  {
    auto journal = begin(2);
    write(journal, "a", 2);
  }
  EXPECT_THAT(ended("gone; during case 'b'"),
              testing::ElementsAre("b2 not-measured: gone; during case 'b'",
                                   "a3 not-measured: not reached: gone; during case 'b'",
                                   "b3 not-measured: not reached: gone; during case 'b'"));
  EXPECT_THAT(kept, HasSubstr("1 of 2 cases of repetition 2 are kept"));
  EXPECT_TRUE(read_journal(path).ended);
}

TEST_F(AbandonedTest, BetweenRepetitionsTheNextIsListed) {
  EXPECT_THAT(ended("gone; during: start of the job"),
              testing::ElementsAre(testing::StartsWith("a2 "), testing::StartsWith("b2 "),
                                   testing::StartsWith("a3 "), testing::StartsWith("b3 ")));
  // What a case itself said stays.
  EXPECT_EQ(lines_of(path).at(1), "b1 not-measured: too large");
}

TEST_F(AbandonedTest, BeingKilledAgainAddsLinesOnlyForWhatWasUnderWay) {
  EXPECT_EQ(ended("first").size(), 4U);
  { auto journal = begin(0); }  // --resume, which goes on in the first that is unfinished
  EXPECT_THAT(ended("second; during case 'b'"),
              testing::ElementsAre("b1 not-measured: second; during case 'b'"));
  EXPECT_EQ(lines_of(path).back(), "b1 not-measured: second; during case 'b'");
}

TEST_F(AbandonedTest, InTheLastRepetitionNothingElseIsListed) {
  {
    auto journal = begin(3);
    write(journal, "a", 3);
    write(journal, "b", 3);
  }
  EXPECT_THAT(ended("gone"), testing::ElementsAre());
  EXPECT_THAT(kept, HasSubstr("2 of 2 cases of repetition 3 are kept"));
}

TEST_F(RunJournalTest, NothingIsWrittenAfterTheEnd) {
  RunJournal book = run_journal();
  for (const char* id : {"a", "b", "c"}) {
    book.begin(id);
    book.finish(measured(id));
  }
  EXPECT_EQ(book.current(), "");
  book.close(ExitCode::kOk);
  const auto size = std::filesystem::file_size(path);
  EXPECT_EQ(book.give_up("too late", ExitCode::kNotMeasured), "");
  book.close(ExitCode::kCheckFailed);
  EXPECT_EQ(std::filesystem::file_size(path), size);
  EXPECT_EQ(read_journal(path).exit_code, 0);
}

}  // namespace
}  // namespace stepmark
