// SPDX-License-Identifier: Apache-2.0
// CPUs against what the launcher could give, a quota against the ranks that shall run, the
// instruction set against the best one, and host names that Open MPI 4 stumbles over.
#include "harness/doctor/core_findings.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.h"
#include "core/utf8.h"

namespace stepmark {
namespace {

Finding cores_finding(const Resources& resources, int ranks) {
  Finding finding{.what = "cores", .found = fmt::format("{} usable", resources.cores)};
  if (resources.cores < resources.launcher_cores) {
    finding.health = Health::warning;
    finding.found = fmt::format("{} of {} used", resources.cores, resources.launcher_cores);
    finding.advice =
        "this process is bound to fewer CPUs than its parent may use, the others stay idle: mpirun "
        "--bind-to none, or --map-by slot:PE=N for N CPUs per rank";
  } else if (ranks > resources.cores) {
    finding.health = Health::warning;
    finding.advice = fmt::format(
        "{} ranks share {} cores: host timings include scheduling and say little about a network",
        ranks, resources.cores);
  }
  return finding;
}

Finding quota_finding(const Resources& resources, int ranks) {
  if (!resources.quota) return {.what = "CPU quota", .found = "none"};
  Finding finding{.what = "CPU quota",
                  .found = fmt::format("{:g} cores' worth of CPU time", *resources.quota)};
  if (*resources.quota < ranks) {
    finding.health = Health::warning;
    finding.advice = fmt::format(
        "less than {} rank{} need{}: the kernel stops {} for part of each period, and timings "
        "include that; raise it (cpu.max, docker --cpus, resources.limits.cpu)",
        ranks, ranks == 1 ? "" : "s", ranks == 1 ? "s" : "", ranks == 1 ? "it" : "them");
  } else if (*resources.quota < resources.cores) {
    finding.health = Health::note;
    finding.advice = "less than the CPUs that are visible; compute threads are chosen within it";
  }
  return finding;
}

bool is_accepted(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '-';
}

}  // namespace

std::vector<Finding> core_findings(const Resources& resources, int ranks) {
  return {cores_finding(resources, ranks), quota_finding(resources, ranks)};
}

Finding kernels_finding(std::span<const HostSet> sets, const std::optional<std::string>& wanted) {
  Finding finding{.what = "CPU kernels"};
  try {
    const std::string_view chosen = choose_set(sets, wanted).name;
    finding.found = fmt::format("for {}", chosen);
    const std::string_view best = choose_set(sets, std::nullopt).name;
    if (chosen == best) return finding;
    finding.health = Health::note;
    finding.advice = fmt::format(
        "STEPMARK_INSTRUCTION_SET asks for less than {}, which this CPU has: unset it", best);
  } catch (const Error& error) {
    finding.health = Health::broken;
    finding.found = "none";
    finding.advice = printable_line(error.message());
  }
  return finding;
}

Finding host_name_finding(const std::string& name, int ranks) {
  Finding finding{.what = "host name", .found = printable_line(name)};
  const auto bad = std::find_if_not(name.begin(), name.end(), is_accepted);
  if (bad == name.end() && !name.empty()) return finding;
  finding.health = ranks > 1 ? Health::broken : Health::warning;
  finding.advice = fmt::format(
      "mpirun of Open MPI 4 starts nothing on a host of this name: it takes letters, digits, dots "
      "and hyphens{}. Rename it (hostnamectl set-hostname, docker --hostname); --mca regx naive "
      "makes mpirun take it as it is",
      bad == name.end() ? "" : fmt::format(", not '{}'", printable_line(std::string(1, *bad))));
  return finding;
}

}  // namespace stepmark
