// SPDX-License-Identifier: Apache-2.0
#include "harness/backend/openmpi_leftovers.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "tests/unit/core/temp_folder.h"

namespace stepmark {
namespace {

namespace fs = std::filesystem;

struct LeftoversTest : testing::Test {
  LeftoversTest() {
    fs::create_directory(places.sessions);
    fs::create_directory(places.shared_memory);
    gone = fork();
    if (gone == 0) _exit(0);
    waitpid(gone, nullptr, 0);
  }
  // As an mpirun with this process id and job leaves them.
  fs::path leave(long pid, unsigned job) {
    fs::path session = fs::path(places.sessions) / ("pid." + std::to_string(pid));
    fs::create_directories(session / "pmix_dstor");
    touch(session / "pmix_dstor" / ("smdataseg-" + std::to_string(job) + "-0"));
    std::ostringstream name;
    name << "vader_segment.node.7." << std::hex << job << ".0";
    touch(fs::path(places.shared_memory) / name.str());
    return session;
  }
  static void touch(const fs::path& path) { std::ofstream(path) << "x"; }
  [[nodiscard]] bool has_segment(const std::string& job) const {
    return fs::exists(fs::path(places.shared_memory) / ("vader_segment.node.7." + job + ".0"));
  }

  TempFolder folder;
  LeftoverPlaces places{.sessions = folder.file("ompi.node.7"),
                        .shared_memory = folder.file("shm"),
                        .host = "node",
                        .user = 7};
  pid_t gone = 0;
};

TEST_F(LeftoversTest, RemovesWhatBelongsToAnMpirunThatIsGone) {
  const fs::path of_gone = leave(gone, 0x37780001);
  const fs::path of_running = leave(getpid(), 0x25b60001);
  EXPECT_EQ(remove_openmpi_leftovers(places, [](const std::string&) { return false; }), 1);
  EXPECT_FALSE(fs::exists(of_gone));
  EXPECT_FALSE(has_segment("37780001"));
  EXPECT_TRUE(fs::exists(of_running));
  EXPECT_TRUE(has_segment("25b60001"));
}

TEST_F(LeftoversTest, LeavesWhatProcessesStillUse) {
  const fs::path of_gone = leave(gone, 0x37780001);
  const auto uses = [&](const std::string& path) { return path == of_gone.string(); };
  EXPECT_EQ(remove_openmpi_leftovers(places, uses), 0);
  EXPECT_TRUE(fs::exists(of_gone));
  EXPECT_TRUE(has_segment("37780001"));
}

TEST_F(LeftoversTest, LeavesOtherNamesAndManagesWithoutAnything) {
  fs::create_directory(fs::path(places.sessions) / "pid.x");
  fs::create_directory(fs::path(places.sessions) / "jf.1");
  EXPECT_EQ(remove_openmpi_leftovers(places, [](const std::string&) { return false; }), 0);
  EXPECT_TRUE(fs::exists(fs::path(places.sessions) / "pid.x"));
  places.sessions = folder.file("none");
  EXPECT_EQ(remove_openmpi_leftovers(places, [](const std::string&) { return false; }), 0);
}

TEST(EnvironmentTest, FindsWordsOfOtherProcesses) {
  const char* path = getenv("PATH");  // NOLINT(concurrency-mt-unsafe): the test has one thread
  ASSERT_NE(path, nullptr);
  EXPECT_TRUE(any_environment_has("PATH=" + std::string(path)));
  EXPECT_FALSE(any_environment_has("STEPMARK_NO_SUCH_WORD=" + std::to_string(getpid())));
}

}  // namespace
}  // namespace stepmark
