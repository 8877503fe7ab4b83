// SPDX-License-Identifier: Apache-2.0
// Each case runs in a child process of its own: a SignalThread changes the whole process.
#include "harness/run/signals.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <thread>

#include "tests/unit/core/temp_folder.h"

namespace stepmark {
namespace {

[[noreturn]] void wait_for_the_end() {
  for (int i = 0; i < 60; ++i) std::this_thread::sleep_for(std::chrono::seconds(1));
  _exit(99);
}

[[noreturn]] void handle_and_exit(int signal) {
  ::signal(signal, SIG_DFL);  // Google Test ignores SIGPROF in its children
  SignalThread signals;
  signals.set_handler([](const ReceivedSignal& got) { _exit(100 + got.number); });
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
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGALRM, SIGVTALRM, SIGPROF, SIGXCPU,
                           SIGPWR, SIGIO, SIGSTKFLT, SIGUSR1, SIGUSR2, SIGRTMIN + 1, SIGRTMAX}) {
    EXPECT_EXIT(handle_and_exit(signal), testing::ExitedWithCode(100 + signal), "");
  }
}

// Threads that a library started earlier do not have the signals blocked.
[[noreturn]] void handle_with_an_older_thread(int signal) {
  std::thread older(wait_for_the_end);
  handle_and_exit(signal);
}

TEST(SignalThreadDeathTest, ThreadsThatWereThereBeforeChangeNothing) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  for (int i = 0; i < 3; ++i) {
    EXPECT_EXIT(handle_with_an_older_thread(SIGTERM), testing::ExitedWithCode(100 + SIGTERM), "");
  }
}

[[noreturn]] void write_without_a_reader() {
  const SignalThread signals;
  std::array<int, 2> ends{};
  if (pipe(ends.data()) != 0) _exit(9);
  close(ends[0]);
  _exit(write(ends[1], "x", 1) == -1 && errno == EPIPE ? 7 : 8);
}

TEST(SignalThreadDeathTest, APipeWithoutReaderIsAnErrorAndASentSignalAnEnd) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_EXIT(write_without_a_reader(), testing::ExitedWithCode(7), "");
  const auto sent = [] {
    SignalThread signals;
    signals.set_handler([](const ReceivedSignal& got) { _exit(100 + got.number); });
    const pid_t child = fork();
    if (child == 0) {
      kill(getppid(), SIGPIPE);
      _exit(0);
    }
    wait_for_the_end();
  };
  EXPECT_EXIT(sent(), testing::ExitedWithCode(100 + SIGPIPE), "");
}

TEST(SignalThreadDeathTest, WhatTheEnvironmentIgnoresStaysIgnored) {  // nohup
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_EXIT(
      {
        ::signal(SIGHUP, SIG_IGN);
        SignalThread signals;
        signals.set_handler([](const ReceivedSignal& got) { _exit(100 + got.number); });
        kill(getpid(), SIGHUP);
        kill(getpid(), SIGTERM);
        wait_for_the_end();
      },
      testing::ExitedWithCode(100 + SIGTERM), "");
}

TEST(SignalThreadDeathTest, ANoteCarriesItsValue) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_EXIT(
      {
        SignalThread signals;
        signals.set_handler([](const ReceivedSignal& got) {
          _exit(is_note(got.number) && got.value == 77 && got.sender == getpid() ? 5 : 6);
        });
        send_note(getpid(), 77);
        wait_for_the_end();
      },
      testing::ExitedWithCode(5), "");
}

TEST(SignalNameTest, Names) {
  EXPECT_EQ(signal_name(SIGTERM), "SIGTERM");
  EXPECT_EQ(signal_name(SIGRTMIN + 3), "SIGRTMIN+3");
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
