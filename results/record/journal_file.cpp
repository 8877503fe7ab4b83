// SPDX-License-Identifier: Apache-2.0
// The bytes of a journal, whatever it is read from, within journal_limits.h.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>

#include "core/error.h"
#include "results/record/journal_limits.h"
#include "results/record/journal_lines.h"

namespace stepmark {

namespace {

constexpr std::size_t kChunkBytes = std::size_t{1} << 20U;

class OpenFile {
 public:
  explicit OpenFile(const std::string& path) : fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
    STEPMARK_REQUIRE(fd_ >= 0, "{}: cannot open: {}", path, std::generic_category().message(errno));
  }
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;
  ~OpenFile() { ::close(fd_); }
  [[nodiscard]] int fd() const { return fd_; }

 private:
  int fd_;
};

// " (it holds a.smk, b.smk)", so that the right name is at hand.
std::string journals_in(const std::string& folder) {
  constexpr int kShown = 3;
  std::string out;
  int count = 0;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(folder, ignored)) {
    if (entry.path().extension() == ".smk" && ++count <= kShown) {
      out += fmt::format("{}{}", out.empty() ? "" : ", ", entry.path().string());
    }
  }
  return count == 0 ? "" : fmt::format(" (it holds {}{})", out, count > kShown ? ", ..." : "");
}

std::size_t expected_bytes(int fd) {
  struct stat status {};
  return ::fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_size > 0
             ? static_cast<std::size_t>(status.st_size)
             : 0;
}

}  // namespace

std::string read_journal_file(const std::string& path) {
  std::error_code ignored;
  STEPMARK_REQUIRE(!std::filesystem::is_directory(path, ignored),
                   "{}: is a directory, expected a journal (FILE.smk){}", path, journals_in(path));
  const OpenFile file(path);
  std::string out;
  const auto expected = expected_bytes(file.fd());
  STEPMARK_REQUIRE(expected <= kMaxJournalBytes, "{}: {} bytes, at most {} are read", path,
                   expected, kMaxJournalBytes);
  out.reserve(expected + 1);
  std::size_t line_start = 0;
  while (true) {
    const auto size = out.size();
    out.resize(size + std::max(std::min(kChunkBytes, out.capacity() - size), std::size_t{4096}));
    const auto got = ::read(file.fd(), out.data() + size, out.size() - size);
    out.resize(size + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    if (got < 0 && errno == EINTR) {
      continue;
    }
    STEPMARK_REQUIRE(got >= 0, "{}: cannot read: {}", path, std::generic_category().message(errno));
    if (got == 0) {
      return out;
    }
    const auto last_break = std::string_view(out).substr(size).rfind('\n');
    line_start = last_break == std::string_view::npos ? line_start : size + last_break;
    STEPMARK_REQUIRE(out.size() - line_start <= kMaxLineBytes && out.size() <= kMaxJournalBytes,
                     "{}: a line of more than {} bytes, or a file of more than {}: no journal",
                     path, kMaxLineBytes, kMaxJournalBytes);
  }
}

}  // namespace stepmark
