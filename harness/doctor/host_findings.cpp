// SPDX-License-Identifier: Apache-2.0
// Each finding reads its own file of /proc or /sys or asks one function, and says what to type.
// What a virtual machine hides is a note, not a pass.
#include "harness/doctor/host_findings.h"

#include <fmt/format.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include "core/build_info.h"
#include "core/environment_variable.h"
#include "core/error.h"
#include "core/units.h"
#include "harness/backend/job.h"
#include "harness/spec/data_files.h"

namespace stepmark {

Finding build_finding() {
  const BuildInfo& build = build_info();
  Finding finding{.what = "build",
                  .found = fmt::format("stepmark {} ({}{}), {}", build.version,
                                       build.git_revision.substr(0, 12),
                                       build.git_dirty ? ", modified" : "", build.build_type)};
  if (build.build_type != "Release") {
    finding.health = Health::warning;
    finding.advice = "measure with a Release build: cmake -DCMAKE_BUILD_TYPE=Release";
  } else if (build.git_dirty) {
    finding.health = Health::note;
    finding.advice = "built from a modified tree; records say so";
  }
  return finding;
}

Finding data_finding() {
  try {
    return {.what = "data", .found = data_folder()};
  } catch (const Error& error) {
    return {.what = "data", .health = Health::broken, .found = "none", .advice = error.message()};
  }
}

Finding memory_finding(const Resources& resources) {
  return {.what = "memory",
          .found = format_bytes(static_cast<double>(resources.memory_bytes)) + " available"};
}

Finding mpi_finding() {
  const std::string version = job_facts().front().value;
  if (version == "none") {
    return {.what = "MPI",
            .health = Health::warning,
            .found = "not built in",
            .advice =
                "install libopenmpi-dev and openmpi-bin, configure with -DSTEPMARK_MPI=ON; "
                "only one rank can run now"};
  }
  // NOLINTNEXTLINE(concurrency-mt-unsafe): one thread
  if (std::system("command -v mpirun >/dev/null 2>&1") != 0) {
    return {.what = "MPI",
            .health = Health::warning,
            .found = version,
            .advice = "mpirun is not on PATH: install openmpi-bin or load your MPI module"};
  }
  if (geteuid() == 0 && !environment_variable("OMPI_ALLOW_RUN_AS_ROOT")) {
    return {.what = "MPI",
            .health = Health::note,
            .found = version,
            .advice =
                "as root, mpirun needs OMPI_ALLOW_RUN_AS_ROOT=1 and "
                "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1"};
  }
  return {.what = "MPI", .found = version};
}

Finding governor_finding() {
  std::ifstream file("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor");
  std::string governor;
  if (!(file >> governor)) {
    return {.what = "CPU clocks",
            .health = Health::note,
            .found = "not visible (virtual machine?)",
            .advice = "the host may change clocks unseen; intervals will show it"};
  }
  if (governor == "performance") return {.what = "CPU clocks", .found = "performance governor"};
  return {.what = "CPU clocks",
          .health = Health::warning,
          .found = governor + " governor",
          .advice = "for steady figures: cpupower frequency-set -g performance"};
}

std::string kernel_host_name() {
  utsname kernel{};
  return uname(&kernel) == 0 ? &kernel.nodename[0] : "";
}

Finding load_finding(const Resources& resources) {
  std::ifstream file("/proc/loadavg");
  double load = 0;
  file >> load;
  Finding finding{.what = "load", .found = fmt::format("{:.2f} over the last minute", load)};
  if (load > 0.5 * resources.cores) {
    finding.health = Health::warning;
    finding.advice = "something else is running: timings will be wider or wrong";
  }
  return finding;
}

}  // namespace stepmark
