// SPDX-License-Identifier: Apache-2.0
// Deadlines here are either long past or far away, so that no test depends on how fast it runs.
#include "harness/measure/watchdog.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <stdexcept>
#include <string>
#include <thread>

namespace stepmark {
namespace {

constexpr double kNever = 1e9;

TEST(Watchdog, ExpiryIsReportedOnceWithTheActivity) {
  std::promise<std::string> late;
  std::atomic<int> calls = 0;
  {
    Watchdog watchdog({.grace_s = kNever, .on_expiry = [&](const std::string& activity) {
                         if (calls++ == 0) late.set_value(activity);
                       }});
    watchdog.expect("all_reduce 4 KiB", 0);
    EXPECT_EQ(late.get_future().get(), "all_reduce 4 KiB");
    watchdog.expect("the next case", 0);  // too late: the process is condemned
    watchdog.disarm();
  }
  EXPECT_EQ(calls, 1);
}

TEST(Watchdog, DestructionWaitsForTheReport) {
  std::promise<void> entered;
  std::atomic<bool> finished = false;
  {
    Watchdog watchdog({.grace_s = kNever, .on_expiry = [&](const std::string&) {
                         entered.set_value();
                         std::this_thread::sleep_for(std::chrono::milliseconds(50));
                         finished = true;
                       }});
    watchdog.expect("case", 0);
    entered.get_future().wait();
  }
  EXPECT_TRUE(finished);
}

TEST(Watchdog, DisarmedOrRearmedInTimeStaysQuiet) {
  std::atomic<int> calls = 0;
  {
    Watchdog watchdog({.on_expiry = [&](const std::string&) { ++calls; }});
    watchdog.expect("first", kNever);
    watchdog.expect("second", kNever);
    watchdog.disarm();
  }
  {
    const Watchdog never_armed({.on_expiry = [&](const std::string&) { ++calls; }});
  }
  EXPECT_EQ(calls, 0);
}

TEST(Watchdog, ADeadlineCanComeNearer) {
  std::promise<std::string> late;
  Watchdog watchdog({.grace_s = kNever,
                     .on_expiry = [&](const std::string& activity) { late.set_value(activity); }});
  watchdog.expect("slow", kNever);
  watchdog.expect("fast", 0);
  EXPECT_EQ(late.get_future().get(), "fast");
}

class WatchdogDeath : public testing::Test {
 protected:
  void SetUp() override { testing::GTEST_FLAG(death_test_style) = "threadsafe"; }
};

[[noreturn]] void hang() {
  for (;;) std::this_thread::sleep_for(std::chrono::hours(1));
}

TEST_F(WatchdogDeath, HangingProcessIsEnded) {
  EXPECT_EXIT(
      {
        Watchdog watchdog({.grace_s = 0.05, .exit_code = 3});
        watchdog.expect("broadcast 1 GiB", 0);
        hang();
      },
      testing::ExitedWithCode(3), "no progress: 'broadcast 1 GiB'");
}

TEST_F(WatchdogDeath, AHangingReportDoesNotSaveIt) {
  EXPECT_EXIT(
      {
        Watchdog watchdog(
            {.grace_s = 0.05, .exit_code = 4, .on_expiry = [](const std::string&) { hang(); }});
        watchdog.expect("step", 0);
        hang();
      },
      testing::ExitedWithCode(4), "'step' still hangs");
}

TEST_F(WatchdogDeath, NorAThrowingOne) {
  EXPECT_EXIT(
      {
        Watchdog watchdog({.grace_s = 0.05, .exit_code = 3, .on_expiry = [](const std::string&) {
                             throw std::runtime_error("disk full");
                           }});
        watchdog.expect("step", 0);
        hang();
      },
      testing::ExitedWithCode(3), "disk full");
}

TEST_F(WatchdogDeath, NorWaitingForTheReportInTheDestructor) {
  EXPECT_EXIT(
      {
        std::promise<void> entered;
        Watchdog watchdog({.grace_s = 0.05, .exit_code = 5, .on_expiry = [&](const std::string&) {
                             entered.set_value();
                             hang();
                           }});
        watchdog.expect("step", 0);
        entered.get_future().wait();
      },
      testing::ExitedWithCode(5), "still hangs");
}

}  // namespace
}  // namespace stepmark
