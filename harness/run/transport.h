// SPDX-License-Identifier: Apache-2.0
// How the ranks of a run reach each other, as facts that two runs must share to be like for like.
#pragma once

#include <string>
#include <vector>

#include "harness/backend/job.h"
#include "harness/run/peers.h"
#include "results/record/environment.h"

namespace stepmark {

struct Transport {
  std::vector<EnvironmentFact> facts;
  std::vector<std::string> remarks;  // what makes it slow, and what to do about it
};

// Collective, once the job has started. Facts of pairs on one host only where there are some, and
// of pairs on different hosts likewise.
[[nodiscard]] Transport observe_transport(Job& job, const Peers& peers);

// The same of what was seen. Pure.
[[nodiscard]] Transport judge_transport(const LibraryTransport& library, const std::string& attach,
                                        const std::string& shm_size, bool several_on_a_host,
                                        bool several_hosts);

}  // namespace stepmark
