// SPDX-License-Identifier: Apache-2.0
#include "harness/cli/resources.h"

#include <fmt/format.h>
#include <sched.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <sstream>
#include <string>

#include "core/error.h"
#include "harness/cli/environment_variable.h"

namespace stepmark {
namespace {

constexpr double kMemoryReserve = 0.1;  // left to the operating system and the runtime

std::string allowed_cores(int& count) {
  cpu_set_t set;
  CPU_ZERO(&set);
  count = 1;
  if (sched_getaffinity(0, sizeof set, &set) != 0) return "unknown";
  count = std::max(1, CPU_COUNT(&set));
  std::string mask;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(cpu, &set)) mask += fmt::format("{}.", cpu);
  }
  return mask;
}

// How many ranks of each host are bound to the same cores as this one.
int ranks_on_same_cores(Control& control, const std::string& mask) {
  const std::string own = identity().host + " " + mask;
  const auto all = control.gather(own);
  std::string list;
  for (const std::string& place : all) list += place + "\n";
  std::istringstream lines(control.broadcast(list));
  std::map<std::string, int> count;
  for (std::string line; std::getline(lines, line);) ++count[line];
  return std::max(1, count[own]);
}

std::int64_t available_memory() {
  std::ifstream file("/proc/meminfo");
  std::string name;
  std::int64_t kib = 0;
  for (std::string unit; file >> name >> kib;) {
    if (name == "MemAvailable:") {
      return static_cast<std::int64_t>(static_cast<double>(kib * 1024) * (1.0 - kMemoryReserve));
    }
    std::getline(file, unit);
  }
  return 0;
}

}  // namespace

Resources share_resources(Control& control) {
  Resources resources;
  const std::string mask = allowed_cores(resources.cores);
  const int sharing = ranks_on_same_cores(control, mask);
  resources.compute_threads = std::max(1, resources.cores / sharing);
  resources.oversubscribed = sharing > resources.cores;
  if (const auto threads = environment_number("OMP_NUM_THREADS")) {
    resources.compute_threads = std::max(1, *threads);
  }
  resources.memory_bytes = available_memory();
  return resources;
}

}  // namespace stepmark
