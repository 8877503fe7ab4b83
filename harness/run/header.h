// SPDX-License-Identifier: Apache-2.0
// The first line of a run's journal: what was measured, of which build, where.
#pragma once

#include "harness/backend/machine.h"
#include "harness/backend/resources.h"
#include "harness/run/config.h"
#include "harness/run/options.h"
#include "harness/run/peers.h"
#include "results/record/journal.h"

namespace stepmark {

// Collective: the environments of all ranks are compared, and what differs between them is a fact
// of its own. Complete on rank 0.
[[nodiscard]] RunHeader make_run_header(const RunOptions& options, const RunConfig& config,
                                        Job& job, const Machine& machine, const Peers& peers,
                                        const Resources& resources);

}  // namespace stepmark
