// SPDX-License-Identifier: Apache-2.0
// How MPI moves messages, from what the process shows once MPI has started: which components it has
// kept loaded, which segments and devices are open, and the library's own word on copies. Nothing
// of it is asked of a setting alone: a setting that could not be followed leaves no trace.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace stepmark {

struct TransportEvidence {
  std::string maps;                       // /proc/self/maps
  std::vector<std::string> open_files;    // what /proc/self/fd points to
  std::vector<std::string> rdma_devices;  // names of the RDMA devices that are open: "mlx5_0"
  // Open MPI's btl_vader_single_copy_mechanism as it stands (MPI_T): "cma", "none", "xpmem", ...;
  // empty where the library has no such setting.
  std::string single_copy;
};

struct MpiTransport {
  std::string messages;     // the layer that moves messages: "ob1", "ucx", "cm (mtl ofi)"
  std::string same_host;    // "shared memory (vader), single copy by cma"
  std::string other_hosts;  // "tcp", "ucx mlx5_0"
};

// Of this process, once MPI has started and a message has gone to every rank of the host.
[[nodiscard]] TransportEvidence transport_evidence();
// Pure. Texts are "not known" where the library leaves no traces (one that is not Open MPI).
[[nodiscard]] MpiTransport mpi_transport(const TransportEvidence& evidence);

// Names of the RDMA devices among open files, looked up below `root`/sys.
[[nodiscard]] std::vector<std::string> rdma_devices(const std::vector<std::string>& open_files,
                                                    const std::string& root = "");

}  // namespace stepmark
