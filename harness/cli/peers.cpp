// SPDX-License-Identifier: Apache-2.0
#include "harness/cli/peers.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <charconv>
#include <fstream>
#include <sstream>

#include "core/error.h"

namespace stepmark {
namespace {

// State letter of /proc/PID/stat (after the last parenthesis: names may hold some), or 0.
char process_state(long pid) {
  std::ifstream file(fmt::format("/proc/{}/stat", pid));
  std::string line;
  if (!std::getline(file, line)) return 0;
  const std::size_t close = line.rfind(')');
  return close != std::string::npos && close + 2 < line.size() ? line[close + 2] : '\0';
}

}  // namespace

Peers::Peers(Control& control) {
  const auto gathered = control.gather(fmt::format("{} {}", getpid(), identity().host));
  std::istringstream all(control.broadcast(fmt::format("{}", fmt::join(gathered, "\n"))));
  std::string line;
  for (int rank = 0; std::getline(all, line); ++rank) {
    const std::size_t space = line.find(' ');
    long pid = 0;
    std::from_chars(line.data(), line.data() + space, pid);
    hosts_.push_back(line.substr(space + 1));
    if (hosts_.back() == identity().host) local_.push_back({.rank = rank, .pid = pid});
  }
}

std::string Peers::trouble() const {
  std::string text;
  for (const Peer& peer : local_) {
    const char state = process_state(peer.pid);
    const char* what = state == 0 || state == 'Z' || state == 'X' ? "is gone"
                       : state == 'T' || state == 't'             ? "is stopped (SIGSTOP)"
                                                                  : nullptr;
    if (what == nullptr) continue;
    text +=
        fmt::format("{}rank {} (pid {}) {}", text.empty() ? "" : ", ", peer.rank, peer.pid, what);
  }
  return text;
}

}  // namespace stepmark
