// SPDX-License-Identifier: Apache-2.0
// Handlers write the signal into a pipe that one thread reads; sigwait alone is not enough, as
// threads that libraries start have signals unblocked. What the user had set to ignore stays
// ignored.
#include "harness/run/signals.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <mutex>
#include <thread>
#include <vector>

#include "core/error.h"

namespace stepmark {
namespace {

constexpr int kNote = 7;  // behind SIGRTMIN

// Those whose default action ends the process (signal(7)), apart from SIGKILL and faults.
std::vector<int> ending_signals() {
  std::vector<int> signals{SIGHUP,  SIGINT, SIGQUIT, SIGPIPE,   SIGALRM, SIGTERM, SIGUSR1,
                           SIGUSR2, SIGIO,  SIGXCPU, SIGVTALRM, SIGPROF, SIGPWR,  SIGSTKFLT};
  for (int signal = SIGRTMIN; signal <= SIGRTMAX; ++signal) signals.push_back(signal);
  return signals;
}

// The way from a handler, on whatever thread it runs, to the signal thread: writes of this size to
// a pipe are whole. Handlers and not sigwait alone, because threads that a library started before
// us do not have the signals blocked.
std::atomic<int> to_thread{-1};

void pass_on(int signal, siginfo_t* info, void*) {
  const int kept = errno;
  ReceivedSignal received{.number = signal};
  if (info->si_code <= 0) received.sender = info->si_pid;
  if (info->si_code == SI_QUEUE) received.value = info->si_value.sival_int;
  // One that a write of our own caused: the write has failed with EPIPE, and says so.
  const bool own_pipe = signal == SIGPIPE && (received.sender == 0 || received.sender == getpid());
  const int pipe = to_thread.load();
  if (!own_pipe && pipe >= 0) {
    const auto written = ::write(pipe, &received, sizeof received);
    static_cast<void>(written);  // a full pipe holds enough reasons to end
  }
  errno = kept;
}

// The signals taken, from now on.
sigset_t take_signals() {
  sigset_t taken;
  sigemptyset(&taken);
  struct sigaction action {};
  action.sa_sigaction = pass_on;
  action.sa_flags = SA_SIGINFO | SA_RESTART;
  sigfillset(&action.sa_mask);
  for (const int signal : ending_signals()) {
    struct sigaction before {};
    if (sigaction(signal, nullptr, &before) != 0) continue;
    const bool ours = (before.sa_flags & SA_SIGINFO) != 0 && before.sa_sigaction == pass_on;
    if (!ours && ((before.sa_flags & SA_SIGINFO) != 0 || before.sa_handler != SIG_DFL)) continue;
    if (sigaction(signal, &action, nullptr) == 0) sigaddset(&taken, signal);
  }
  ::signal(SIGXFSZ, SIG_IGN);
  return taken;
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

bool asks_to_finish(int signal) { return signal == SIGUSR1 || signal == SIGUSR2; }

int note_signal() { return SIGRTMIN + kNote; }

bool is_note(int signal) { return signal == note_signal(); }

std::string signal_name(int signal) {
  if (const char* name = sigabbrev_np(signal)) return fmt::format("SIG{}", name);
  if (signal >= SIGRTMIN) return fmt::format("SIGRTMIN+{}", signal - SIGRTMIN);
  return fmt::format("signal {}", signal);
}

void send_note(pid_t process, int value) noexcept {
  sigval content{};
  content.sival_int = value;
  sigqueue(process, SIGRTMIN + kNote, content);
}

struct SignalThread::State {
  std::mutex mutex;
  std::function<void(const ReceivedSignal&)> handler;
  std::array<int, 2> pipe{-1, -1};
  std::thread thread;

  void handle(const ReceivedSignal& received) {
    std::function<void(const ReceivedSignal&)> action;
    {
      const std::lock_guard lock(mutex);
      action = handler;
    }
    if (action) {
      action(received);
    } else if (!is_note(received.number)) {
      die_of(received.number);
    }
  }
};

SignalThread::SignalThread() : state_(std::make_unique<State>()) {
  STEPMARK_CHECK(pipe2(state_->pipe.data(), O_CLOEXEC) == 0, "no pipe: {}", strerrordesc_np(errno));
  // A handler must not wait.
  fcntl(state_->pipe[1], F_SETFL, O_NONBLOCK);
  to_thread = state_->pipe[1];
  const sigset_t taken = take_signals();
  pthread_sigmask(SIG_BLOCK, &taken, nullptr);
  state_->thread = std::thread([state = state_.get(), taken] {
    pthread_sigmask(SIG_UNBLOCK, &taken, nullptr);
    ReceivedSignal received;
    while (true) {
      const auto size = ::read(state->pipe[0], &received, sizeof received);
      if (size < 0 && errno == EINTR) continue;
      if (size != sizeof received || received.number == 0) return;
      state->handle(received);
    }
  });
}

SignalThread::~SignalThread() {
  to_thread = -1;
  const ReceivedSignal stop;
  while (::write(state_->pipe[1], &stop, sizeof stop) < 0 && (errno == EINTR || errno == EAGAIN)) {
    std::this_thread::yield();
  }
  state_->thread.join();
  for (const int end : state_->pipe) close(end);
}

void SignalThread::set_handler(std::function<void(const ReceivedSignal&)> handler) {
  const std::lock_guard lock(state_->mutex);
  state_->handler = std::move(handler);
}

}  // namespace stepmark
