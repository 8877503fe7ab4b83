// SPDX-License-Identifier: Apache-2.0
#include "results/record/journal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "core/error.h"
#include "results/families/read_journal.h"
#include "results/record/journal_lines.h"
#include "synthetic.h"

namespace stepmark {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class JournalTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
    folder_ = std::filesystem::path(::testing::TempDir()) /
              fmt::format("stepmark_journal_{}_{}", ::getpid(), test->name());
    std::filesystem::create_directories(folder_);
    path_ = (folder_ / "run.smk").string();
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  [[nodiscard]] std::string content() const {
    std::ostringstream out;
    out << std::ifstream(path_).rdbuf();
    return out.str();
  }
  void set_content(const std::string& text) const { std::ofstream(path_) << text; }
  [[nodiscard]] std::string read_error() const {
    try {
      static_cast<void>(read_journal(path_));
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::kUsage);
      return error.what();
    }
    ADD_FAILURE() << "no error";
    return {};
  }

  std::filesystem::path folder_;
  std::string path_;
};

Record record_named(const std::string& id, const std::string& reason = "") {
  return {.case_id = id, .family = "kernel", .outcome = Outcome::skipped, .reason = reason};
}

TEST_F(JournalTest, ARunSurvivesTheRoundTrip) {
  const auto run = synthetic::run({.seed = 5});
  synthetic::write(run, path_);
  const auto back = read_journal(path_);
  EXPECT_EQ(header_json(back.header, "run"), header_json(run.header, "run"));
  ASSERT_EQ(back.records.size(), run.records.size());
  for (std::size_t i = 0; i < run.records.size(); ++i) {
    EXPECT_EQ(to_json(back.records[i]), to_json(run.records[i]));
  }
  EXPECT_TRUE(back.ended);
  EXPECT_EQ(back.exit_code, 0);
  EXPECT_TRUE(back.warnings.empty());
  EXPECT_THAT(back.missing(), ElementsAre("step/llama3-8b-slice/dp2.tp2"));
}

TEST_F(JournalTest, AnUnfinishedLastLineIsIgnoredAndCutOffByResume) {
  auto h = synthetic::header({});
  h.cases = {"a", "b", "c"};
  {
    auto writer = JournalWriter::create(path_, h);
    writer.write(record_named("a"));
    writer.write(record_named("b"));
  }
  const auto whole = content();
  set_content(whole.substr(0, whole.size() - 30));
  const auto run = read_journal(path_);
  EXPECT_EQ(run.records.size(), 1U);
  EXPECT_FALSE(run.ended);
  EXPECT_THAT(run.warnings, ElementsAre("line 3: incomplete last line ignored"));
  EXPECT_THAT(run.missing(), ElementsAre("b", "c"));
  {
    auto writer = JournalWriter::append(path_, h);
    writer.write(record_named("c"));
    writer.write(record_named("b"));
    writer.write_end(0, "");
  }
  const auto resumed = read_journal(path_);
  EXPECT_TRUE(resumed.missing().empty());
  EXPECT_TRUE(resumed.warnings.empty());
  EXPECT_TRUE(resumed.ended);
  ASSERT_EQ(resumed.records.size(), 3U);
  EXPECT_EQ(resumed.records[1].case_id, "b");  // order of the header
}

TEST_F(JournalTest, EveryCutLeavesAllWholeLines) {
  const auto h = synthetic::header({});
  {
    auto writer = JournalWriter::create(path_, h);
    writer.write(record_named("a"));
    writer.write(record_named("b"));
  }
  const auto whole = content();
  const auto first = whole.find('\n');
  const auto second = whole.find('\n', first + 1);
  for (std::size_t length = first + 1; length < whole.size(); ++length) {
    const auto run = parse_journal(whole.substr(0, length), "cut");
    // A line without its break is whole, as its hash says.
    const std::size_t records = length == whole.size() - 1 ? 2 : length >= second ? 1 : 0;
    EXPECT_EQ(run.records.size(), records) << length;
    EXPECT_EQ(run.warnings.empty(), length == first + 1 || length == second + 1) << length;
  }
}

