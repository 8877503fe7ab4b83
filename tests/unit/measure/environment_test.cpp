// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>

#include "core/build_info.h"
#include "core/error.h"
#include "core/sha256.h"
#include "harness/measure/cgroup_limit.h"
#include "harness/measure/environment_capture.h"
#include "harness/measure/process_start.h"

namespace stepmark {
namespace {

namespace fs = std::filesystem;

std::string output_of(const std::string& command) {
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(command.c_str(), "r"), &pclose);
  std::string text;
  std::array<char, 256> chunk{};
  while (pipe && fgets(chunk.data(), chunk.size(), pipe.get()) != nullptr) text += chunk.data();
  return text;
}

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (fs::temp_directory_path() / "stepmark-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) ADD_FAILURE() << "mkdtemp";
    path_ = name;
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder() { fs::remove_all(path_); }
  void write(const std::string& file, const std::string& text) const {
    fs::create_directories((path_ / file).parent_path());
    std::ofstream(path_ / file) << text;
  }
  [[nodiscard]] std::string path() const { return path_.string(); }

 private:
  fs::path path_;
};

TEST(Variables, PerformanceSettingsAreRecorded) {
  for (const char* name : {"OMP_NUM_THREADS", "NCCL_ALGO", "OMPI_MCA_btl", "UCX_TLS", "FI_PROVIDER",
                           "OPENBLAS_NUM_THREADS", "CUDA_VISIBLE_DEVICES", "GLIBC_TUNABLES"}) {
    EXPECT_TRUE(variable_is_recorded(name)) << name;
  }
}

TEST(Variables, SecretsAndStrangersAreNot) {
  for (const char* name :
       {"AWS_SECRET_ACCESS_KEY", "NCCL_FOO_TOKEN", "OMP_my_password", "FI_AUTH_KEY",
        "UCX_Credential", "OMPI_MCA_orte_precondition_transports", "OMPI_MCA_orte_hnp_uri",
        "OMPI_MCA_ess_base_jobid", "HOME", "PATH", "USER", "SLURM_JOB_ACCOUNT", "", "OMP"}) {
    EXPECT_FALSE(variable_is_recorded(name)) << name;
  }
}

TEST(Capture, HoldsAllowedVariablesAndNoSecretValue) {
  static_cast<void>(process_start());
  // NOLINTBEGIN(concurrency-mt-unsafe): the test has one thread
  ASSERT_EQ(setenv("AWS_SECRET_ACCESS_KEY", "hunter2hunter2", 1), 0);
  ASSERT_EQ(setenv("NCCL_FOO_TOKEN", "hunter2hunter2", 1), 0);
  ASSERT_EQ(setenv("NCCL_ALGO", "Ring=x", 1), 0);
  const Environment now{recorded_variables()};
  for (const char* name : {"AWS_SECRET_ACCESS_KEY", "NCCL_FOO_TOKEN", "NCCL_ALGO"}) unsetenv(name);
  // NOLINTEND(concurrency-mt-unsafe)
  EXPECT_EQ(now.get("variables", "NCCL_ALGO"), "Ring=x");
  for (const EnvironmentFact& fact : now.facts) {
    EXPECT_THAT(fact.value, testing::Not(testing::HasSubstr("hunter2"))) << fact.name;
  }
  // What was set after the start is no fact about the user's environment.
  const Environment environment =
      capture_environment({{.section = "software", .name = "MPI", .value = "none"}});
  EXPECT_EQ(environment.get("variables", "NCCL_ALGO"), "");
  EXPECT_EQ(environment.get("software", "MPI"), "none");
  for (const EnvironmentFact& fact : environment.facts) {
    EXPECT_FALSE(fact.value.empty()) << fact.name;
  }
}

TEST(Capture, TellsTheMachineAndTheBuild) {
  const Environment environment = capture_environment();
  EXPECT_NE(environment.get("hardware", "CPU model"), "");
  EXPECT_EQ(environment.get("hardware", "architecture") + '\n', output_of("uname -m"));
  EXPECT_EQ("Linux " + output_of("uname -r"), environment.get("software", "kernel") + '\n');
  EXPECT_EQ(environment.get("placement", "CPUs allowed") + '\n', output_of("nproc"));
  EXPECT_EQ(environment.get("build", "git revision"), build_info().git_revision);
  EXPECT_EQ(environment.get("build", "binary SHA-256"),
            output_of("sha256sum " + fs::read_symlink("/proc/self/exe").string()).substr(0, 64));
}

TEST(Capture, WhatVariesFromRunToRunIsNoFingerprint) {
  for (const EnvironmentFact& fact : capture_environment().facts) {
    const bool varies = fact.name == "host" || fact.name == "load average" ||
                        fact.name == "memory available" || fact.name == "binary SHA-256" ||
                        fact.name == "git revision" || fact.name == "modified sources" ||
                        fact.name == "version";
    EXPECT_EQ(fact.fingerprint, !varies) << fact.name;
  }
}

TEST(FileHash, KnownAnswersAndMissingFile) {
  const TemporaryFolder folder;
  folder.write("empty", "");
  folder.write("abc", "abc");
  EXPECT_EQ(sha256_of_file(folder.path() + "/empty"),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256_of_file(folder.path() + "/abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_THROW(static_cast<void>(sha256_of_file(folder.path() + "/none")), Error);
}

std::optional<double> quota_in(const TemporaryFolder& root) {
  const auto quota = cgroup_cpu_quota(root.path());
  return quota ? std::optional(quota->cores) : std::nullopt;
}

TEST(CgroupQuota, TakesTheSmallestOfTheGroupAndItsParents) {
  const TemporaryFolder root;
  root.write("proc/self/cgroup", "0::/pod/box\n");
  EXPECT_EQ(quota_in(root), std::nullopt);
  root.write("sys/fs/cgroup/pod/box/cpu.max", "max 100000\n");
  EXPECT_EQ(quota_in(root), std::nullopt);
  root.write("sys/fs/cgroup/pod/cpu.max", "150000 100000\n");
  EXPECT_EQ(quota_in(root), 1.5);
  EXPECT_EQ(cgroup_cpu_quota(root.path())->group, "/pod");
  root.write("sys/fs/cgroup/cpu.max", "400000 100000\n");
  EXPECT_EQ(quota_in(root), 1.5);
}

TEST(CgroupQuota, KnowsTheOldInterface) {
  const TemporaryFolder root;
  root.write("proc/self/cgroup", "4:memory:/m\n1:cpu,cpuacct:/box\n");
  root.write("sys/fs/cgroup/cpu,cpuacct/box/cpu.cfs_quota_us", "50000\n");
  root.write("sys/fs/cgroup/cpu,cpuacct/box/cpu.cfs_period_us", "100000\n");
  root.write("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "-1\n");
  root.write("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(quota_in(root), 0.5);
}

TEST(CgroupQuota, LooksWhereTheHierarchiesAreMounted) {
  const TemporaryFolder root;
  root.write("proc/self/mountinfo",
             "31 30 0:27 / /sys/fs/cgroup rw shared:4 - tmpfs tmpfs rw,mode=755\n"
             "32 31 0:28 / /sys/fs/cgroup/unified rw shared:5 - cgroup2 cgroup2 rw\n"
             "33 31 0:29 /docker/abc /strange/place rw shared:6 - cgroup cgroup rw,cpuacct,cpu\n");
  root.write("proc/self/cgroup", "2:cpuacct,cpu:/docker/abc/step\n0::/user\n");
  root.write("strange/place/step/cpu.cfs_quota_us", "250000\n");
  root.write("strange/place/step/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(quota_in(root), 2.5);
  root.write("sys/fs/cgroup/unified/user/cpu.max", "50000 100000\n");
  EXPECT_EQ(quota_in(root), 0.5);
}

}  // namespace
}  // namespace stepmark
