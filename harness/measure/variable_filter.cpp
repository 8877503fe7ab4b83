// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <string>

#include "harness/measure/environment_capture.h"

namespace stepmark {
namespace {

using std::string_view_literals::operator""sv;

constexpr std::array kNames{
    "CUDA_VISIBLE_DEVICES"sv,   "CUDA_DEVICE_ORDER"sv,   "CUDA_DEVICE_MAX_CONNECTIONS"sv,
    "CUDA_LAUNCH_BLOCKING"sv,   "CUDA_MODULE_LOADING"sv, "CUDA_MPS_ACTIVE_THREAD_PERCENTAGE"sv,
    "NVIDIA_VISIBLE_DEVICES"sv, "GLIBC_TUNABLES"sv,      "LD_PRELOAD"sv,
    "SLURM_CPU_BIND"sv,         "SLURM_CPUS_PER_TASK"sv, "SLURM_NTASKS_PER_NODE"sv,
    "SLURM_GPUS_PER_NODE"sv};

constexpr std::array kPrefixes{"OMP_"sv,     "GOMP_"sv,   "KMP_"sv,       "OPENBLAS_"sv, "GOTO_"sv,
                               "MKL_"sv,     "BLIS_"sv,   "MALLOC_"sv,    "HWLOC_"sv,    "NCCL_"sv,
                               "NVSHMEM_"sv, "CUBLAS_"sv, "CUBLASLT_"sv,  "OMPI_MCA_"sv, "UCX_"sv,
                               "UCC_"sv,     "FI_"sv,     "PSM2_"sv,      "PSM3_"sv,     "HCOLL_"sv,
                               "SHARP_"sv,   "I_MPI_"sv,  "MPIR_CVAR_"sv, "STEPMARK_"sv};

// Differ from job to job and say nothing about speed; one of them is a key in all but name.
constexpr std::array kLauncherPrefixes{
    "OMPI_MCA_orte_"sv, "OMPI_MCA_ess"sv,          "OMPI_MCA_pmix"sv,          "OMPI_MCA_prte_"sv,
    "OMPI_MCA_plm_"sv,  "OMPI_MCA_initial_wdir"sv, "OMPI_MCA_shmem_RUNTIME_"sv};

constexpr std::array kSecretWords{"KEY"sv,  "TOKEN"sv,      "SECRET"sv,
                                  "PASS"sv, "CREDENTIAL"sv, "AUTH"sv};

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