TEST_F(JournalTest, TheLastRecordOfACaseWins) {
  auto writer = JournalWriter::create(path_, synthetic::header({}));
  writer.write(record_named("a", "first"));
  writer.write(record_named("a", "second"));
  const auto run = read_journal(path_);
  ASSERT_EQ(run.records.size(), 1U);
  EXPECT_EQ(run.find("a")->reason, "second");
  EXPECT_EQ(run.find("b"), nullptr);
}

TEST_F(JournalTest, ResumeElsewhereIsNoticed) {
  auto h = synthetic::header({});
  { auto writer = JournalWriter::create(path_, h); }
  h.environment.facts[0].value = "Another CPU";
  h.config["suite"] = "standard";
  h.cases = {"new"};
  { auto writer = JournalWriter::append(path_, h); }
  const auto run = read_journal(path_);
  ASSERT_EQ(run.warnings.size(), 2U);
  EXPECT_THAT(run.warnings[0], HasSubstr("Another CPU"));
  EXPECT_THAT(run.warnings[1], HasSubstr("another configuration: suite = 'quick', is 'standard'"));
  EXPECT_THAT(run.missing(), ElementsAre("new"));
}

// What `run --resume` takes for the same run, nobody who reads the journal takes for another.
TEST_F(JournalTest, BudgetPrecisionAndDescriptionsAreNoOtherConfiguration) {
  const auto suite = [](const std::string& words, const std::string& max) {
    return "suite: s\ndescription: " + words + "\nbudget: " + words + "\nprecision: " + words +
           "\nrepeat: 2  # " + words + "\ncases:\n  - {family: collective, max: " + max + "}\n";
  };
  auto h = synthetic::header({});
  h.config["suite_file"] = suite("1m", "4KiB");
  { auto writer = JournalWriter::create(path_, h); }
  for (const char* key : {"budget_s", "precision", "case_deadline_s", "start_deadline_s"}) {
    h.config[key] = 0.25;
  }
  h.config["suite_file"] = suite("2m", "4KiB");
  { auto writer = JournalWriter::append(path_, h); }
  EXPECT_THAT(read_journal(path_).warnings, testing::IsEmpty());
  h.config["suite_file"] = suite("2m", "8KiB");
  { auto writer = JournalWriter::append(path_, h); }
  EXPECT_THAT(read_journal(path_).warnings,
              ElementsAre(HasSubstr("suite file: cases[0].max = '4KiB', is '8KiB'")));
}

TEST_F(JournalTest, CorruptLinesAreNamed) {
  const auto first = header_json(synthetic::header({}), "run");
  const auto record = record_line_json(record_named("a"));
  const auto set_lines = [&](const std::vector<nlohmann::json>& lines) {
    set_content(synthetic::chained(lines));
  };
  set_content(synthetic::unchained({first, record}) + "{\"type\":\"rec\n" + record.dump() + "\n");
  EXPECT_THAT(read_error(), HasSubstr("run.smk:3: not JSON: parse error at line 1, column"));
  set_lines({first, {{"type", "note"}}});
  EXPECT_THAT(read_error(), HasSubstr("run.smk:2: type 'note', expected run | record"));
  set_lines({first, {{"type", "record"}, {"case_id", 7}}});
  EXPECT_THAT(read_error(), HasSubstr("run.smk:2: record.case_id: found number 7"));
  set_lines({first, first});
  EXPECT_THAT(read_error(), HasSubstr("run.smk:2: found a 'run' line"));
  set_lines({record});
  EXPECT_THAT(read_error(), HasSubstr("run.smk:1: found a 'record' line"));
  set_content("");
  EXPECT_THAT(read_error(), HasSubstr("empty file"));
  set_content("whatever is in here\n");
  EXPECT_THAT(read_error(), HasSubstr("run.smk:1: no journal, or its first line is damaged"));
  auto json = first;
  json["schema_version"] = 99;
  json["new_key"] = 1;
  set_lines({json});
  EXPECT_THAT(read_error(), HasSubstr("schema version 99 is not supported"));
  std::filesystem::remove(path_);
  EXPECT_THAT(read_error(), HasSubstr("No such file"));
}

