// SPDX-License-Identifier: Apache-2.0
// The command `doctor`: what is here, what is missing, what is misconfigured, what to do about it.
#include <fmt/format.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "core/build_info.h"
#include "core/units.h"
#include "harness/cli/backends.h"
#include "harness/cli/commands.h"
#include "harness/cli/data_files.h"
#include "harness/cli/environment_variable.h"
#include "harness/cli/resources.h"
#include "harness/exec/cuda/cuda_probe.h"
#include "results/table/text_table.h"

namespace stepmark {
namespace {

enum class Health : std::uint8_t { good, note, warning, broken };

struct Finding {
  std::string what;
  Health health = Health::good;
  std::string found;
  std::string advice;  // what to do; empty when good
};

const char* name_of(Health health) {
  switch (health) {
    case Health::good:
      return "ok";
    case Health::note:
      return "note";
    case Health::warning:
      return "warning";
    case Health::broken:
      return "BROKEN";
  }
  return "?";
}

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

Finding cores_finding(const Resources& resources, int ranks) {
  Finding finding{.what = "cores", .found = fmt::format("{} usable", resources.cores)};
  if (ranks > resources.cores) {
    finding.health = Health::warning;
    finding.advice = fmt::format(
        "{} ranks share {} cores: host timings include scheduling and say little about a network",
        ranks, resources.cores);
  }
  return finding;
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

Finding shared_memory_finding() {
  struct statvfs info {};
  if (statvfs("/dev/shm", &info) != 0) {
    return {.what = "/dev/shm",
            .health = Health::broken,
            .found = "missing",
            .advice = "MPI and NCCL need it between ranks of a host: mount a tmpfs there"};
  }
  const double bytes = static_cast<double>(info.f_bavail) * static_cast<double>(info.f_frsize);
  Finding finding{.what = "/dev/shm", .found = format_bytes(bytes) + " free"};
  if (bytes < 64.0 * static_cast<double>(kMiB)) {
    finding.health = Health::warning;
    finding.advice = "small (a container's default?): start it with --shm-size=1g";
  }
  return finding;
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

std::string cuda_version(int version) {
  return fmt::format("{}.{}", version / 1000, version % 1000 / 10);
}

std::vector<Finding> cuda_findings(int ranks) {
  const CudaProbe probe = probe_cuda();
  if (!probe.built) {
    return {{.what = "CUDA",
             .health = Health::note,
             .found = "not built in",
             .advice = "GPU steps need a build on a machine with the CUDA toolkit"}};
  }
  const std::string runtime = "runtime " + cuda_version(probe.runtime_version);
  if (probe.driver_version == 0) {
    return {{.what = "CUDA",
             .health = Health::note,
             .found = runtime + ", no driver",
             .advice = "no NVIDIA driver is loaded: nvidia-smi must work before GPUs can be used"}};
  }
  if (probe.driver_version < probe.runtime_version / 1000 * 1000) {
    return {{.what = "CUDA",
             .health = Health::broken,
             .found =
                 fmt::format("{}, driver for CUDA {}", runtime, cuda_version(probe.driver_version)),
             .advice = "the driver is older than the runtime's major version: update the driver"}};
  }
  if (!probe.error.empty()) {
    return {{.what = "CUDA",
             .health = Health::broken,
             .found = runtime + ": " + probe.error,
             .advice = "nvidia-smi tells more; in a container, start it with --gpus all"}};
  }
  std::vector<Finding> findings{
      {.what = "CUDA",
       .health = Health::note,
       .found = fmt::format("{}, driver for CUDA {}, {} GPUs", runtime,
                            cuda_version(probe.driver_version), probe.gpus.size()),
       .advice = "this version measures on the host backend only"}};
  for (const CudaGpu& gpu : probe.gpus) {
    Finding finding{.what = fmt::format("GPU {}", gpu.index),
                    .found = fmt::format("{}, compute capability {}.{}, {}", gpu.name,
                                         gpu.compute_capability / 10, gpu.compute_capability % 10,
                                         format_bytes(gpu.memory_bytes))};
    if (gpu.exclusive) {
      finding.health = Health::note;
      finding.advice = "exclusive compute mode: one rank per GPU only";
    }
    findings.push_back(std::move(finding));
  }
  if (static_cast<int>(probe.gpus.size()) < ranks) {
    findings.push_back({.what = "GPUs",
                        .health = Health::note,
                        .found = fmt::format("{} for {} ranks", probe.gpus.size(), ranks),
                        .advice = "one GPU per rank is needed"});
  }
  return findings;
}

}  // namespace

ExitCode doctor_command(const DoctorOptions& options) {
  const auto solo = make_solo_control();
  const Resources resources = share_resources(*solo);
  std::vector<Finding> findings{
      build_finding(),           data_finding(),         cores_finding(resources, options.ranks),
      memory_finding(resources), mpi_finding(),          shared_memory_finding(),
      governor_finding(),        load_finding(resources)};
  for (Finding& finding : cuda_findings(options.ranks)) findings.push_back(std::move(finding));

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
  if (options.json) text = json.dump(2) + "\n";
  std::fwrite(text.data(), 1, text.size(), stdout);
  return broken ? ExitCode::kEnvironment : ExitCode::kOk;
}

}  // namespace stepmark
