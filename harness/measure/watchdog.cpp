// SPDX-License-Identifier: Apache-2.0
// Two threads that take no signals share one state: the first reports and may hang in it (a full
// disk, a stopped reader), the second only waits for the hard deadline and calls _exit.
#include "harness/measure/watchdog.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <optional>
#include <source_location>
#include <thread>
#include <utility>

#include "core/error.h"
#include "core/log.h"
#include "core/log_descriptor.h"

namespace stepmark {
namespace {

using Time = std::chrono::steady_clock;

Time::time_point after(double seconds) {
  constexpr double kLongest = 1e8;  // years; keeps the sum within the clock's range
  return Time::now() + std::chrono::duration_cast<Time::duration>(
                           std::chrono::duration<double>(std::clamp(seconds, 0.0, kLongest)));
}

// Without blocking, as it might when a launcher has stopped reading.
bool stderr_takes_a_line() {
  pollfd stream{.fd = log_descriptor(), .events = POLLOUT, .revents = 0};
  return poll(&stream, 1, 0) == 1 && (stream.revents & POLLOUT) != 0;
}

// A thread that takes no signals: those belong to the program's own handler.
template <class F>
std::thread quiet_thread(F run) {
  sigset_t all;
  sigset_t previous;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &previous);
  std::thread thread(std::move(run));
  pthread_sigmask(SIG_SETMASK, &previous, nullptr);
  return thread;
}

}  // namespace

struct Watchdog::State {
  explicit State(Options chosen) : options(std::move(chosen)) {}

  void wait_for_deadline() {
    std::unique_lock lock(mutex);
    while (!closing && !expired) {
      if (!deadline) {
        changed.wait(lock);
      } else if (Time::now() >= *deadline) {
        expired = true;
        hard_deadline = after(options.grace_s);
        changed.notify_all();
      } else {
        // A copy: the wait gives up the lock, and the deadline may move meanwhile.
        const Time::time_point until = *deadline;
        changed.wait_until(lock, until);
      }
    }
    if (!expired) return;
    const std::string late = activity;
    lock.unlock();
    report(late);
  }

  void wait_for_hard_deadline() {
    std::unique_lock lock(mutex);
    while (!report_done) {
      if (!expired) {
        changed.wait(lock);
      } else if (Time::now() >= hard_deadline) {
        if (stderr_takes_a_line()) {
          log_error("'{}' still hangs after {} s more: exit at once", activity, options.grace_s);
        }
        _exit(options.exit_code);
      } else {
        changed.wait_until(lock, hard_deadline);
      }
    }
  }

  void report(const std::string& late) noexcept {
    try {
      if (options.on_expiry) {
        options.on_expiry(late);
      } else {
        log_error("no progress: '{}' did not finish before its deadline", late);
      }
    } catch (const std::exception& error) {
      log_check_failure("on_expiry(activity)", error.what(), std::source_location::current());
    } catch (...) {
      log_check_failure("on_expiry(activity)", "unknown exception",
                        std::source_location::current());
    }
  }

  Options options;
  std::mutex mutex;
  std::condition_variable changed;
  std::optional<Time::time_point> deadline;
  std::string activity;
  bool expired = false;
  Time::time_point hard_deadline;
  bool closing = false;
  bool report_done = false;  // and closing: nothing is left to wait for
  std::thread reporter;
  std::thread ender;
};

Watchdog::Watchdog(Options options) : state_(std::make_unique<State>(std::move(options))) {
  State* const state = state_.get();
  state->reporter = quiet_thread([state] { state->wait_for_deadline(); });
  state->ender = quiet_thread([state] { state->wait_for_hard_deadline(); });
}

Watchdog::~Watchdog() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->closing = true;
  }
  state_->changed.notify_all();
  state_->reporter.join();
  {
    const std::lock_guard lock(state_->mutex);
    state_->report_done = true;
  }
  state_->changed.notify_all();
  state_->ender.join();
}

void Watchdog::expect(std::string activity, double seconds) {
  {
    const std::lock_guard lock(state_->mutex);
    if (state_->expired) return;
    state_->activity = std::move(activity);
    state_->deadline = after(seconds);
  }
  state_->changed.notify_all();
}

void Watchdog::disarm() {
  {
    const std::lock_guard lock(state_->mutex);
    if (state_->expired) return;
    state_->deadline.reset();
  }
  state_->changed.notify_all();
}

}  // namespace stepmark
