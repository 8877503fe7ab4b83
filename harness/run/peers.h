// SPDX-License-Identifier: Apache-2.0
// Who is in trouble? Ranks exchange their host and process id at start; when a run gets stuck, rank
// 0, or another if it is rank 0 that is stuck, looks at the processes on its own host and names
// those that are gone or stopped.
#pragma once

#include <sys/types.h>

#include <map>
#include <string>
#include <vector>

#include "core/control.h"

namespace stepmark {

class Peers {
 public:
  // Collective.
  explicit Peers(Control& control);
  // "rank 2 (pid 4711) is stopped (SIGSTOP)", or "rank 2 (pid 4711) is gone"; empty when every
  // other rank on this host runs. `known`: what is known of a rank's end, added to its name.
  // Touches only /proc: callable from any thread at any time.
  [[nodiscard]] std::string trouble(const std::map<int, std::string>& known = {}) const;
  [[nodiscard]] const std::vector<std::string>& hosts() const { return hosts_; }  // by rank
  // 0 when it is on another host.
  [[nodiscard]] pid_t pid_of(int rank) const;
  // Whether all lower ranks of this host, rank 0 apart, are stopped: one of several speaks.
  [[nodiscard]] bool is_first_that_runs(int rank) const;
  // The other ranks of this host.
  [[nodiscard]] std::vector<long> others() const;

 private:
  struct Peer {
    int rank;
    long pid;
  };
  std::vector<Peer> local_;
  std::vector<std::string> hosts_;
};

}  // namespace stepmark
