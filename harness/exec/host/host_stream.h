// SPDX-License-Identifier: Apache-2.0
// A stream is a worker thread with a queue. It blocks when it has nothing to do and never spins:
// ranks and streams may outnumber the cores. Any thread may submit; tasks run in the order of
// submission on the worker, whose OpenMP thread count is the stream's own. The worker of a stream
// whose name ends in "-low", and the OpenMP threads that it starts, have the lowest priority of the
// operating system: they run on cores that nobody else wants at the time.
#pragma once

#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <string>
#include <thread>

#include "core/device.h"

namespace stepmark {

class HostStream final : public Stream {
 public:
  HostStream(std::string name, int openmp_threads);
  // Finishes what was submitted, then joins. A failure that nobody collected is logged.
  ~HostStream() override;
  HostStream(const HostStream&) = delete;  // the worker refers to this object
  HostStream& operator=(const HostStream&) = delete;

  void submit(Task task) override;
  void record(Event& event) override;
  void wait(Event& event) override;
  void synchronize() override;
  [[nodiscard]] std::string_view name() const override { return name_; }

 private:
  struct Item {
    Task task;
    // Event work goes on after a failure, so that nobody waits for a stream that has stopped.
    bool even_after_failure = false;
  };
  void push(Item item);
  void work(int openmp_threads);

  const std::string name_;
  std::mutex mutex_;
  std::condition_variable work_added_;
  std::condition_variable drained_;
  std::deque<Item> queue_;
  std::exception_ptr failure_;
  bool busy_ = false;
  bool stop_ = false;
  std::thread worker_;  // last: starts when all else exists
};

}  // namespace stepmark
