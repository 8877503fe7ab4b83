// SPDX-License-Identifier: Apache-2.0
#include "tests/gpu/nccl/forked_ranks.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <string>
#include <thread>

#include "core/error.h"

namespace stepmark::test {
namespace {

constexpr std::size_t kSlotBytes = std::size_t{16} << 10;
constexpr int kMostRanks = 16;
constexpr double kKillSeconds = 10.0;

struct Board {
  std::atomic<int> arrived;
  std::atomic<int> round;
  std::array<std::size_t, kMostRanks> sizes;
  std::array<std::array<char, kSlotBytes>, kMostRanks> slots;
};

// Every rank writes its slot, all wait, all read, all wait. A rank that died is waited for for
// ever.
class BoardControl final : public Control {
 public:
  BoardControl(Board& board, int rank, int size) : board_(board), rank_(rank), size_(size) {}
  int rank() const override { return rank_; }
  int size() const override { return size_; }
  int local_rank() const override { return rank_; }
  int local_size() const override { return size_; }

  void barrier() override {
    const int round = board_.round;
    if (board_.arrived.fetch_add(1) + 1 == size_) {
      board_.arrived = 0;
      board_.round = round + 1;
    }
    while (board_.round == round) std::this_thread::sleep_for(std::chrono::microseconds(100));
  }
  void max_in_place(std::span<double> values) override {
    const auto* bytes = reinterpret_cast<const char*>(values.data());
    for (const std::string& other : exchange({bytes, values.size_bytes()})) {
      std::vector<double> theirs(values.size());
      std::memcpy(theirs.data(), other.data(), other.size());
      for (std::size_t i = 0; i < theirs.size(); ++i) values[i] = std::max(values[i], theirs[i]);
    }
  }
  std::string broadcast(std::string text) override { return exchange(text).front(); }
  std::vector<std::string> gather(const std::string& text) override {
    auto all = exchange(text);
    return rank_ == 0 ? all : std::vector<std::string>();
  }

 private:
  std::vector<std::string> exchange(const std::string& text) {
    STEPMARK_CHECK(text.size() <= kSlotBytes, "a text of {} bytes", text.size());
    const auto own = static_cast<std::size_t>(rank_);
    std::memcpy(board_.slots[own].data(), text.data(), text.size());
    board_.sizes[own] = text.size();
    barrier();
    std::vector<std::string> all;
    for (std::size_t r = 0; r < static_cast<std::size_t>(size_); ++r) {
      all.emplace_back(board_.slots[r].data(), board_.sizes[r]);
    }
    barrier();
    return all;
  }

  Board& board_;
  int rank_;
  int size_;
};

// What the emulated NCCL of a process left in /dev/shm that did not get to its end.
void remove_segments_of(pid_t child) {
  std::error_code ignored;
  const std::string prefix = "stepmark-nccl-" + std::to_string(child) + "-";
  for (const auto& entry : std::filesystem::directory_iterator("/dev/shm", ignored)) {
    if (entry.path().filename().string().starts_with(prefix)) {
      std::filesystem::remove(entry.path(), ignored);
    }
  }
}

// Which have ended, at most `seconds` later; `ended` are known to have.
std::vector<bool> wait_for(const std::vector<pid_t>& children, std::vector<int>& statuses,
                           double seconds, std::vector<bool> ended = {}) {
  ended.resize(children.size());
  const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  while (true) {
    for (std::size_t i = 0; i < children.size(); ++i) {
      if (!ended[i]) ended[i] = waitpid(children[i], &statuses[i], WNOHANG) == children[i];
    }
    const bool all = std::find(ended.begin(), ended.end(), false) == ended.end();
    if (all || std::chrono::steady_clock::now() > end) return ended;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
}

int run_child(Control& control, const std::function<void(Control&)>& rank_main) {
  set_identity(control.rank(), control.size());
  try {
    rank_main(control);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "rank %d: %s\n", control.rank(), e.what());
    return 1;
  }
  return testing::Test::HasFailure() ? 1 : 0;
}

}  // namespace

std::vector<int> run_forked(int ranks, double limit_s,
                            const std::function<void(Control&)>& rank_main) {
  STEPMARK_CHECK(ranks <= kMostRanks, "{} ranks", ranks);
  void* memory =
      mmap(nullptr, sizeof(Board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  STEPMARK_CHECK(memory != MAP_FAILED, "no shared memory");
  auto& board = *static_cast<Board*>(memory);
  std::vector<pid_t> children;
  std::fflush(nullptr);
  for (int rank = 0; rank < ranks; ++rank) {
    const pid_t child = fork();
    STEPMARK_CHECK(child >= 0, "fork: {}", std::strerror(errno));
    if (child == 0) {
      BoardControl control(board, rank, ranks);
      const int code = run_child(control, rank_main);
      std::fflush(nullptr);
      _exit(code);  // threads that were left behind are in the way of a regular end
    }
    children.push_back(child);
  }
  std::vector<int> statuses(children.size(), -1);
  std::vector<bool> ended = wait_for(children, statuses, limit_s);
  for (std::size_t i = 0; i < children.size(); ++i) {
    if (ended[i]) continue;
    ADD_FAILURE() << "rank " << i << ": no end within " << limit_s << " s; killed";
    kill(children[i], SIGKILL);
  }
  // A process that is stuck in a driver outlives even that.
  ended = wait_for(children, statuses, kKillSeconds, ended);
  munmap(memory, sizeof(Board));
  for (const pid_t child : children) remove_segments_of(child);
  return statuses;
}

}  // namespace stepmark::test
