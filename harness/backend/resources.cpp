// SPDX-License-Identifier: Apache-2.0
// Masks, quotas and OMP_NUM_THREADS of all ranks are gathered as lines, and every rank computes the
// same budget from them. Memory is what the kernel calls available, less a reserve for the system.
#include "harness/backend/resources.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <sstream>

#include "core/error.h"
#include "harness/backend/core_budget.h"
#include "harness/measure/process_start.h"

namespace stepmark {
namespace {

constexpr double kMemoryReserve = 0.1;  // left to the operating system and the runtime

RankCores own_cores() {
  const ProcessStart& start = process_start();
  RankCores own{.host = identity().host,
                .cpus = start.cpus,
                .launcher_cpus = start.launcher_cpus,
                .quota = start.quota};
  for (const EnvironmentFact& variable : start.variables) {
    if (variable.name == "OMP_NUM_THREADS") own.wanted_threads = threads_wanted(variable.value);
  }
  return own;
}

std::vector<RankCores> cores_of_all(Control& control, const RankCores& own) {
  const auto gathered = control.gather(to_line(own));
  std::istringstream lines(control.broadcast(fmt::format("{}", fmt::join(gathered, "\n"))));
  std::vector<RankCores> all;
  for (std::string line; std::getline(lines, line);) all.push_back(rank_cores_from(line));
  return all;
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

int at_least_one(std::size_t count) { return static_cast<int>(std::max<std::size_t>(1, count)); }

}  // namespace

int threads_wanted(const std::string& omp_num_threads) {
  const char* const end = omp_num_threads.data() + omp_num_threads.size();
  const char* begin = std::find_if(omp_num_threads.data(), end, [](char c) { return c != ' '; });
  int number = 0;
  const auto [rest, error] = std::from_chars(begin, end, number);
  const bool whole = error == std::errc{} && (rest == end || *rest == ',' || *rest == ' ');
  return whole ? std::max(0, number) : 0;
}

Resources share_resources(Control& control) {
  const RankCores own = own_cores();
  const CoreBudget budget = core_budget(cores_of_all(control, own));
  Resources resources;
  resources.cores = at_least_one(own.cpus.size());
  resources.launcher_cores = at_least_one(std::max(own.cpus.size(), own.launcher_cpus.size()));
  if (own.quota) resources.quota = own.quota->cores;
  resources.compute_threads = budget.threads.at(static_cast<std::size_t>(control.rank()));
  resources.oversubscribed = budget.oversubscribed;
  resources.unused = budget.unused;
  resources.remarks = budget.remarks;
  resources.memory_bytes = available_memory();
  return resources;
}

}  // namespace stepmark
