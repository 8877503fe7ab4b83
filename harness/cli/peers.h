// SPDX-License-Identifier: Apache-2.0
// Who is in trouble? Ranks exchange their host and process id at start; when a run gets stuck, rank
// 0, or another if it is rank 0 that is stuck, looks at the processes on its own host and names
// those that are gone or stopped.
#pragma once

#include <string>
#include <vector>

#include "core/control.h"

namespace stepmark {

class Peers {
 public:
  // Collective.
  explicit Peers(Control& control);
  // "rank 2 (pid 4711) is stopped (SIGSTOP)", or "rank 2 (pid 4711) is gone"; empty when every rank
  // on this host runs. Touches only /proc: callable from any thread at any time.
  [[nodiscard]] std::string trouble() const;
  [[nodiscard]] const std::vector<std::string>& hosts() const { return hosts_; }  // by rank

 private:
  struct Peer {
    int rank;
    long pid;
  };
  std::vector<Peer> local_;
  std::vector<std::string> hosts_;
};

}  // namespace stepmark
