// SPDX-License-Identifier: Apache-2.0
// What a rank may use of its host.
#pragma once

#include <cstdint>

#include "core/control.h"

namespace stepmark {

struct Resources {
  int cores = 1;                // that this process may run on
  int compute_threads = 1;      // per rank: its own cores when ranks are bound, else an equal share
  bool oversubscribed = false;  // more ranks than cores on this host
  std::int64_t memory_bytes = 0;  // available on the host, less a reserve; 0: unknown
};

// Collective: ranks of a host compare the cores they are bound to. OMP_NUM_THREADS overrides the
// threads.
[[nodiscard]] Resources share_resources(Control& control);

}  // namespace stepmark
