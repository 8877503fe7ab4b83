// SPDX-License-Identifier: Apache-2.0
#include "harness/cli/ledger.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "temp_folder.h"

namespace stepmark {
namespace {

using testing::HasSubstr;

RunHeader header_of_three() {
  RunHeader header;
  header.run_id = "test";
  header.cases = {"a", "b", "c"};
  return header;
}

struct LedgerTest : testing::Test {
  Ledger ledger() {
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

TEST_F(LedgerTest, EveryCaseHasALineWhenARunIsGivenUp) {
  Ledger book = ledger();
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

TEST_F(LedgerTest, NothingIsWrittenAfterGivingUp) {
  Ledger book = ledger();
  book.begin("a");
  EXPECT_NE(book.give_up("first", ExitCode::kNotMeasured), "");
  const auto size = std::filesystem::file_size(path);
  EXPECT_EQ(book.give_up("second", ExitCode::kEnvironment), "");
  book.finish(measured("a"));
  book.close(ExitCode::kOk);
  EXPECT_EQ(std::filesystem::file_size(path), size);
}

TEST_F(LedgerTest, AFolderThatDisappearsIsNoticedWithTheNextCaseAndNothingIsLost) {
  std::filesystem::create_directory(folder.file("sub"));
  path = folder.file("sub/run.smk");
  Ledger book = ledger();
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

TEST_F(LedgerTest, AMovedJournalGoesOnWhereItIs) {
  Ledger book = ledger();
  std::filesystem::rename(path, folder.file("other.smk"));
  EXPECT_THROW(book.finish(measured("a")), Error);
  EXPECT_EQ(book.path(), folder.file("other.smk"));
}

TEST_F(LedgerTest, AReplacedJournalIsSavedBesideIt) {
  Ledger book = ledger();
  std::filesystem::remove(path);
  std::ofstream(path) << "of someone else";
  EXPECT_THROW(book.finish(measured("a")), Error);
  EXPECT_EQ(book.path(), folder.file("run-1.smk"));
  EXPECT_NE(read_journal(book.path()).find("a"), nullptr);
}

TEST_F(LedgerTest, AnotherProcessCanEndAnAbandonedJournal) {
  {
    Ledger book = ledger();
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

TEST_F(LedgerTest, NothingIsWrittenAfterTheEnd) {
  Ledger book = ledger();
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