TEST_F(JournalTest, ACutFirstLineSaysWhatToDo) {
  const auto first = synthetic::chained({header_json(synthetic::header({}), "run")});
  for (const std::size_t length : {std::size_t{1}, std::size_t{40}, first.size() - 2}) {
    set_content(first.substr(0, length));
    EXPECT_THAT(read_error(), AllOf(HasSubstr("run.smk:1: the first line is cut off"),
                                    HasSubstr("nothing was measured"), HasSubstr("another --out")));
    EXPECT_THROW(static_cast<void>(JournalWriter::append(path_, synthetic::header({}))), Error);
    EXPECT_EQ(content(), first.substr(0, length));
  }
}

TEST_F(JournalTest, AFolderIsNoJournal) {
  synthetic::write(synthetic::run({.seed = 1}), path_);
  path_ = folder_.string();
  EXPECT_THAT(read_error(), AllOf(HasSubstr("is a directory, expected a journal"),
                                  HasSubstr("it holds"), HasSubstr("run.smk")));
  try {
    static_cast<void>(JournalWriter::create(path_, synthetic::header({})));
    FAIL() << "wrote into a folder";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("it is a directory"));
  }
}

TEST_F(JournalTest, NeverOverwrites) {
  const auto h = synthetic::header({});
  set_content("something\n");
  EXPECT_THROW(static_cast<void>(JournalWriter::create(path_, h)), Error);
  EXPECT_THROW(static_cast<void>(JournalWriter::append(path_, h)), Error);
  EXPECT_EQ(content(), "something\n");
  set_content("");
  EXPECT_NO_THROW(static_cast<void>(JournalWriter::create(path_, h)));
  EXPECT_THROW(static_cast<void>(JournalWriter::create((folder_ / "none" / "x.smk").string(), h)),
               Error);
}

TEST_F(JournalTest, OneWriterAtATime) {
  auto writer = JournalWriter::create(path_, synthetic::header({}));
  try {
    static_cast<void>(JournalWriter::append(path_, synthetic::header({})));
    FAIL() << "two writers";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("another process"));
  }
}

TEST_F(JournalTest, AFullDiskKeepsWhatWasWritten) {
  auto writer = JournalWriter::create(path_, synthetic::header({}));
  writer.write(record_named("a"));
  const auto before = content();
  rlimit saved{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &saved), 0);
  ASSERT_NE(std::signal(SIGXFSZ, SIG_IGN), SIG_ERR);
  const rlimit small{.rlim_cur = before.size() + 100, .rlim_max = saved.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  std::string message;
  try {
    writer.write(record_named("b", std::string(500, 'x')));  // the first 100 bytes still fit
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kEnvironment);
    message = error.message();
  }
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &saved), 0);
  EXPECT_THAT(message, HasSubstr(path_ + ": cannot write: File too large"));
  EXPECT_THAT(message,
              HasSubstr(fmt::format("the {} bytes written before are kept", before.size())));
  EXPECT_EQ(content(), before);
  writer.write(record_named("c"));  // space came back
  EXPECT_EQ(read_journal(path_).records.size(), 2U);
}

TEST_F(JournalTest, BrokenTextIsReplacedAndNeverFails) {
  auto writer = JournalWriter::create(path_, synthetic::header({}));
  writer.write(record_named("a", "bad \xff\xfe utf-8\nand a line break"));
  const auto run = read_journal(path_);
  EXPECT_THAT(run.find("a")->reason, HasSubstr("utf-8\nand a line break"));
}

}  // namespace
}  // namespace stepmark
