// SPDX-License-Identifier: Apache-2.0
// A pipe in the place of stderr and a forked helper at its other end, in a session of its own with
// all signals blocked: it ends when the last writer has closed, and nothing else ends it.
#include "harness/run/library_stderr.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <thread>

#include "core/environment_variable.h"
#include "core/log_descriptor.h"
#include "harness/run/helper_name.h"
#include "harness/run/message_folder.h"

namespace stepmark {
namespace {

constexpr int kPauseMs = 300;
constexpr int kFirstFree = 3;
constexpr std::chrono::milliseconds kLastWords{500};

void write_all(int to, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(to, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
}

// Until every process that writes has closed its end.
void relay(int from, int to) {
  MessageFolder folder([to](std::string_view text) { write_all(to, text); });
  std::array<char, 16384> bytes{};
  for (;;) {
    pollfd source{.fd = from, .events = POLLIN, .revents = 0};
    const int ready = ::poll(&source, 1, folder.has_incomplete() ? kPauseMs : -1);
    if (ready < 0 && errno != EINTR) break;
    if (ready == 0) folder.pause();
    if (ready <= 0) continue;
    const ssize_t got = ::read(from, bytes.data(), bytes.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    folder.feed({bytes.data(), static_cast<std::size_t>(got)});
  }
  folder.end();
}

// Ends by itself when there is nothing left to read; nothing that ends a run ends it sooner.
[[noreturn]] void be_the_helper(int from) {
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, nullptr);
  setsid();  // no part of a group that a launcher kills
  take_helper_name("stepmark-stderr");
  const bool reads = ::dup2(from, STDIN_FILENO) >= 0;
  // Results have nothing to do with this process: their reader must not wait for it.
  close_range(STDIN_FILENO + 1, STDERR_FILENO - 1, 0);
  close_range(kFirstFree, ~0U, 0);
  if (reads) relay(STDIN_FILENO, STDERR_FILENO);
  _exit(0);
}

}  // namespace

LibraryStderr::LibraryStderr() {
  if (environment_variable("STEPMARK_FOLD_STDERR") == "0") return;
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return;
  original_ = ::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, kFirstFree);
  helper_ = original_ >= 0 ? ::fork() : -1;
  if (helper_ == 0) be_the_helper(ends[0]);
  ::close(ends[0]);
  if (helper_ > 0) {
    ::dup2(ends[1], STDERR_FILENO);
    set_log_descriptor(original_);
  }
  ::close(ends[1]);
}

LibraryStderr::~LibraryStderr() {
  if (helper_ <= 0) {
    if (original_ >= 0) ::close(original_);
    return;
  }
  ::dup2(original_, STDERR_FILENO);  // the last end for writing, unless a child still has one
  set_log_descriptor(STDERR_FILENO);
  ::close(original_);
  const auto deadline = std::chrono::steady_clock::now() + kLastWords;
  while (::waitpid(helper_, nullptr, WNOHANG) == 0 && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

}  // namespace stepmark
