// SPDX-License-Identifier: Apache-2.0
#include "core/output.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "core/error.h"

namespace stepmark {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

std::string content(const fs::path& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

class Output : public testing::Test {
 protected:
  Output() { fs::create_directories(folder_); }
  ~Output() override { fs::remove_all(folder_); }

  [[nodiscard]] std::string path(const std::string& name) const { return folder_ / name; }
  std::string write_old(const std::string& name) const {
    std::ofstream(path(name)) << "a longer text that was there before";
    return path(name);
  }
  [[nodiscard]] std::size_t files() const {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder_), {}));
  }
  static std::string refusal(const std::string& file) {
    try {
      write_output_file(file, "text");
    } catch (const Error& error) {
      EXPECT_EQ(ExitCode::kEnvironment, error.code());
      return error.message();
    }
    return "was not refused";
  }

  const fs::path folder_ =
      fs::temp_directory_path() / ("stepmark_output_test." + std::to_string(::getpid()));
};

TEST_F(Output, NewAndOldFilesAreWhole) {
  write_output_file(path("new"), "text");
  EXPECT_EQ("text", content(path("new")));
  write_output_file(write_old("old"), "text");
  EXPECT_EQ("text", content(path("old")));
  EXPECT_EQ(2U, files()) << "a temporary file was left behind";
}

TEST_F(Output, ModeOfTheOldFileStays) {
  const std::string file = write_old("secret");
  fs::permissions(file, fs::perms{0640});
  write_output_file(file, "text");
  EXPECT_EQ(fs::perms{0640}, fs::status(file).permissions());
}

TEST_F(Output, SymlinksStayAndTheirTargetIsReplaced) {
  write_old("target");
  fs::create_symlink("target", path("one"));
  fs::create_symlink(path("one"), path("two"));
  write_output_file(path("two"), "text");
  EXPECT_TRUE(fs::is_symlink(path("two")));
  EXPECT_TRUE(fs::is_symlink(path("one")));
  EXPECT_FALSE(fs::is_symlink(path("target")));
  EXPECT_EQ("text", content(path("target")));
}

TEST_F(Output, TheTargetOfALinkMayBeYetToBeMade) {
  fs::create_symlink("to-come", path("link"));
  write_output_file(path("link"), "text");
  EXPECT_TRUE(fs::is_symlink(path("link")));
  EXPECT_EQ("text", content(path("to-come")));
}

TEST_F(Output, DevicesStayDevices) {
  fs::create_symlink("/dev/null", path("null"));
  write_output_file(path("null"), "text");
  EXPECT_TRUE(fs::is_symlink(path("null")));
  EXPECT_TRUE(fs::is_character_file("/dev/null"));
  // A node of our own, so that nobody else's suffers where this fails. Only root may make one.
  if (::mknod(path("node").c_str(), S_IFCHR | 0666U, makedev(1, 3)) == 0) {
    if (const int fd = ::open(path("node").c_str(), O_WRONLY); fd >= 0) {  // not on "nodev"
      ::close(fd);
      write_output_file(path("node"), "text");
    }
    EXPECT_TRUE(fs::is_character_file(path("node")));
  }
}

TEST_F(Output, FullDevicesAreAnError) {
  EXPECT_THAT(refusal("/dev/full"), HasSubstr("cannot write '/dev/full': No space left on device"));
  EXPECT_TRUE(fs::is_character_file("/dev/full"));
}

TEST_F(Output, FifosAreWrittenTo) {
  ASSERT_EQ(0, ::mkfifo(path("fifo").c_str(), 0600));
  std::string got;
  std::thread reader([&] { got = content(path("fifo")); });
  write_output_file(path("fifo"), "text");
  reader.join();
  EXPECT_EQ("text", got);
  EXPECT_TRUE(fs::is_fifo(path("fifo")));
}

TEST_F(Output, FoldersSocketsAndMissingPlacesAreRefused) {
  EXPECT_THAT(refusal(folder_), HasSubstr("it is a folder; name a file in it"));
  EXPECT_THAT(refusal(path("none/file")), HasSubstr("No such file or directory"));
  const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path("socket").copy(address.sun_path, sizeof(address.sun_path) - 1);
  ASSERT_EQ(0, ::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)));
  ::close(fd);
  EXPECT_THAT(refusal(path("socket")), HasSubstr("it is a socket"));
  EXPECT_TRUE(fs::is_socket(path("socket")));
}

TEST_F(Output, AFileThatCannotBeFinishedLeavesTheOldOne) {
  const std::string file = write_old("old");
  const rlim_t before = [] {
    rlimit limit{};
    ::getrlimit(RLIMIT_FSIZE, &limit);
    return limit.rlim_cur;
  }();
  const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit limit{};
  ::getrlimit(RLIMIT_FSIZE, &limit);
  limit.rlim_cur = 4096;
  ::setrlimit(RLIMIT_FSIZE, &limit);
  std::string message;
  try {
    write_output_file(file, std::string(100000, 'x'));
  } catch (const Error& error) {
    message = error.message();
  }
  limit.rlim_cur = before;
  ::setrlimit(RLIMIT_FSIZE, &limit);
  std::signal(SIGXFSZ, old_handler);
  EXPECT_THAT(message, HasSubstr("File too large"));
  EXPECT_EQ("a longer text that was there before", content(file));
  EXPECT_EQ(1U, files());
}

// What /dev/stdout stands for must not be replaced: what is printed later would be lost.
TEST_F(Output, OwnStdoutIsWrittenToAndNotReplaced) {
  std::fflush(stdout);
  const int kept = ::dup(STDOUT_FILENO);
  const int fd = ::open(path("out").c_str(), O_WRONLY | O_CREAT, 0600);
  ::dup2(fd, STDOUT_FILENO);
  ::close(fd);
  write_output_file("/dev/stdout", "one ");
  write_output_file(path("out"), "two ");
  write_stdout("three");
  ::dup2(kept, STDOUT_FILENO);
  ::close(kept);
  EXPECT_EQ("one two three", content(path("out")));
}

class Stdout : public testing::Test {
 protected:
  void redirect(int fd) const { ::dup2(fd, STDOUT_FILENO); }
  ~Stdout() override {
    ::dup2(kept_, STDOUT_FILENO);
    ::close(kept_);
  }
  const int kept_ = (std::fflush(stdout), ::dup(STDOUT_FILENO));
};

TEST_F(Stdout, AFullDiskIsAnError) {
  redirect(::open("/dev/full", O_WRONLY | O_CLOEXEC));
  try {
    write_stdout("text");
    FAIL() << "went unnoticed";
  } catch (const Error& error) {
    EXPECT_EQ(ExitCode::kEnvironment, error.code());
    EXPECT_THAT(error.message(),
                HasSubstr("could not be written to stdout: No space left on device"));
  }
}

TEST_F(Stdout, AReaderThatLeftEndsNeitherTheProcessNorIsItAFailure) {
  std::array<int, 2> ends{};
  ASSERT_EQ(0, ::pipe(ends.data()));
  ::close(ends[0]);
  redirect(ends[1]);
  ::close(ends[1]);
  EXPECT_THROW(write_stdout("text"), OutputClosed);
  sigset_t pending;
  sigpending(&pending);
  EXPECT_EQ(0, sigismember(&pending, SIGPIPE));
}

}  // namespace
}  // namespace stepmark
