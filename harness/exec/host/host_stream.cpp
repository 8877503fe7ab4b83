// SPDX-License-Identifier: Apache-2.0
// A queue, a mutex and two condition variables. After a failure tasks are passed over, while
// records and waits still run, so that no other stream hangs; the failure is thrown by
// synchronize().
#include "harness/exec/host/host_stream.h"

#include <omp.h>
#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <source_location>
#include <system_error>
#include <utility>

#include "core/error.h"
#include "core/log.h"
#include "harness/exec/host/host_event.h"

namespace stepmark {
namespace {

HostEventState& state_of(Event& event, std::shared_ptr<HostEventState>& keep_alive) {
  auto* host_event = dynamic_cast<HostEvent*>(&event);
  STEPMARK_CHECK(host_event != nullptr, "event belongs to another device");
  keep_alive = host_event->state();
  return *keep_alive;
}

constexpr std::size_t kThreadNameLength = 15;  // of Linux
constexpr int kLowestPriority = 19;            // "nice"; threads that a thread starts inherit it

// On Linux priorities are those of threads. Nobody needs a permission to lower one.
void lower_own_priority() {
  if (setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), kLowestPriority) != 0) {
    log_warning("a stream keeps its priority: {}",
                std::error_code(errno, std::generic_category()).message());
  }
}

}  // namespace

HostStream::HostStream(std::string name, int openmp_threads)
    : name_(std::move(name)), worker_([this, openmp_threads] { work(openmp_threads); }) {}

HostStream::~HostStream() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  work_added_.notify_one();
  worker_.join();
  if (failure_) {
    log_check_failure("stream finished", "a failure of stream " + name_ + " was lost",
                      std::source_location::current());
  }
}

void HostStream::submit(Task task) { push({.task = std::move(task)}); }

void HostStream::record(Event& event) {
  std::shared_ptr<HostEventState> state;
  const std::uint64_t ticket = state_of(event, state).announce();
  push({.task = [state, ticket] { state->reach(ticket); }, .even_after_failure = true});
}

void HostStream::wait(Event& event) {
  std::shared_ptr<HostEventState> state;
  const std::uint64_t ticket = state_of(event, state).latest();
  push({.task = [state, ticket] { state->wait(ticket); }, .even_after_failure = true});
}

void HostStream::synchronize() {
  std::unique_lock lock(mutex_);
  drained_.wait(lock, [this] { return queue_.empty() && !busy_; });
  if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
}

void HostStream::push(Item item) {
  {
    const std::lock_guard lock(mutex_);
    queue_.push_back(std::move(item));
  }
  work_added_.notify_one();
}

void HostStream::work(int openmp_threads) {
  pthread_setname_np(pthread_self(), name_.substr(0, kThreadNameLength).c_str());
  omp_set_num_threads(openmp_threads);  // of this thread only
  if (name_.ends_with("-low")) lower_own_priority();
  std::unique_lock lock(mutex_);
  while (true) {
    work_added_.wait(lock, [this] { return stop_ || !queue_.empty(); });
    if (queue_.empty()) return;
    Item item = std::move(queue_.front());
    queue_.pop_front();
    if (!failure_ || item.even_after_failure) {
      busy_ = true;
      lock.unlock();
      std::exception_ptr failure;
      try {
        item.task();
      } catch (...) {
        failure = std::current_exception();
      }
      item.task = nullptr;  // what it holds is released before synchronize() returns
      lock.lock();
      busy_ = false;
      if (failure && !failure_) failure_ = std::move(failure);
    }
    if (queue_.empty()) drained_.notify_all();
  }
}

}  // namespace stepmark
