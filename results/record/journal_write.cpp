// SPDX-License-Identifier: Apache-2.0
// Append, fsync, and cut back when a write fails, so that the file never ends in half a line; flock
// keeps a second writer out. Continuing reads the whole file first: what cannot be read is not
// added to.
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include "core/error.h"
#include "results/record/chain.h"
#include "results/record/journal_lines.h"

namespace stepmark {

namespace {

off_t size_of_file(int fd, const std::string& path) {
  struct stat status {};
  STEPMARK_CHECK(::fstat(fd, &status) == 0, "{}: {}", path, std::generic_category().message(errno));
  return status.st_size;
}

// Empty on success, else what went wrong.
std::string append_durably(int fd, std::string_view line) {
  while (!line.empty()) {
    const auto written = ::write(fd, line.data(), line.size());
    if (written < 0 && errno == EINTR) {
      continue;
    }
    if (written <= 0) {
      return std::generic_category().message(errno);
    }
    line.remove_prefix(static_cast<std::size_t>(written));
  }
  // EINVAL: a file system or special file without fsync has nothing to flush.
  return ::fsync(fd) == 0 || errno == EINVAL ? std::string{}
                                             : std::generic_category().message(errno);
}

void append_or_cut(int fd, const std::string& path, std::string_view line) {
  const auto start = size_of_file(fd, path);
  const auto problem = append_durably(fd, line);
  if (problem.empty()) {
    return;
  }
  const bool cut = ::ftruncate(fd, start) == 0;
  throw Error(ExitCode::kEnvironment,
              fmt::format("{}: cannot write: {}; the {} bytes written before are kept{}", path,
                          problem, start, cut ? "" : " and a partial last line will be ignored"),
              "write");
}

int open_locked(const std::string& path, int flags) {
  const int fd = ::open(path.c_str(), flags | O_RDWR | O_APPEND | O_CLOEXEC, 0644);
  STEPMARK_REQUIRE(fd >= 0, "{}: cannot write: {}", path,
                   errno == EISDIR ? "it is a directory, expected a file (FILE.smk)"
                                   : std::generic_category().message(errno));
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
    ::close(fd);
    throw Error(ExitCode::kUsage, fmt::format("{}: another process is writing this journal", path));
  }
  struct stat status {};
  if (::fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
    ::close(fd);
    throw Error(
        ExitCode::kUsage,
        fmt::format("{}: cannot write: no regular file, and a journal is read again", path));
  }
  return fd;
}

// The name must survive a crash as well as the content.
void sync_directory_of(const std::string& path) {
  const auto parent = std::filesystem::absolute(path).parent_path();
  const int fd = ::open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd >= 0) {
    ::fsync(fd);
    ::close(fd);
  }
}

}  // namespace

JournalWriter::JournalWriter(std::string path, int fd) : path_(std::move(path)), fd_(fd) {}

JournalWriter::JournalWriter(JournalWriter&& other) noexcept
    : path_(std::move(other.path_)),
      fd_(std::exchange(other.fd_, -1)),
      hash_(std::move(other.hash_)) {}

JournalWriter& JournalWriter::operator=(JournalWriter&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(fd_, other.fd_);
  std::swap(hash_, other.hash_);
  return *this;
}

JournalWriter::~JournalWriter() {
  if (fd_ >= 0) {
    ::close(fd_);
  }
}

const std::string& JournalWriter::path() const { return path_; }

JournalWriter JournalWriter::create(const std::string& path, const RunHeader& header) {
  JournalWriter writer(path, open_locked(path, O_CREAT));
  STEPMARK_REQUIRE(size_of_file(writer.fd_, path) == 0,
                   "{}: exists already: choose another --out, or --resume to continue it", path);
  sync_directory_of(path);
  writer.append_line(header_json(header, "run"));
  return writer;
}

JournalWriter JournalWriter::append(const std::string& path, const RunHeader& header) {
  JournalWriter writer = take_over(path);
  writer.append_line(header_json(header, "resume"));
  return writer;
}

JournalWriter JournalWriter::take_over(const std::string& path) {
  JournalWriter writer(path, open_locked(path, 0));
  JournalTail tail;  // what cannot be read is not added to
  const auto run = parse_lines(read_journal_file(path), path, {}, {}, &tail);
  STEPMARK_REQUIRE(
      run.hashed,
      "{}: schema version {}, written by an older version of stepmark, is read but not "
      "continued; give another --out to start a new run",
      path, run.header.schema_version);
  STEPMARK_CHECK(::ftruncate(writer.fd_, static_cast<off_t>(tail.bytes)) == 0,
                 "{}: cannot cut off an incomplete line: {}", path,
                 std::generic_category().message(errno));
  if (tail.break_missing) {
    append_or_cut(writer.fd_, path, "\n");
  }
  writer.hash_ = tail.hash;
  return writer;
}

void JournalWriter::append_line(const nlohmann::json& json) {
  auto hash = hash_;
  append_or_cut(fd_, path_, chained_line(compact(json), hash) + "\n");
  hash_ = std::move(hash);  // a line that was not written is no link
}

void JournalWriter::write(const Record& record) { append_line(record_line_json(record)); }

void JournalWriter::write(std::span<const Record> records) {
  auto hash = hash_;
  std::string lines;
  for (const Record& record : records) {
    lines += chained_line(compact(record_line_json(record)), hash) + "\n";
  }
  append_or_cut(fd_, path_, lines);
  hash_ = std::move(hash);
}

void JournalWriter::write_end(int exit_code, const std::string& reason) {
  append_line({{"type", "end"}, {"exit_code", exit_code}, {"reason", reason}});
}

}  // namespace stepmark
