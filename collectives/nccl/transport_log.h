// SPDX-License-Identifier: Apache-2.0
// How NCCL moves data between its ranks, from its own log (NCCL_DEBUG=INFO,
// NCCL_DEBUG_SUBSYS=INIT), which it writes while it starts and when it connects channels, not while
// it works. The lines are no interface: their forms are those of the format strings in the library
// of 2.28.9, and lines of any other form are passed over. Read from a file that the library wrote
// on an emulated GPU only.
//   NCCL INFO Using network IB          NCCL INFO Assigned NET plugin IB to comm
//   NCCL INFO NET/Plugin: Loaded net plugin Libfabric (v10)
//   NCCL INFO NET/IB : Using [0]mlx5_0:1/RoCE [1]mlx5_1:1/RoCE; OOB eth0:10.0.0.1<0>
//   NCCL INFO Channel 00/0 : 0[0] -> 1[1] via P2P/CUMEM/read
//   NCCL INFO Channel 00/0 : 7[7] -> 8[0] [send] via NET/IB/0/GDRDMA
//   NCCL INFO Connected all rings, use ring PXN 0 GDR 1
//   NCCL INFO NVLS multicast support is available on dev 0 (NVLS_NCHANNELS 16)
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>

namespace stepmark {

// Names of facts ("network", "net plugin", "network devices", "same host", "other hosts",
// "GPUDirect RDMA", "NVLS") and what the log says of each; what it does not speak of is absent.
// Numbers of channels, ranks and devices, and addresses, are left out: two runs on other hosts of
// the same kind are alike.
using NcclTransport = std::map<std::string, std::set<std::string>>;

// Any text.
[[nodiscard]] NcclTransport parse_transport_log(std::string_view text);

// One line per value, for the exchange between ranks, and what lines of several ranks say together.
[[nodiscard]] std::string to_lines(const NcclTransport& transport);
void add_lines(NcclTransport& transport, std::string_view lines);

}  // namespace stepmark
