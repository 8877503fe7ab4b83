// SPDX-License-Identifier: Apache-2.0
// The variables that launchers really set, and what MPI then says.
#include "harness/run/launch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

namespace stepmark {
namespace {

using Variables = std::map<std::string, std::string>;
using testing::HasSubstr;

Launch launch_of(const Variables& variables) {
  return read_launch([&](const char* name) -> std::optional<std::string> {
    const auto at = variables.find(name);
    return at == variables.end() ? std::nullopt : std::optional(at->second);
  });
}

std::string verdict(const Variables& variables, int size, int rank, const char* mpi = "Open MPI") {
  return launch_disagreement(launch_of(variables), size, rank, mpi);
}

// srun --mpi=none -n 4, third task.
const Variables kSrun{
    {"SLURM_JOB_ID", "7"},        {"SLURM_STEP_ID", "0"}, {"SLURM_STEPID", "0"},
    {"SLURM_PROCID", "2"},        {"SLURM_NTASKS", "4"},  {"SLURM_STEP_NUM_TASKS", "4"},
    {"SLURM_NPROCS", "4"},        {"SLURM_LOCALID", "2"}, {"SLURM_LAUNCH_NODE_IPADDR", "127.0.0.1"},
    {"SLURM_STEP_NODELIST", "n1"}};
// The script of sbatch -n 4.
const Variables kBatch{{"SLURM_JOB_ID", "7"}, {"SLURM_NTASKS", "4"},  {"SLURM_NPROCS", "4"},
                       {"SLURM_PROCID", "0"}, {"SLURM_LOCALID", "0"}, {"SLURM_NODEID", "0"}};
const Variables kMpirun{{"OMPI_COMM_WORLD_RANK", "1"},
                        {"OMPI_COMM_WORLD_SIZE", "4"},
                        {"PMIX_RANK", "1"},
                        {"PMIX_NAMESPACE", "123"}};

Variables with(Variables base, const Variables& more) {
  for (const auto& [name, value] : more) base[name] = value;
  return base;
}

TEST(LaunchTest, SeveralProcessesThatMpiDoesNotKnow) {
  EXPECT_THAT(verdict(kSrun, 1, 0), HasSubstr("srun started this process as number 2 of 4"));
  EXPECT_THAT(verdict(kSrun, 1, 0), HasSubstr("srun --mpi=pmix"));
  EXPECT_THAT(verdict(kSrun, 1, 0), HasSubstr("--single"));
  EXPECT_THAT(verdict(with(kSrun, {{"SLURM_PROCID", "0"}}), 1, 0), HasSubstr("number 0 of 4"));
  EXPECT_THAT(verdict({{"SLURM_NTASKS", "4"}, {"SLURM_PROCID", "3"}}, 1, 0), HasSubstr("3 of 4"));
  EXPECT_THAT(verdict(kMpirun, 1, 0), HasSubstr("two MPIs"));
  EXPECT_THAT(verdict({{"PMI_RANK", "0"}, {"PMI_SIZE", "2"}}, 1, 0), HasSubstr("0 of 2"));
  EXPECT_THAT(verdict({{"PMIX_RANK", "3"}}, 1, 0), HasSubstr("number 3 (PMIX_RANK=3)"));
  EXPECT_THAT(verdict({{"FLUX_TASK_RANK", "0"}, {"FLUX_JOB_SIZE", "8"}}, 1, 0), HasSubstr("Flux"));
  EXPECT_THAT(verdict({{"PALS_RANKID", "5"}}, 1, 0), HasSubstr("PALS"));
  EXPECT_THAT(verdict({{"MV2_COMM_WORLD_RANK", "0"}, {"MV2_COMM_WORLD_SIZE", "2"}}, 1, 0),
              HasSubstr("MVAPICH"));
  // Half of the job.
  EXPECT_THAT(verdict(kMpirun, 2, 1), HasSubstr("MPI says rank 1 of 2"));
}

TEST(LaunchTest, ABuildWithoutMpiSaysSo) {
  EXPECT_THAT(verdict(kSrun, 1, 0, "none"), HasSubstr("built without MPI"));
  EXPECT_THAT(verdict(kMpirun, 1, 0, "none"), HasSubstr("-DSTEPMARK_MPI=ON"));
}

TEST(LaunchTest, AgreementIsNoError) {
  EXPECT_EQ(verdict(kSrun, 4, 2), "");
  EXPECT_EQ(verdict(with(kSrun, {{"PMIX_RANK", "2"}, {"PMIX_NAMESPACE", "slurm.pmix.7.0"}}), 4, 2),
            "");
  EXPECT_EQ(verdict(kMpirun, 4, 1), "");
  EXPECT_EQ(verdict({}, 1, 0), "");
  EXPECT_EQ(verdict({{"PMI_RANK", "0"}, {"PMI_SIZE", "1"}}, 1, 0), "");
  // An MPI that orders ranks its own way.
  EXPECT_EQ(verdict(kSrun, 4, 0), "");
}

TEST(LaunchTest, WhatAnAllocationHandsDownIsNoDisagreement) {
  EXPECT_EQ(verdict(kBatch, 1, 0), "");
  EXPECT_EQ(verdict({{"SLURM_JOB_ID", "7"}, {"SLURM_NTASKS", "4"}}, 1, 0), "");  // salloc's shell
  EXPECT_EQ(verdict(with(kBatch, {{"SLURM_STEP_ID", "4294967291"}}), 1, 0), "");
  EXPECT_EQ(verdict(with(kBatch, {{"SLURM_STEPID", "4294967290"}}), 1, 0), "");
  EXPECT_FALSE(launch_of(kBatch).several());
  // One task of srun in an allocation of four.
  EXPECT_EQ(verdict(with(kBatch, {{"SLURM_STEP_ID", "0"}, {"SLURM_STEP_NUM_TASKS", "1"}}), 1, 0),
            "");
}

TEST(LaunchTest, MpirunsDaemonsMayBeTasksOfSrun) {
  // Three nodes: each daemon is a task of a step of three; the ranks are mpirun's.
  const Variables daemon =
      with(kBatch, {{"SLURM_STEP_ID", "1"}, {"SLURM_STEP_NUM_TASKS", "3"}, {"SLURM_PROCID", "2"}});
  EXPECT_EQ(verdict(with(daemon, kMpirun), 4, 1), "");
  EXPECT_EQ(launch_of(with(daemon, kMpirun)).rank, 1);
  const Variables one{{"OMPI_COMM_WORLD_RANK", "0"}, {"OMPI_COMM_WORLD_SIZE", "1"}};
  EXPECT_EQ(verdict(with(daemon, one), 1, 0), "");
  EXPECT_EQ(verdict(with(daemon, {{"PMI_RANK", "1"}, {"PMI_SIZE", "2"}}), 2, 1), "");
}

TEST(LaunchTest, NumbersThatAreNoneAreIgnored) {
  EXPECT_EQ(verdict({{"PMI_RANK", "x"}, {"PMI_SIZE", ""}}, 1, 0), "");
  EXPECT_EQ(verdict({{"OMPI_COMM_WORLD_SIZE", "-4"}}, 1, 0), "");
  EXPECT_EQ(verdict({{"OMPI_COMM_WORLD_SIZE", "99999999999999999999"}}, 1, 0), "");
}

}  // namespace
}  // namespace stepmark
