// SPDX-License-Identifier: Apache-2.0
// pidfd_open and poll, with an eventfd to end the thread. Where the kernel is older than 5.3 or
// files have run out, /proc is asked every half second.
#include "harness/run/process_watch.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <system_error>
#include <thread>

#include "core/error.h"

namespace stepmark {
namespace {

// Readable when the process ends (pidfd_open(2), Linux 5.3). Older kernels and programs that use up
// their files are asked by turns.
int open_process(long pid) { return static_cast<int>(syscall(SYS_pidfd_open, pid, 0)); }

constexpr int kTurnMs = 500;

}  // namespace

char process_state(long pid) {
  std::ifstream file(fmt::format("/proc/{}/stat", pid));
  std::string line;
  if (!std::getline(file, line)) return 0;
  const std::size_t close = line.rfind(')');  // after the name, which may hold some
  return close != std::string::npos && close + 2 < line.size() ? line[close + 2] : '\0';
}

bool process_runs(long pid) {
  const char state = process_state(pid);
  return state != 0 && state != 'Z' && state != 'X';
}

std::vector<long> running_children(long pid) {
  std::vector<long> children;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", ignored)) {
    std::ifstream file(entry.path() / "stat");
    std::string line;
    if (!std::getline(file, line)) continue;
    std::istringstream fields(line.substr(std::min(line.size(), line.rfind(')') + 1)));
    char state = 0;
    long parent = 0;
    if (fields >> state >> parent && parent == pid && state != 'Z' && state != 'X') {
      children.push_back(std::strtol(entry.path().filename().c_str(), nullptr, 10));
    }
  }
  return children;
}

bool environment_has(long pid, const std::string& variable_and_value) {
  std::ifstream file(fmt::format("/proc/{}/environ", pid), std::ios::binary);
  for (std::string entry; std::getline(file, entry, '\0');) {
    if (entry == variable_and_value) return true;
  }
  return false;
}

bool handles_signal(long pid, int signal) {
  std::ifstream file(fmt::format("/proc/{}/status", pid));
  constexpr const char* kCaught = "SigCgt:";
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with(kCaught)) continue;
    const auto mask = std::strtoull(line.c_str() + std::string(kCaught).size(), nullptr, 16);
    return ((mask >> (signal - 1)) & 1U) != 0;
  }
  return false;
}

std::string process_name(long pid) {
  std::ifstream file(fmt::format("/proc/{}/comm", pid));
  std::string name;
  std::getline(file, name);
  return name;
}

struct ProcessWatch::State {
  struct Watched {
    long pid;
    int fd;  // -1: asked by turns
  };
  std::vector<Watched> watched;
  std::function<void(long)> gone;
  int stop = -1;
  std::thread thread;

  void run() {
    while (true) {
      std::vector<pollfd> files{{.fd = stop, .events = POLLIN, .revents = 0}};
      bool by_turns = false;
      for (const Watched& one : watched) {
        files.push_back({.fd = one.fd, .events = POLLIN, .revents = 0});
        by_turns = by_turns || one.fd < 0;
      }
      if (poll(files.data(), files.size(), by_turns ? kTurnMs : -1) < 0 && errno != EINTR) return;
      if (files[0].revents != 0) return;
      report(files);
    }
  }

  void report(const std::vector<pollfd>& files) {
    std::vector<Watched> rest;
    std::vector<long> ended;
    for (std::size_t i = 0; i < watched.size(); ++i) {
      const Watched& one = watched[i];
      const bool over = one.fd >= 0 ? files[i + 1].revents != 0 : !process_runs(one.pid);
      if (!over) {
        rest.push_back(one);
        continue;
      }
      if (one.fd >= 0) close(one.fd);
      ended.push_back(one.pid);
    }
    watched = std::move(rest);
    for (const long pid : ended) gone(pid);
  }
};

ProcessWatch::ProcessWatch(const std::vector<long>& pids, std::function<void(long)> gone)
    : state_(std::make_unique<State>()) {
  state_->gone = std::move(gone);
  for (const long pid : pids) state_->watched.push_back({.pid = pid, .fd = open_process(pid)});
  state_->stop = eventfd(0, EFD_CLOEXEC);
  STEPMARK_CHECK(state_->stop >= 0, "no event: errno {}", errno);
  sigset_t all;
  sigset_t previous;
  sigfillset(&all);  // signals belong to the program's own handler
  pthread_sigmask(SIG_SETMASK, &all, &previous);
  state_->thread = std::thread([state = state_.get()] { state->run(); });
  pthread_sigmask(SIG_SETMASK, &previous, nullptr);
}

ProcessWatch::~ProcessWatch() {
  eventfd_write(state_->stop, 1);
  state_->thread.join();
  for (const auto& one : state_->watched) {
    if (one.fd >= 0) close(one.fd);
  }
  close(state_->stop);
}

}  // namespace stepmark
