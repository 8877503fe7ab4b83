// SPDX-License-Identifier: Apache-2.0
#include "harness/run/message_folder.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>

#include "core/log.h"
#include "harness/run/library_stderr.h"

namespace stepmark {
namespace {

using testing::HasSubstr;

struct Folded {
  std::string at_once;
  std::string in_the_end;
};

Folded folded(const std::vector<std::string>& portions) {
  std::string out;
  MessageFolder folder([&](std::string_view text) { out += text; });
  for (const std::string& portion : portions) folder.feed(portion);
  Folded result{.at_once = out, .in_the_end = {}};
  out.clear();
  folder.end();
  result.in_the_end = out;
  return result;
}

TEST(MessageFolder, EqualLinesAreShownOnceAndCounted) {
  const Folded flood = folded({"[vm:11] Read -1, expected 4096, errno = 1\n",
                               "[vm:12] Read -1, expected 4096, errno = 1\n[vm:11] Re",
                               "ad -1, expected 4096, errno = 1\nother\n"});
  EXPECT_EQ(flood.at_once, "[vm:11] Read -1, expected 4096, errno = 1\nother\n");
  EXPECT_EQ(flood.in_the_end,
            "(repeated 3 times, shown once: [vm:11] Read -1, expected 4096, errno = 1)\n");
}

TEST(MessageFolder, WhatDiffersInMoreThanTheProcessIsShown) {
  const Folded two = folded({"[vm:11] mlx5_0 is down\n[vm:11] mlx5_1 is down\n",
                             "Channel 00/0 : 0 -> 1\nChannel 01/0 : 0 -> 1\n"});
  EXPECT_EQ(std::count(two.at_once.begin(), two.at_once.end(), '\n'), 4);
  EXPECT_EQ(two.in_the_end, "");
}

TEST(MessageFolder, KeysKnowTheLibrariesPrefixes) {
  EXPECT_EQ(message_key("[vm:11] x 5\n"), "[vm:#] x 5\n");
  EXPECT_EQ(message_key("[1700.25] [vm:11 :0] ucp.c:33 UCX WARN x 5\n"),
            "[#.#] [vm:# :#] ucp.c:33 UCX WARN x 5\n");
  EXPECT_EQ(message_key("vm:11:12 [0] NCCL WARN x 5\n"), "vm:#:# [#] NCCL WARN x 5\n");
  EXPECT_EQ(message_key("plain 5\n"), "plain 5\n");
}

TEST(MessageFolder, HelpTextsAreWholeMessages) {
  const std::string rule(74, '-');
  const std::string one = rule + "\nNot enough space\n  Local host: a\n" + rule + "\n";
  const std::string other = rule + "\nNo route\n  Local host: a\n" + rule + "\n";
  const Folded texts = folded({one, other, one.substr(0, 90), one.substr(90)});
  EXPECT_EQ(texts.at_once, one + other);
  EXPECT_EQ(texts.in_the_end, "(repeated 2 times, shown once: Not enough space)\n");
}

TEST(MessageFolder, NothingIncompleteIsLost) {
  EXPECT_EQ(folded({"half a line"}).in_the_end, "half a line");
  const std::string open = std::string(40, '-') + "\nnever closed\n";
  EXPECT_EQ(folded({open}).in_the_end, open);
  EXPECT_EQ(folded({std::string(200'000, 'x')}).at_once.size() +
                folded({std::string(200'000, 'x')}).in_the_end.size(),
            200'000U);
}

TEST(MessageFolder, NothingDrivesATerminal) {
  EXPECT_EQ(folded({"h\xf6st \x1b[2J\n"}).at_once, "h\\xf6st \\x1b[2J\n");
}

// What comes out at the other end of standard error when `body` runs in a process of its own.
std::string stderr_of(const std::function<void()>& body) {
  std::array<int, 2> ends{};
  EXPECT_EQ(pipe(ends.data()), 0);
  const pid_t child = fork();
  if (child == 0) {
    dup2(ends[1], STDERR_FILENO);
    close(ends[0]);
    close(ends[1]);
    body();
    _exit(0);
  }
  close(ends[1]);
  std::string text;
  std::array<char, 4096> chunk{};
  for (ssize_t got = 0; (got = read(ends[0], chunk.data(), chunk.size())) > 0;) {
    text.append(chunk.data(), static_cast<std::size_t>(got));
  }
  close(ends[0]);
  waitpid(child, nullptr, 0);
  return text;
}

void complain(int times) {
  for (int i = 0; i < times; ++i) {
    const std::string_view text = "[vm:11] a library complains\n";
    EXPECT_EQ(write(STDERR_FILENO, text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
}

TEST(LibraryStderr, FoldsWhatIsWrittenToTheDescriptor) {
  const std::string text = stderr_of([] {
    {
      const LibraryStderr folded;
      complain(1000);
      log_warning("ours, twice");
      log_warning("ours, twice");
    }
    log_warning("after it");
  });
  EXPECT_THAT(text, HasSubstr("(repeated 1000 times, shown once: [vm:11] a library complains)"));
  EXPECT_EQ(text.find("complains", text.find("complains") + 1), text.find("complains)"));
  const std::size_t ours = text.find("warning: ours, twice\n");
  ASSERT_NE(ours, std::string::npos) << text;
  EXPECT_NE(text.find("warning: ours, twice\n", ours + 1), std::string::npos) << text;
  EXPECT_THAT(text, testing::EndsWith("warning: after it\n"));
}

TEST(LibraryStderr, ACrashLosesNothing) {
  for (const int signal : {SIGKILL, SIGSEGV, SIGABRT}) {
    const std::string text = stderr_of([signal] {
      const LibraryStderr folded;
      complain(500);
      const std::string_view last = "last words";
      EXPECT_GT(write(STDERR_FILENO, last.data(), last.size()), 0);
      ::signal(signal, SIG_DFL);
      kill(getpid(), signal);
      pause();
    });
    EXPECT_THAT(text, HasSubstr("last words")) << signal;
    EXPECT_THAT(text, HasSubstr("repeated 500 times")) << signal;
  }
}

}  // namespace
}  // namespace stepmark
