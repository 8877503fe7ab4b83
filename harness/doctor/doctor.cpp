// SPDX-License-Identifier: Apache-2.0
// The order of the findings is the order in which problems show: build and data, host, MPI, node,
// GPUs.
#include "harness/doctor/doctor.h"

#include <iterator>
#include <utility>

#include "core/control.h"
#include "core/environment_variable.h"
#include "harness/backend/resources.h"
#include "harness/doctor/core_findings.h"
#include "harness/doctor/gpu_findings.h"
#include "harness/doctor/host_findings.h"
#include "harness/doctor/node_findings.h"
#include "harness/exec/cuda/cuda_probe.h"

namespace stepmark {

std::vector<Finding> examine_host(int ranks) {
  const auto solo = make_solo_control();
  const Resources resources = share_resources(*solo);
  const CudaProbe cuda = probe_cuda();
  std::vector<Finding> findings{build_finding(), data_finding(),
                                host_name_finding(kernel_host_name(), ranks)};
  const auto append = [&](std::vector<Finding> more) {
    std::move(more.begin(), more.end(), std::back_inserter(findings));
  };
  append(core_findings(resources, ranks));
  append({kernels_finding(host_sets(), environment_variable("STEPMARK_INSTRUCTION_SET"))});
  append({memory_finding(resources), mpi_finding(), governor_finding(), load_finding(resources)});
  append(node_findings(probe_node(), !cuda.gpus.empty()));
  append(gpu_findings(cuda, ranks));
  return findings;
}

}  // namespace stepmark
