// SPDX-License-Identifier: Apache-2.0
// A regular file is replaced whole: temporary beside it, fsync, rename. Pipes, terminals and the
// process's own stdout are written in place, as replacing would part them from who reads; a closed
// pipe becomes EPIPE and never a signal.
#include "core/output.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <optional>
#include <system_error>

#include "core/error.h"

namespace stepmark {
namespace {

// A closed pipe becomes EPIPE here and not a signal, whatever other threads have in mind with it.
class NoSigpipe {
 public:
  NoSigpipe() {
    sigemptyset(&pipe_);
    sigaddset(&pipe_, SIGPIPE);
    sigset_t pending;
    sigpending(&pending);
    was_pending_ = sigismember(&pending, SIGPIPE) == 1;
    pthread_sigmask(SIG_BLOCK, &pipe_, &before_);
  }
  ~NoSigpipe() {
    const timespec now{};
    while (!was_pending_ && sigtimedwait(&pipe_, nullptr, &now) == SIGPIPE) {
    }
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  NoSigpipe(const NoSigpipe&) = delete;
  NoSigpipe& operator=(const NoSigpipe&) = delete;

 private:
  sigset_t pipe_{};
  sigset_t before_{};
  bool was_pending_ = false;
};

// 0, or errno.
int write_all(int fd, std::string_view text) {
  const NoSigpipe guard;
  while (!text.empty()) {
    const auto written = ::write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return errno;
    if (written == 0) return EIO;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return 0;
}

// Closes also on failure; 0 or errno. File systems over a network report a full disk here.
int close_after(int fd, int error) {
  const int closed = ::close(fd) == 0 ? 0 : errno;
  return error != 0 ? error : closed;
}

[[noreturn]] void fail(std::string_view path, std::string_view why) {
  throw Error(ExitCode::kEnvironment, fmt::format("cannot write '{}': {}", path, why));
}

std::string text_of(int error) { return std::generic_category().message(error); }

bool same_file(const struct stat& a, const struct stat& b) {
  return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

// The descriptor of this process's own that `status` is, as with /dev/stdout: replacing such a file
// would part it from what is written to it later.
std::optional<int> own_descriptor(const struct stat& status) {
  for (const int fd : {STDOUT_FILENO, STDERR_FILENO}) {
    struct stat own {};
    if (::fstat(fd, &own) == 0 && same_file(own, status)) return fd;
  }
  return std::nullopt;
}

int write_in_place(const std::string& path, int flags, std::string_view text) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NOCTTY | flags, 0666);
  return fd < 0 ? errno : close_after(fd, write_all(fd, text));
}

// The temporary file as the old one was, as far as we may.
void take_over(int fd, const struct stat& old) {
  static_cast<void>(::fchown(fd, old.st_uid, old.st_gid) == 0);  // only root may, mostly
  static_cast<void>(::fchmod(fd, old.st_mode & 07777U) == 0);
}

// The file that `path` means: behind symlinks, also where their target is yet to be made.
std::string target_of(const std::string& path) {
  std::filesystem::path target = path;
  std::error_code error;
  for (int links = 0; links < 40 && std::filesystem::is_symlink(target, error); ++links) {
    const auto next = std::filesystem::read_symlink(target, error);
    if (error) break;
    target = next.is_absolute() ? next : target.parent_path() / next;
  }
  return target.string();
}

int replace_file(const std::string& target, const struct stat* old, std::string_view text) {
  const std::string temporary = fmt::format("{}.{}.tmp", target, ::getpid());
  const int fd =
      ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
  if (fd < 0) return write_in_place(target, O_CREAT | O_TRUNC, text);
  if (old != nullptr) take_over(fd, *old);
  int error = write_all(fd, text);
  if (error == 0 && ::fsync(fd) != 0 && errno != EINVAL) error = errno;
  error = close_after(fd, error);
  if (error == 0 && ::rename(temporary.c_str(), target.c_str()) == 0) return 0;
  const int renamed = error == 0 ? errno : 0;
  ::unlink(temporary.c_str());
  return renamed != 0 ? write_in_place(target, O_CREAT | O_TRUNC, text) : error;
}

}  // namespace

void write_stdout(std::string_view text) {
  std::fflush(stdout);  // what others have printed comes first
  const int error = write_all(STDOUT_FILENO, text);
  if (error == EPIPE) throw OutputClosed{};
  if (error != 0) {
    throw Error(ExitCode::kEnvironment,
                fmt::format("the result could not be written to stdout: {}", text_of(error)));
  }
}

void write_output_file(const std::string& path, std::string_view text) {
  struct stat status {};
  const bool exists = ::stat(path.c_str(), &status) == 0;
  if (!exists && errno != ENOENT) fail(path, text_of(errno));
  if (exists && S_ISDIR(status.st_mode)) fail(path, "it is a folder; name a file in it");
  if (exists && S_ISSOCK(status.st_mode)) fail(path, "it is a socket");
  if (exists && S_ISBLK(status.st_mode)) fail(path, "it is a block device, and stays as it is");
  int error = 0;
  if (const auto own = exists ? own_descriptor(status) : std::nullopt) {
    std::fflush(*own == STDOUT_FILENO ? stdout : stderr);
    error = write_all(*own, text);
    if (error == EPIPE) throw OutputClosed{};
  } else if (exists && !S_ISREG(status.st_mode)) {
    error = write_in_place(path, 0, text);
  } else {
    error = replace_file(target_of(path), exists ? &status : nullptr, text);
  }
  if (error != 0) fail(path, text_of(error));
}

}  // namespace stepmark
