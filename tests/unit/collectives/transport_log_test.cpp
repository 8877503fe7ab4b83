// SPDX-License-Identifier: Apache-2.0
#include "collectives/nccl/transport_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace stepmark {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// The forms are those of the format strings in libnccl 2.28.9.
constexpr std::string_view kTwoNodes =
    "n7:42:43 [0] NCCL INFO NET/Plugin: Loaded net plugin Libfabric (v10)\n"
    "n7:42:43 [0] NCCL INFO NET/IB : Using [0]mlx5_0:1/RoCE [1]mlx5_1:1/RoCE; OOB "
    "eth0:10.0.0.1<0>\n"
    "n7:42:43 [0] NCCL INFO Assigned NET plugin IB to comm\n"
    "n7:42:43 [0] NCCL INFO Using network IB\r\n"
    "n7:42:43 [0] NCCL INFO NET/IB : GPU Direct RDMA Enabled for HCA 0 'mlx5_0'\n"
    "n7:42:43 [0] NCCL INFO NVLS multicast support is available on dev 0 (NVLS_NCHANNELS 16)\n"
    "n7:42:43 [0] NCCL INFO Channel 00/0 : 0[0] -> 1[1] via P2P/CUMEM/read\n"
    "n7:42:43 [0] NCCL INFO Channel 01/0 : 0[0] -> 1[1] via P2P/CUMEM/read\n"
    "n7:42:43 [0] NCCL INFO Channel 00/0 : 7[7] -> 8[0] [send] via NET/IB/0(3)/GDRDMA\n"
    "n7:42:43 [0] NCCL INFO Channel 00/0 : 15[7] -> 0[0] [receive] via NET/IB/1/GDRDMA/Shared\n";

TEST(TransportLog, TwoNodesOfManyGpus) {
  NcclTransport t = parse_transport_log(kTwoNodes);
  EXPECT_THAT(t["network"], ElementsAre("IB"));
  EXPECT_THAT(t["net plugin"], ElementsAre("Libfabric (v10)"));
  EXPECT_THAT(t["network devices"], ElementsAre("mlx5_0:1/RoCE", "mlx5_1:1/RoCE"));
  EXPECT_THAT(t["same host"], ElementsAre("P2P/CUMEM/read"));
  EXPECT_THAT(t["other hosts"], ElementsAre("NET/IB/GDRDMA", "NET/IB/GDRDMA/Shared"));
  EXPECT_THAT(t["GPUDirect RDMA"], ElementsAre("enabled", "used"));
  EXPECT_THAT(t["NVLS"], ElementsAre("available"));
}

TEST(TransportLog, AddressesAndNumbersAreLeftOut) {
  NcclTransport t = parse_transport_log(
      "x NCCL INFO NET/Socket : Using [0]eth0:10.1.2.3<0> [1]ib0:fe80::1%ib0<0>\n"
      "x NCCL INFO Channel 03/1 : 2[2] -> 3[3] via P2P/indirect/5[4]\n"
      "x NCCL INFO Channel 03/1 : 2[2] -> 3[3] via P2P/direct pointer\n"
      "x NCCL INFO Channel 03 : 2[2] -> 3[3] via SHM/direct/direct\n"
      "x NCCL INFO NVLS multicast support is not available on dev 0 (NVLS_NCHANNELS 0)\n"
      "x NCCL INFO GPU Direct RDMA Disabled for GPU 0 / HCA 1 (distance 7 > 4)");
  EXPECT_THAT(t["network devices"], ElementsAre("eth0", "ib0"));
  EXPECT_THAT(t["same host"],
              ElementsAre("P2P/direct pointer", "P2P/indirect", "SHM/direct/direct"));
  EXPECT_THAT(t["NVLS"], ElementsAre("not available"));
  EXPECT_THAT(t["GPUDirect RDMA"], ElementsAre("disabled"));
}

TEST(TransportLog, OtherTextSaysNothing) {
  for (const char* text : {"", "\n\n", "Channel 00/0 : 0[0] -> 1[1] via P2P/IPC",
                           "x NCCL WARN Using network IB", "x NCCL INFO Channel 0 via",
                           "x NCCL INFO NET/IB : Using", "x NCCL INFO NET/IB : Using [0", "\t"}) {
    EXPECT_THAT(parse_transport_log(text), IsEmpty()) << text;
  }
}

TEST(TransportLog, RanksSayTogetherWhatEachSaw) {
  const NcclTransport one = parse_transport_log(kTwoNodes);
  NcclTransport all;
  add_lines(all, to_lines(one));
  EXPECT_EQ(all, one);
  add_lines(all, "same host\tSHM/direct/direct\nnonsense\n");
  EXPECT_THAT(all["same host"], ElementsAre("P2P/CUMEM/read", "SHM/direct/direct"));
  EXPECT_EQ(all.size(), one.size());
}

}  // namespace
}  // namespace stepmark
