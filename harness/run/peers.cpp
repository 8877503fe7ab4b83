// SPDX-License-Identifier: Apache-2.0
// Pids and hosts of all ranks by the control plane; the state of a process from /proc/PID/stat, so
// only ranks of the own host can be looked at.
#include "harness/run/peers.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <sstream>

#include "core/error.h"
#include "harness/run/process_watch.h"

namespace stepmark {
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

std::string Peers::trouble(const std::map<int, std::string>& known) const {
  std::string text;
  for (const Peer& peer : local_) {
    if (peer.pid == getpid()) continue;
    const char state = process_state(peer.pid);
    const char* what = state == 0 || state == 'Z' || state == 'X' ? "is gone"
                       : state == 'T' || state == 't'             ? "is stopped (SIGSTOP)"
                                                                  : nullptr;
    const auto more = known.find(peer.rank);
    if (what == nullptr && more == known.end()) continue;
    text += fmt::format("{}rank {} (pid {})", text.empty() ? "" : ", ", peer.rank, peer.pid);
    if (what != nullptr) text += fmt::format(" {}", what);
    if (more == known.end()) continue;
    text += what != nullptr ? fmt::format(": {}", more->second) : " " + more->second;
  }
  return text;
}

pid_t Peers::pid_of(int rank) const {
  for (const Peer& peer : local_) {
    if (peer.rank == rank) return static_cast<pid_t>(peer.pid);
  }
  return 0;
}

bool Peers::is_first_that_runs(int rank) const {
  return std::none_of(local_.begin(), local_.end(), [&](const Peer& peer) {
    return peer.rank > 0 && peer.rank < rank && process_state(peer.pid) != 'T';
  });
}

std::vector<long> Peers::others() const {
  std::vector<long> pids;
  for (const Peer& peer : local_) {
    if (peer.pid != getpid()) pids.push_back(peer.pid);
  }
  return pids;
}

}  // namespace stepmark
