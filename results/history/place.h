// SPDX-License-Identifier: Apache-2.0
// Where a run took place, as far as its journal says: nights are compared with nights on the same
// cluster, whichever of its nodes were free. Internal to results/history.
#pragma once

#include <string>

#include "results/record/journal.h"

namespace stepmark {

struct Place {
  std::string name;
  int hosts = 0;           // 0: not known
  int ranks_per_host = 0;  // of the host that has most; 0: not known
  bool guessed = false;    // several hosts whose cluster has no name
};

// `stated` where the user says it, else the cluster of the run's configuration, else its only host.
[[nodiscard]] Place place_of(const RunHeader& header, const std::string& stated);

}  // namespace stepmark
