// SPDX-License-Identifier: Apache-2.0
// What a witness says and writes when its process is gone. The process is a child of the test, its
// stderr a file.
#include "harness/run/witness.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <fstream>
#include <functional>
#include <sstream>
#include <thread>

#include "core/log_descriptor.h"
#include "harness/run/crash_note.h"
#include "harness/run/process_watch.h"
#include "results/families/read_journal.h"
#include "results/record/journal.h"
#include "tests/unit/core/temp_folder.h"

namespace stepmark {
namespace {

using testing::HasSubstr;

std::string text_of(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

struct WitnessTest : testing::Test {
  // Runs `life` in a process with a witness and returns what was written to stderr when both are
  // gone.
  std::string said_after(
      const std::function<void(Witness&)>& life, const std::function<void()>& before = [] {}) {
    const std::string log = folder.file("stderr");
    const std::string pid_file = folder.file("pid");
    process = fork();
    if (process == 0) {
      const int fd = open(log.c_str(), O_CREAT | O_WRONLY | O_APPEND, 0600);
      dup2(fd, STDERR_FILENO);
      before();
      Witness witness(3);
      std::ofstream(pid_file) << witness.pid();
      life(witness);
      _exit(0);
    }
    waitpid(process, nullptr, 0);
    long witness = 0;
    std::ifstream(pid_file) >> witness;
    EXPECT_GT(witness, 0);
    for (int i = 0; i < 3000 && process_runs(witness); ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    EXPECT_FALSE(process_runs(witness)) << "a witness does not outlive its process";
    return text_of(log);
  }

  TempFolder folder;
  pid_t process = 0;
};

TEST_F(WitnessTest, SpeaksForAProcessThatWasKilled) {
  const std::string said = said_after([](Witness& witness) {
    witness.at("during case 'a'");
    witness.at("after case 'a', before case 'b'");
    raise(SIGKILL);
  });
  EXPECT_THAT(said, HasSubstr("rank 3 (pid " + std::to_string(process)));
  EXPECT_THAT(said, HasSubstr("is gone"));
  EXPECT_THAT(said, HasSubstr("after case 'a', before case 'b'"));
}

TEST_F(WitnessTest, SpeaksWhenALibraryEndsTheProcess) {
  EXPECT_THAT(said_after([](Witness&) { _exit(1); }), HasSubstr("is gone"));
}

TEST_F(WitnessTest, SpeaksWhereOurOwnLinesGo) {
  const std::string elsewhere = folder.file("own");
  const std::string said = said_after(
      [&](Witness&) {},
      [&] { set_log_descriptor(open(elsewhere.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600)); });
  EXPECT_EQ(said, "");
  EXPECT_THAT(text_of(elsewhere), HasSubstr("is gone"));
}

TEST_F(WitnessTest, NamesTheFaultOfACrash) {
  const std::string said = said_after([](Witness& witness) {
    const CrashNote note(witness, 0, 0);
    witness.at("during case 'a'");
    raise(SIGSEGV);
  });
  EXPECT_THAT(said, HasSubstr("crashed (SIGSEGV); during case 'a'"));
}

// A launcher kills what it has told to end; "killed" alone would name the wrong culprit.
TEST_F(WitnessTest, NamesTheSignalThatCameBeforeTheKill) {
  const std::string said = said_after([](Witness& witness) {
    witness.at("during: start of the job (MPI_Init)");
    witness.told_to_end(SIGTERM);
    raise(SIGKILL);
  });
  EXPECT_THAT(said, HasSubstr("received SIGTERM; during: start of the job (MPI_Init)"));
  EXPECT_THAT(said, testing::Not(HasSubstr("is gone")));
}

TEST_F(WitnessTest, SaysNothingAfterAnEndInOrder) {
  EXPECT_EQ(said_after([](Witness& witness) { witness.silence(); }), "");
  EXPECT_EQ(said_after([](Witness& witness) { witness.~Witness(); }), "");
  EXPECT_EQ(said_after([](Witness& witness) {
              witness.spoken_for(2);
              raise(SIGKILL);
            }),
            "");
}

TEST_F(WitnessTest, EndsTheJournal) {
  const std::string path = folder.file("run.smk");
  RunHeader header;
  header.run_id = "test";
  header.cases = {"kernel/a", "kernel/b", "step/c"};
  const std::string said = said_after([&](Witness& witness) {
    JournalWriter journal = JournalWriter::create(path, header);
    Record record;
    record.case_id = "kernel/a";
    record.family = "kernel";
    journal.write(record);
    witness.keeps(path, "1 of 3 cases are kept in '" + path + "'");
    witness.at("during case 'kernel/b'");
    raise(SIGKILL);
  });
  EXPECT_THAT(said, HasSubstr("1 of 3 cases are kept in '" + path + "'"));
  const stepmark::Run run = read_journal(path);
  EXPECT_TRUE(run.ended);
  EXPECT_EQ(run.exit_code, 3);
  ASSERT_NE(run.find("step/c"), nullptr);
  EXPECT_EQ(run.find("step/c")->family, "step");
  EXPECT_THAT(run.find("step/c")->reason, testing::StartsWith("not reached: rank 3"));
  EXPECT_THAT(run.find("kernel/b")->reason, testing::StartsWith("rank 3"));
  EXPECT_EQ(run.find("kernel/a")->outcome, Outcome::ok);
}

TEST_F(WitnessTest, IsNotFoundByTheWordsOfItsProcess) {
  const std::string words = folder.file("words");
  (void)said_after([&](Witness& witness) {
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    std::ofstream(words) << text_of("/proc/" + std::to_string(witness.pid()) + "/cmdline")
                         << text_of("/proc/" + std::to_string(witness.pid()) + "/environ");
    witness.silence();
  });
  EXPECT_THAT(text_of(words), HasSubstr("stepmark-watch"));
  EXPECT_THAT(text_of(words), testing::Not(HasSubstr("PATH=")));
}

TEST(ProcessWatchTest, TellsOfTheEndOfAProcess) {
  const pid_t child = fork();
  if (child == 0) {
    while (true) pause();
  }
  std::atomic<long> gone = 0;
  const ProcessWatch watch({child}, [&](long pid) { gone = pid; });
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_EQ(gone, 0);
  kill(child, SIGKILL);  // not reaped: a zombie is gone
  for (int i = 0; i < 3000 && gone == 0; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  EXPECT_EQ(gone, child);
  EXPECT_FALSE(process_runs(child));
  waitpid(child, nullptr, 0);
}

TEST(ProcessWatchTest, AProcessThatIsGoneAlready) {
  const pid_t child = fork();
  if (child == 0) _exit(0);
  waitpid(child, nullptr, 0);
  std::atomic<long> gone = 0;
  const ProcessWatch watch({child}, [&](long pid) { gone = pid; });
  for (int i = 0; i < 3000 && gone == 0; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  EXPECT_EQ(gone, child);
}

}  // namespace
}  // namespace stepmark
