// SPDX-License-Identifier: Apache-2.0
// A journal whose name was taken away while it is written: its folder removed or moved, the file
// deleted or replaced. The open file has everything; here it gets a name again.
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <system_error>

#include "core/error.h"
#include "results/record/journal.h"

namespace stepmark {
namespace {

namespace fs = std::filesystem;

bool is_file(const std::string& path, int fd) {
  struct stat named {};
  struct stat open {};
  return ::stat(path.c_str(), &named) == 0 && ::fstat(fd, &open) == 0 &&
         named.st_dev == open.st_dev && named.st_ino == open.st_ino;
}

// The name that the kernel knows for an open file; of a deleted one it is not a path.
std::string name_of(int fd) {
  std::error_code ignored;
  return fs::read_symlink(fmt::format("/proc/self/fd/{}", fd), ignored).string();
}

// Empty when everything was written.
std::string copy_all(int from, int to) {
  std::array<char, 1 << 16> chunk{};
  for (off_t offset = 0;;) {
    const auto got = ::pread(from, chunk.data(), chunk.size(), offset);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return std::generic_category().message(errno);
    if (got == 0) return {};
    for (ssize_t done = 0; done < got;) {
      const auto written = ::write(to, chunk.data() + done, static_cast<std::size_t>(got - done));
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) return std::generic_category().message(errno);
      done += written;
    }
    offset += got;
  }
}

// A file that was not there before, complete and on the disk; -1 with the reason otherwise.
int copy_to_new_file(int from, const std::string& path, std::string& reason) {
  const int to = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0644);
  if (to < 0) {
    reason = std::generic_category().message(errno);
    return -1;
  }
  reason = copy_all(from, to);
  if (reason.empty() && ::fsync(to) != 0 && errno != EINVAL) {
    reason = std::generic_category().message(errno);
  }
  if (reason.empty() && ::flock(to, LOCK_EX | LOCK_NB) == 0) return to;
  ::close(to);
  ::unlink(path.c_str());
  return -1;
}

}  // namespace

std::string JournalWriter::displaced() const {
  if (is_file(path_, fd_)) return {};
  // A file system that does not answer now may do so at the next write.
  struct stat named {};
  if (::stat(path_.c_str(), &named) != 0 && errno != ENOENT && errno != ENOTDIR) return {};
  const std::string now = name_of(fd_);
  if (is_file(now, fd_)) return fmt::format("the journal '{}' was moved to '{}'", path_, now);
  const fs::path folder = fs::absolute(path_).parent_path();
  std::error_code ignored;
  if (!fs::is_directory(folder, ignored)) {
    return fmt::format("the journal's folder '{}' is gone", folder.string());
  }
  return fmt::format("the journal '{}' was {}", path_,
                     fs::exists(path_, ignored) ? "replaced" : "deleted");
}

void JournalWriter::save(const std::vector<std::string>& folders) {
  const std::string now = name_of(fd_);
  if (is_file(now, fd_)) {
    path_ = now;
    return;
  }
  std::string tried;
  for (const std::string& folder : folders) {
    const fs::path name = fs::path(path_).filename();
    for (int n = 0; n < 100; ++n) {
      const std::string file =
          n == 0 ? name.string()
                 : fmt::format("{}-{}{}", name.stem().string(), n, name.extension().string());
      const std::string path = (fs::path(folder) / file).string();
      std::string reason;
      const int fd = copy_to_new_file(fd_, path, reason);
      if (fd >= 0) {
        ::close(fd_);
        fd_ = fd;
        path_ = path;
        return;
      }
      std::error_code ignored;
      if (!fs::exists(path, ignored)) {
        tried += fmt::format("{}{}: {}", tried.empty() ? "" : ", ", folder, reason);
        break;
      }
    }
  }
  throw Error(ExitCode::kEnvironment,
              fmt::format("no place for a copy of what was measured ({})", tried));
}

}  // namespace stepmark
