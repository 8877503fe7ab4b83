// SPDX-License-Identifier: Apache-2.0
#include "harness/run/peers.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "core/error.h"

namespace stepmark {
namespace {

// Rank 0 of a world whose other ranks have these process ids and hosts.
class WorldOf final : public Control {
 public:
  explicit WorldOf(std::vector<std::string> others) : others_(std::move(others)) {}
  [[nodiscard]] int rank() const override { return 0; }
  [[nodiscard]] int size() const override { return static_cast<int>(others_.size()) + 1; }
  [[nodiscard]] int local_rank() const override { return 0; }
  [[nodiscard]] int local_size() const override { return size(); }
  void barrier() override {}
  void max_in_place(std::span<double>) override {}
  [[nodiscard]] std::string broadcast(std::string text) override { return text; }
  [[nodiscard]] std::vector<std::string> gather(const std::string& text) override {
    std::vector<std::string> all{text};
    all.insert(all.end(), others_.begin(), others_.end());
    return all;
  }

 private:
  std::vector<std::string> others_;
};

// A child that waits for signals; killed and reaped at the end.
class Child {
 public:
  Child() : pid_(fork()) {
    if (pid_ == 0) {
      while (true) pause();
    }
  }
  ~Child() { end(); }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  [[nodiscard]] pid_t pid() const { return pid_; }
  void stop() const {
    kill(pid_, SIGSTOP);
    waitpid(pid_, nullptr, WUNTRACED);
  }
  void end() {
    if (pid_ <= 0) return;
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    pid_ = 0;
  }

 private:
  pid_t pid_;
};

TEST(PeersTest, NamesStoppedAndGoneRanks) {
  Child well;
  Child stopped;
  Child gone;
  const std::string host = identity().host;
  WorldOf control({fmt::format("{} {}", well.pid(), host),
                   fmt::format("{} {}", stopped.pid(), host),
                   fmt::format("{} {}", gone.pid(), host)});
  const Peers peers(control);
  EXPECT_EQ(peers.trouble(), "");
  stopped.stop();
  EXPECT_EQ(peers.trouble(), fmt::format("rank 2 (pid {}) is stopped (SIGSTOP)", stopped.pid()));
  const pid_t pid = gone.pid();
  gone.end();
  EXPECT_THAT(peers.trouble(), testing::HasSubstr(fmt::format("rank 3 (pid {}) is gone", pid)));
  EXPECT_THAT(peers.trouble(), testing::HasSubstr("rank 2"));
}

TEST(PeersTest, OneOfSeveralSpeaksForRankZero) {
  Child stopped;
  Child well;
  const std::string host = identity().host;
  WorldOf control({fmt::format("{} {}", stopped.pid(), host),
                   fmt::format("{} {}", well.pid(), host), "999999999 elsewhere"});
  const Peers peers(control);
  EXPECT_TRUE(peers.is_first_that_runs(1));
  EXPECT_FALSE(peers.is_first_that_runs(2));
  stopped.stop();
  EXPECT_TRUE(peers.is_first_that_runs(2));
  EXPECT_EQ(peers.pid_of(2), well.pid());
  EXPECT_EQ(peers.pid_of(3), 0);
  EXPECT_THAT(peers.others(), testing::ElementsAre(stopped.pid(), well.pid()));
}

TEST(PeersTest, SaysWhatIsKnownOfARank) {
  Child well;
  Child gone;
  const pid_t pid = gone.pid();
  WorldOf control({fmt::format("{} {}", well.pid(), identity().host),
                   fmt::format("{} {}", pid, identity().host)});
  const Peers peers(control);
  EXPECT_EQ(peers.trouble({{1, "received SIGTERM"}}),
            fmt::format("rank 1 (pid {}) received SIGTERM", well.pid()));
  gone.end();
  EXPECT_EQ(peers.trouble({{2, "crashed (SIGSEGV)"}}),
            fmt::format("rank 2 (pid {}) is gone: crashed (SIGSEGV)", pid));
}

TEST(PeersTest, SaysNothingOfProcessesOnOtherHosts) {
  WorldOf control({"999999999 elsewhere"});
  const Peers peers(control);
  EXPECT_EQ(peers.trouble(), "");
  EXPECT_THAT(peers.hosts(), testing::ElementsAre(identity().host, "elsewhere"));
}

}  // namespace
}  // namespace stepmark
