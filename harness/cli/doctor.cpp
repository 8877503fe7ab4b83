// SPDX-License-Identifier: Apache-2.0
// The command `doctor`: what is here, what is missing, what is misconfigured, what to do about it.
#include <fmt/format.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "core/build_info.h"
#include "core/environment_variable.h"
#include "core/output.h"
#include "core/units.h"
#include "core/utf8.h"
#include "harness/backend/backends.h"
#include "harness/backend/resources.h"
#include "harness/cli/commands.h"
#include "harness/doctor/core_findings.h"
#include "harness/doctor/gpu_findings.h"
#include "harness/doctor/node_findings.h"
#include "harness/exec/cuda/cuda_probe.h"
#include "harness/spec/data_files.h"
#include "results/record/json_text.h"
#include "results/table/text_table.h"

namespace stepmark {
namespace {

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

}  // namespace

ExitCode doctor_command(const DoctorOptions& options) {
  const auto solo = make_solo_control();
  const Resources resources = share_resources(*solo);
  const CudaProbe cuda = probe_cuda();
  std::vector<Finding> findings{build_finding(), data_finding(),
                                host_name_finding(kernel_host_name(), options.ranks)};
  const auto append = [&](std::vector<Finding> more) {
    std::move(more.begin(), more.end(), std::back_inserter(findings));
  };
  append(core_findings(resources, options.ranks));
  append({kernels_finding(host_sets(), environment_variable("STEPMARK_INSTRUCTION_SET"))});
  append({memory_finding(resources), mpi_finding(), governor_finding(), load_finding(resources)});
  append(node_findings(probe_node(), !cuda.gpus.empty()));
  append(gpu_findings(cuda, options.ranks));

  bool broken = false;
  nlohmann::json json = nlohmann::json::array();
  std::string text;
  for (const Finding& finding : findings) {
    broken = broken || finding.health == Health::broken;
    json.push_back({{"what", finding.what},
                    {"health", name_of(finding.health)},
                    {"found", finding.found},
                    {"advice", finding.advice}});
    text += fmt::format("{:8} {:11} {}\n", name_of(finding.health), finding.what, finding.found);
    if (!finding.advice.empty())
      text += std::string(21, ' ') + "-> " + wrapped(finding.advice, 24, 79);
  }
  text = options.json ? json_text(json, {.indent = 2}) + "\n" : printable(text);
  write_stdout(text);
  return broken ? ExitCode::kEnvironment : ExitCode::kOk;
}

}  // namespace stepmark
