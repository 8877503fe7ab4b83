// SPDX-License-Identifier: Apache-2.0
// How many compute threads each rank gets, and whether the ranks of a host ask for more, or less,
// CPU than it has. Pure functions of what the ranks were given.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "harness/measure/cgroup_limit.h"

namespace stepmark {

// What one rank was given, before any runtime changed it.
struct RankCores {
  std::string host;
  std::vector<int> cpus;           // that it may run on; empty: unknown, counted as one
  std::vector<int> launcher_cpus;  // that its launcher may: what is there beyond `cpus`
  std::optional<CpuQuota> quota;   // shared by the ranks of the same host and group
  int wanted_threads = 0;          // OMP_NUM_THREADS; 0: not set
};

// One line of text, for the exchange between ranks.
[[nodiscard]] std::string to_line(const RankCores& rank);
[[nodiscard]] RankCores rank_cores_from(const std::string& line);

struct CoreBudget {
  std::vector<int> threads;  // compute threads of each rank, at least 1
  // More threads than CPUs to run on, or than CPU time allowed, on any host: they take turns.
  bool oversubscribed = false;
  std::string unused;  // label: "1 of 2 CPUs used" of the host with the most to spare; else empty
  std::vector<std::string> remarks;  // what is wrong and what to do, each once
};

// Threads: OMP_NUM_THREADS where it is set; else the CPUs of the rank's mask divided by the ranks
// whose masks meet it, within its share of the quota.
[[nodiscard]] CoreBudget core_budget(std::span<const RankCores> ranks);

}  // namespace stepmark
