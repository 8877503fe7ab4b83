// SPDX-License-Identifier: Apache-2.0
// Which environment variables a record may carry: an allow-list of those that change speed.
// Whatever sounds like a secret is left out first, and so is what launchers set anew for each job.
#include <algorithm>
#include <array>
#include <string>

#include "harness/measure/environment_capture.h"

namespace stepmark {
namespace {

constexpr std::array<std::string_view, 13> kNames{
    "CUDA_VISIBLE_DEVICES",   "CUDA_DEVICE_ORDER",   "CUDA_DEVICE_MAX_CONNECTIONS",
    "CUDA_LAUNCH_BLOCKING",   "CUDA_MODULE_LOADING", "CUDA_MPS_ACTIVE_THREAD_PERCENTAGE",
    "NVIDIA_VISIBLE_DEVICES", "GLIBC_TUNABLES",      "LD_PRELOAD",
    "SLURM_CPU_BIND",         "SLURM_CPUS_PER_TASK", "SLURM_NTASKS_PER_NODE",
    "SLURM_GPUS_PER_NODE"};

constexpr std::array<std::string_view, 24> kPrefixes{
    "OMP_",      "GOMP_",     "KMP_",   "OPENBLAS_", "GOTO_",      "MKL_",
    "BLIS_",     "MALLOC_",   "HWLOC_", "NCCL_",     "NVSHMEM_",   "CUBLAS_",
    "CUBLASLT_", "OMPI_MCA_", "UCX_",   "UCC_",      "FI_",        "PSM2_",
    "PSM3_",     "HCOLL_",    "SHARP_", "I_MPI_",    "MPIR_CVAR_", "STEPMARK_"};

// Differ from job to job and say nothing about speed; one of them is a key in all but name.
constexpr std::array<std::string_view, 7> kLauncherPrefixes{
    "OMPI_MCA_orte_", "OMPI_MCA_ess",          "OMPI_MCA_pmix",          "OMPI_MCA_prte_",
    "OMPI_MCA_plm_",  "OMPI_MCA_initial_wdir", "OMPI_MCA_shmem_RUNTIME_"};

constexpr std::array<std::string_view, 6> kSecretWords{"KEY",  "TOKEN",      "SECRET",
                                                       "PASS", "CREDENTIAL", "AUTH"};

}  // namespace

bool variable_is_recorded(std::string_view name) {
  std::string upper(name);
  std::transform(upper.begin(), upper.end(), upper.begin(),
                 [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; });
  const auto starts = [&](std::string_view prefix) { return name.starts_with(prefix); };
  const auto contained = [&](std::string_view word) {
    return upper.find(word) != std::string::npos;
  };
  if (std::any_of(kSecretWords.begin(), kSecretWords.end(), contained)) return false;
  if (std::any_of(kLauncherPrefixes.begin(), kLauncherPrefixes.end(), starts)) return false;
  return std::find(kNames.begin(), kNames.end(), name) != kNames.end() ||
         std::any_of(kPrefixes.begin(), kPrefixes.end(), starts);
}

}  // namespace stepmark
