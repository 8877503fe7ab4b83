// SPDX-License-Identifier: Apache-2.0
// Each judgement says what is lost and the command that mends it. Broken is only what makes a run
// fail or lie; on a machine without GPUs, their missing libraries are a note.
#include "harness/doctor/gpu_findings.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/units.h"
#include "kernels/cuda/attention/cudnn_faults.h"

namespace stepmark {
namespace {

constexpr int kOldestCapability = 80;  // the oldest of CMAKE_CUDA_ARCHITECTURES

std::string cuda_version(int version) {
  return fmt::format("{}.{}", version / 1000, version % 1000 / 10);
}

// The first driver branch of a CUDA major version ("CUDA Compatibility", minor version
// compatibility table).
std::string driver_of(int cuda_major) {
  switch (cuda_major) {
    case 11:
      return "450";
    case 12:
      return "525";
    case 13:
      return "580";
    default:
      return "newer";
  }
}

Finding no_driver(const CudaProbe& probe, const std::string& runtime) {
  if (probe.kernel_module.empty()) {
    return {.what = "CUDA",
            .health = Health::note,
            .found = runtime + ", no driver",
            .advice =
                "no NVIDIA driver is loaded: nvidia-smi must work before GPUs can be used; the "
                "host backend works"};
  }
  return {.what = "CUDA",
          .health = Health::broken,
          .found = fmt::format("{}, kernel module but no libcuda.so.1", runtime),
          .advice =
              "the driver's library is hidden: start the container with --gpus all and "
              "NVIDIA_DRIVER_CAPABILITIES=compute,utility, or install the driver's user part"};
}

Finding driver_finding(const CudaProbe& probe) {
  const std::string runtime = "runtime " + cuda_version(probe.runtime_version);
  if (probe.driver_version == 0) return no_driver(probe, runtime);
  const std::string found =
      fmt::format("{}, driver for CUDA {}", runtime, cuda_version(probe.driver_version));
  const int major = probe.runtime_version / 1000;
  if (probe.driver_version / 1000 < major) {
    return {
        .what = "CUDA",
        .health = Health::broken,
        .found = found,
        .advice = fmt::format(
            "the driver is too old for the runtime built in: update it to {} or newer, or build "
            "with a CUDA {} toolkit",
            driver_of(major), probe.driver_version / 1000)};
  }
  if (!probe.error.empty()) {
    return {.what = "CUDA",
            .health = Health::broken,
            .found = fmt::format("{}: {}", found, probe.error),
            .advice =
                "nvidia-smi tells more; in a container, start it with --gpus all; after a driver "
                "update, reload the kernel module"};
  }
  Finding finding{.what = "CUDA", .found = fmt::format("{}, {} GPUs", found, probe.gpus.size())};
  if (probe.gpus.empty()) {
    finding.health = Health::warning;
    finding.advice = "the driver shows no GPU: is CUDA_VISIBLE_DEVICES empty?";
  }
  return finding;
}

Finding gpu_finding(const CudaGpu& gpu, int ranks_per_gpu) {
  Finding finding{.what = fmt::format("GPU {}", gpu.index),
                  .found = fmt::format("{}, compute capability {}.{}, {}", gpu.name,
                                       gpu.compute_capability / 10, gpu.compute_capability % 10,
                                       format_bytes(gpu.memory_bytes))};
  const auto is = [&](Health health, std::string advice) {
    finding.health = health;
    finding.advice = std::move(advice);
  };
  if (gpu.compute_capability < kOldestCapability) {
    is(Health::broken, fmt::format("too old: the kernels are built for {}.{} and newer",
                                   kOldestCapability / 10, kOldestCapability % 10));
  } else if (gpu.mode == ComputeMode::prohibited) {
    is(Health::broken,
       fmt::format("compute mode prohibits any use: nvidia-smi -i {} -c DEFAULT", gpu.index));
  } else if (gpu.mode == ComputeMode::one_process && ranks_per_gpu > 1) {
    is(Health::broken,
       fmt::format(
           "exclusive compute mode lets one rank use it, {} are wanted: nvidia-smi -i {} -c "
           "DEFAULT",
           ranks_per_gpu, gpu.index));
  } else if (gpu.mode == ComputeMode::one_process) {
    is(Health::note, "exclusive compute mode: one rank only, and no profiler beside it");
  }
  return finding;
}

// What is lost without the library, and where it comes from.
struct Use {
  const char* without;
  const char* get;
  Health when_missing;  // on a machine with GPUs
};

Use use_of(const std::string& library, int ranks) {
  if (library == "NCCL") {
    return {"collectives and steps of several ranks on GPUs do not run",
            "install libnccl2, or the package nvidia-nccl beside PyTorch",
            ranks > 1 ? Health::broken : Health::warning};
  }
  if (library == "cuBLASLt") {
    return {"GEMMs on GPUs do not run",
            "install the CUDA toolkit's libcublas, or the package nvidia-cublas beside PyTorch",
            Health::broken};
  }
  if (library == "cuDNN") {
    return {"attention runs on stepmark's own kernel",
            "install cudnn9, or the package nvidia-cudnn beside PyTorch", Health::note};
  }
  return {"power, clocks and throttling are not recorded",
          "it is part of the driver; in a container, NVIDIA_DRIVER_CAPABILITIES needs utility",
          Health::warning};
}

Finding nccl_versions(Finding finding, const GpuLibrary& nccl) {
  if (nccl.built_with == 0 || nccl.version == 0) return finding;
  const std::string with = library_version(nccl.built_with);
  if (nccl.version / 10000 != nccl.built_with / 10000) {
    finding.health = Health::broken;
    finding.advice = fmt::format(
        "another major version than the {} that stepmark was built with: set {} to a fitting file",
        with, nccl.variable);
  } else if (nccl.version < nccl.built_with) {
    finding.health = Health::warning;
    finding.advice = fmt::format(
        "older than the {} that stepmark was built with: what it lacks is not used; every host "
        "must "
        "have the same, {} names a file",
        with, nccl.variable);
  }
  return finding;
}

// What is known to be wrong is not used (kernels/cuda/attention/cudnn_attention).
Finding cudnn_faults(Finding finding, const GpuLibrary& cudnn) {
  if (cudnn.version == 0 || !cuda::cudnn_backward_is_faulty(cudnn.version, 1)) return finding;
  finding.health = Health::warning;
  finding.advice = fmt::format(
      "known to compute attention's backward pass wrongly where the sequence is no multiple of {}: "
      "stepmark's own kernel does those; {} and later are right",
      cuda::kCudnnBackwardKeys, library_version(static_cast<int>(cuda::kCudnnBackwardFixed)));
  return finding;
}

Finding library_finding(const GpuLibrary& library, bool have_gpus, int ranks) {
  const Use use = use_of(library.name, ranks);
  Finding finding{.what = library.name};
  if (library.path.empty() || !library.error.empty()) {
    // No machine without GPUs is broken for lack of their libraries.
    finding.health = have_gpus ? use.when_missing : Health::note;
    finding.found = library.path.empty() ? "not found: " + library.error
                                         : fmt::format("{}: {}", library.path, library.error);
    finding.advice = fmt::format(
        "without it {}. Looked in STEPMARK_LIBRARY_PATH, LD_LIBRARY_PATH, the loader's cache, "
        "CUDA_HOME/lib64, /usr/local/cuda/lib64: {}, or set {} to the path of {}",
        use.without, use.get, library.variable, library.file);
    return finding;
  }
  finding.found = library.version == 0
                      ? library.path
                      : fmt::format("{}, {}", library_version(library.version), library.path);
  if (library.name == "NCCL") return nccl_versions(std::move(finding), library);
  if (library.name == "cuDNN") return cudnn_faults(std::move(finding), library);
  return finding;
}

Finding few_gpus(int gpus, int ranks) {
  return {.what = "GPUs",
          .health = Health::warning,
          .found = fmt::format("{} for {} ranks on this host", gpus, ranks),
          .advice = fmt::format(
              "start at most {} here to measure; several ranks on one GPU do run and are checked, "
              "but share its time: their records say perf_valid=false",
              gpus)};
}

}  // namespace

std::string library_version(int version) {
  if (version == 0) return "unknown version";
  return fmt::format("{}.{}.{}", version / 10000, version / 100 % 100, version % 100);
}

std::vector<Finding> gpu_findings(const CudaProbe& probe, int ranks) {
  if (!probe.built) {
    return {{.what = "CUDA",
             .health = Health::note,
             .found = "not built in",
             .advice = "GPU steps need a build on a machine with the CUDA toolkit"}};
  }
  std::vector<Finding> findings{driver_finding(probe)};
  const int gpus = static_cast<int>(probe.gpus.size());
  const int ranks_per_gpu = gpus > 0 ? (ranks + gpus - 1) / gpus : 0;
  for (const CudaGpu& gpu : probe.gpus) findings.push_back(gpu_finding(gpu, ranks_per_gpu));
  if (gpus > 0 && gpus < ranks) findings.push_back(few_gpus(gpus, ranks));
  for (const GpuLibrary& library : probe.libraries) {
    findings.push_back(library_finding(library, gpus > 0, ranks));
  }
  return findings;
}

}  // namespace stepmark
