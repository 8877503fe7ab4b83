// SPDX-License-Identifier: Apache-2.0
#include "harness/cli/signals.h"

#include <pthread.h>
#include <signal.h>

#include <mutex>
#include <thread>

namespace stepmark {
namespace {

// Wakes the thread up to end it; not sent by anyone else.
constexpr int kStop = SIGUSR2;

sigset_t handled_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, kStop}) sigaddset(&set, signal);
  return set;
}

void die_of(int signal) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, signal);
  ::signal(signal, SIG_DFL);
  pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
  raise(signal);
}

}  // namespace

struct SignalThread::State {
  std::mutex mutex;
  std::function<void(int)> handler;
  std::thread thread;
};

SignalThread::SignalThread() : state_(std::make_unique<State>()) {
  const sigset_t set = handled_signals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  ::signal(SIGXFSZ, SIG_IGN);
  state_->thread = std::thread([state = state_.get(), set] {
    while (true) {
      int signal = 0;
      if (sigwait(&set, &signal) != 0) continue;
      if (signal == kStop) return;
      std::function<void(int)> handler;
      {
        const std::lock_guard lock(state->mutex);
        handler = state->handler;
      }
      if (handler) {
        handler(signal);
      } else {
        die_of(signal);
      }
    }
  });
}

SignalThread::~SignalThread() {
  pthread_kill(state_->thread.native_handle(), kStop);
  state_->thread.join();
}

void SignalThread::set_handler(std::function<void(int)> handler) {
  const std::lock_guard lock(state_->mutex);
  state_->handler = std::move(handler);
}

}  // namespace stepmark
