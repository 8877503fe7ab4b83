// SPDX-License-Identifier: Apache-2.0
// `plan --list`: all legal plans of a workload on so many accelerators, with what each costs.
#pragma once

#include "core/device_traits.h"
#include "core/error.h"
#include "harness/cli/options.h"
#include "harness/spec/cluster.h"
#include "harness/spec/workload.h"

namespace stepmark {

// Prints the table or JSON. `ranks` are those of the list; without a cluster nothing is said of
// what fits, of tiers and of times.
ExitCode list_plans(const PlanOptions& options, const Workload& workload, std::int64_t ranks,
                    const std::optional<Cluster>& cluster, const DeviceTraits& traits);

}  // namespace stepmark
