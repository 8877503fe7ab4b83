// SPDX-License-Identifier: Apache-2.0
// Each case runs in a child process of its own: a SignalThread changes the whole process.
#include "harness/cli/signals.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <thread>

#include "temp_folder.h"

namespace stepmark {
namespace {

[[noreturn]] void wait_for_the_end() {
  while (true) std::this_thread::sleep_for(std::chrono::seconds(1));
}

[[noreturn]] void handle_and_exit(int signal) {
  SignalThread signals;
  signals.set_handler([](int got) { _exit(100 + got); });
  kill(getpid(), signal);
  wait_for_the_end();
}

[[noreturn]] void write_beyond_limit(const std::string& path) {
  const SignalThread signals;
  const rlimit limit{.rlim_cur = 0, .rlim_max = 0};
  setrlimit(RLIMIT_FSIZE, &limit);
  const int fd = open(path.c_str(), O_CREAT | O_WRONLY, 0600);
  _exit(write(fd, "x", 1) == -1 && errno == EFBIG ? 7 : 8);
}

TEST(SignalThreadDeathTest, HandlerRunsForEverySignal) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    EXPECT_EXIT(handle_and_exit(signal), testing::ExitedWithCode(100 + signal), "");
  }
}

TEST(SignalThreadDeathTest, WithoutHandlerTheDefaultActionHolds) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_EXIT(
      {
        const SignalThread signals;
        kill(getpid(), SIGTERM);
        wait_for_the_end();
      },
      testing::KilledBySignal(SIGTERM), "");
}

TEST(SignalThreadDeathTest, FileSizeLimitIsAnErrorAndNoSignal) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  const TempFolder folder;
  EXPECT_EXIT(write_beyond_limit(folder.file("limited")), testing::ExitedWithCode(7), "");
}

TEST(SignalThreadTest, EndsWithoutASignal) {
  const SignalThread signals;  // returns from its destructor
}

}  // namespace
}  // namespace stepmark
