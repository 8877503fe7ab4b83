// SPDX-License-Identifier: Apache-2.0
#include "collectives/mpi/mpi_transport.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

namespace stepmark {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::string loaded(std::initializer_list<const char*> components) {
  std::string maps = "7f00-7f01 r-xp 00000000 08:01 1  /usr/lib/libmpi.so.40\n";
  for (const char* name : components) {
    maps += std::string("7f02-7f03 r-xp 00000000 08:01 2  /usr/lib/openmpi3/mca_") + name + ".so\n";
  }
  return maps;
}

std::string segment(int rank) {
  return "7f04-7f05 rw-s 00000000 00:1a 3  /dev/shm/vader_segment.h.0.72f50001." +
         std::to_string(rank) + "\n";
}

TEST(MpiTransport, SharedMemoryByCmaOrByCopies) {
  TransportEvidence evidence{
      .maps = loaded({"pml_ob1", "btl_self", "btl_sm", "btl_tcp", "btl_vader"}) + segment(0) +
              segment(1),
      .single_copy = "cma"};
  EXPECT_EQ(mpi_transport(evidence).messages, "ob1");
  EXPECT_EQ(mpi_transport(evidence).same_host, "shared memory (vader), single copy by cma");
  EXPECT_EQ(mpi_transport(evidence).other_hosts, "tcp");
  evidence.single_copy = "none";
  EXPECT_EQ(mpi_transport(evidence).same_host, "shared memory (vader), copied in and out");
}

TEST(MpiTransport, WithoutASegmentOfAnotherRankMessagesTakeTheNetwork) {
  TransportEvidence evidence{.maps = loaded({"pml_ob1", "btl_self", "btl_sm", "btl_tcp"})};
  EXPECT_EQ(mpi_transport(evidence).same_host, "tcp");
  evidence.maps = loaded({"pml_ob1", "btl_self", "btl_vader", "btl_tcp"}) + segment(0) + segment(0);
  EXPECT_EQ(mpi_transport(evidence).same_host, "tcp");
  evidence.maps = loaded({"pml_ob1", "btl_self"});
  EXPECT_EQ(mpi_transport(evidence).other_hosts, "nothing");
}

TEST(MpiTransport, NewerLibrariesNameTheirCopies) {
  const TransportEvidence evidence{.maps =
                                       loaded({"pml_ob1", "btl_sm", "smsc_xpmem", "btl_tcp"}) +
                                       "7f04-7f05 rw-s 0 00:1a 3 /dev/shm/sm_segment.h.0.1.0\n" +
                                       "7f04-7f05 rw-s 0 00:1a 4 /dev/shm/sm_segment.h.0.1.1\n"};
  EXPECT_EQ(mpi_transport(evidence).same_host, "shared memory (sm), single copy by xpmem");
}

TEST(MpiTransport, UcxAndMatchingLayers) {
  TransportEvidence evidence{.maps = loaded({"pml_ucx", "btl_tcp"}),
                             .open_files = {"/dev/knem", "/dev/infiniband/uverbs0"},
                             .rdma_devices = {"mlx5_0", "mlx5_1"}};
  EXPECT_EQ(mpi_transport(evidence).messages, "ucx");
  EXPECT_EQ(mpi_transport(evidence).same_host, "ucx, knem");
  EXPECT_EQ(mpi_transport(evidence).other_hosts, "ucx mlx5_0 mlx5_1");
  evidence = {.maps = loaded({"pml_cm", "mtl_ofi"})};
  EXPECT_EQ(mpi_transport(evidence).messages, "cm (mtl ofi)");
  EXPECT_EQ(mpi_transport({.maps = "nothing of Open MPI"}).same_host, "not known");
}

TEST(MpiTransport, DevicesHaveTheirNamesFromTheKernel) {
  std::string root = (std::filesystem::temp_directory_path() / "stepmark-XXXXXX").string();
  ASSERT_NE(mkdtemp(root.data()), nullptr);
  const auto folder = std::filesystem::path(root) / "sys/class/infiniband_verbs/uverbs2";
  std::filesystem::create_directories(folder);
  std::ofstream(folder / "ibdev") << "mlx5_2\n";
  EXPECT_THAT(
      rdma_devices({"/dev/infiniband/uverbs2", "/dev/infiniband/rdma_cm", "socket:[1]"}, root),
      ElementsAre("mlx5_2"));
  std::filesystem::remove_all(root);
}

// In this job all ranks are on one host.
TEST(MpiTransport, ThisJobUsesSomethingThatIsKnown) {
  const TransportEvidence evidence = transport_evidence();
  EXPECT_THAT(evidence.open_files, testing::Not(IsEmpty()));
  EXPECT_NE(mpi_transport(evidence).same_host, "");
  EXPECT_NE(mpi_transport(evidence).same_host, "not known") << evidence.maps;
}

}  // namespace
}  // namespace stepmark
