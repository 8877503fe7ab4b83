// SPDX-License-Identifier: Apache-2.0
#include "tests/gpu/test_deadline.h"

#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <string>
#include <thread>

namespace stepmark::test {
namespace {

constexpr double kDefaultSeconds = 240.0;

double seconds() {
  // NOLINTNEXTLINE(concurrency-mt-unsafe): nobody changes the environment meanwhile
  const char* text = std::getenv("STEPMARK_TEST_DEADLINE_S");
  const double given = text != nullptr ? std::strtod(text, nullptr) : 0.0;
  return given > 0 ? given : kDefaultSeconds;
}

// Lives until the process ends, however it does: its thread is never joined.
class Deadline final : public testing::EmptyTestEventListener {
 public:
  Deadline() {
    std::thread([this] { watch(); }).detach();
  }
  void OnTestStart(const testing::TestInfo& info) override {
    begin(std::string(info.test_suite_name()) + "." + info.name());
  }
  void OnTestEnd(const testing::TestInfo&) override { begin(""); }

 private:
  void begin(std::string name) {
    const std::lock_guard lock(mutex_);
    name_ = std::move(name);
    ++number_;
    changed_.notify_all();
  }
  void watch() {
    std::unique_lock lock(mutex_);
    while (true) {
      changed_.wait(lock, [&] { return !name_.empty(); });
      const int watched = number_;
      const std::chrono::duration<double> limit(seconds_);
      if (changed_.wait_for(lock, limit, [&] { return number_ != watched; })) continue;
      std::printf("[  FAILED  ] %s: no end within %g s, the deadline of this process\n",
                  name_.c_str(), seconds_);
      std::fflush(stdout);
      _exit(1);
    }
  }

  const double seconds_ = seconds();
  std::mutex mutex_;
  std::condition_variable changed_;
  std::string name_;  // of the test that runs; empty: none
  int number_ = 0;
};

}  // namespace

void keep_test_deadline() {
  // The listeners must not delete it: its thread uses it to the end.
  static auto& deadline = *new Deadline;
  class Forward final : public testing::EmptyTestEventListener {
    void OnTestStart(const testing::TestInfo& info) override { deadline.OnTestStart(info); }
    void OnTestEnd(const testing::TestInfo& info) override { deadline.OnTestEnd(info); }
  };
  testing::UnitTest::GetInstance()->listeners().Append(new Forward);
}

}  // namespace stepmark::test
