// SPDX-License-Identifier: Apache-2.0
// A world of ranks that are threads of the test.
#pragma once

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "core/control.h"

namespace stepmark {

// Shared by the ranks: every call is a meeting of all of them.
struct Meeting {
  explicit Meeting(int ranks) : size(ranks) {}

  // Runs `contribute` of each rank under the lock; returns when all have, with the result that
  // `finish` made once. The result stays valid until the next meeting of the same rank.
  template <class Contribute, class Take>
  void meet(Contribute contribute, Take take) {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return !leaving; });
    if (arrived == 0) values.clear();
    contribute();
    if (++arrived == size) {
      leaving = true;
      changed.notify_all();
    }
    changed.wait(lock, [&] { return leaving; });
    take();
    if (--arrived == 0) {
      leaving = false;
      changed.notify_all();
    }
  }

  int size;
  int arrived = 0;
  bool leaving = false;
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<double> values;
  std::string text;
  std::vector<std::string> texts;
};

class ThreadControl final : public Control {
 public:
  ThreadControl(Meeting& meeting, int rank) : meeting_(meeting), rank_(rank) {}
  [[nodiscard]] int rank() const override { return rank_; }
  [[nodiscard]] int size() const override { return meeting_.size; }
  [[nodiscard]] int local_rank() const override { return rank_; }
  [[nodiscard]] int local_size() const override { return meeting_.size; }
  void barrier() override {
    ++barriers;
    meeting_.meet([] {}, [] {});
  }
  void max_in_place(std::span<double> values) override {
    meeting_.meet(
        [&] {
          auto& all = meeting_.values;
          if (all.empty()) all.assign(values.begin(), values.end());
          for (std::size_t i = 0; i < values.size(); ++i) all[i] = std::max(all[i], values[i]);
        },
        [&] { std::copy(meeting_.values.begin(), meeting_.values.end(), values.begin()); });
  }
  [[nodiscard]] std::string broadcast(std::string text) override {
    meeting_.meet(
        [&] {
          if (rank_ == 0) meeting_.text = text;
        },
        [&] { text = meeting_.text; });
    return text;
  }
  [[nodiscard]] std::vector<std::string> gather(const std::string& text) override {
    std::vector<std::string> all;
    meeting_.meet(
        [&] {
          meeting_.texts.resize(static_cast<std::size_t>(meeting_.size));
          meeting_.texts[static_cast<std::size_t>(rank_)] = text;
        },
        [&] {
          if (rank_ == 0) all = meeting_.texts;
        });
    return all;
  }

  int barriers = 0;

 private:
  Meeting& meeting_;
  int rank_;
};

// Runs `body` once per rank, each on its own thread; returns what each threw (null for nothing).
inline std::vector<std::exception_ptr> run_ranks(int ranks,
                                                 const std::function<void(ThreadControl&)>& body) {
  Meeting meeting(ranks);
  std::vector<std::exception_ptr> thrown(static_cast<std::size_t>(ranks));
  std::vector<std::thread> threads;
  threads.reserve(thrown.size());
  for (int rank = 0; rank < ranks; ++rank) {
    threads.emplace_back([&, rank] {
      try {
        ThreadControl control(meeting, rank);
        body(control);
      } catch (...) {
        thrown[static_cast<std::size_t>(rank)] = std::current_exception();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  return thrown;
}

}  // namespace stepmark
