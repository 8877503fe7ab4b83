// SPDX-License-Identifier: Apache-2.0
// Files of keys on the disk: made with O_EXCL and mode 0600, so that no moment and no umask shows
// a secret to others, and read only while nobody else can.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

#include "core/error.h"
#include "core/output.h"
#include "results/seal/keys.h"

namespace stepmark {

namespace {

constexpr std::size_t kMostBytes = 1U << 16U;  // of a key file; far above what one has

std::string message_of(int number) { return std::generic_category().message(number); }

class File {
 public:
  explicit File(int fd) : fd_(fd) {}
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  ~File() {
    if (fd_ >= 0) ::close(fd_);
  }
  [[nodiscard]] int fd() const { return fd_; }

 private:
  int fd_;
};

std::string read_all(const File& file, const std::string& path) {
  std::string text(kMostBytes + 1, '\0');
  std::size_t size = 0;
  while (size < text.size()) {
    const auto got = ::read(file.fd(), text.data() + size, text.size() - size);
    if (got < 0 && errno == EINTR) continue;
    STEPMARK_REQUIRE(got >= 0, "{}: cannot read: {}", path, message_of(errno));
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  STEPMARK_REQUIRE(size <= kMostBytes, "{}: over {} bytes are no key", path, kMostBytes);
  text.resize(size);
  return text;
}

}  // namespace

void write_private_file(const std::string& path, std::string_view text) {
  const File file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  STEPMARK_REQUIRE(file.fd() >= 0 || errno != EEXIST,
                   "{}: exists already and is not replaced: choose another name", path);
  STEPMARK_CHECK(file.fd() >= 0, "{}: cannot write: {}", path, message_of(errno));
  STEPMARK_CHECK(::fchmod(file.fd(), 0600) == 0, "{}: cannot be made private: {}", path,
                 message_of(errno));
  for (auto rest = text; !rest.empty();) {
    const auto written = ::write(file.fd(), rest.data(), rest.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) {
      const int problem = errno;
      ::unlink(path.c_str());
      throw Error(ExitCode::kEnvironment,
                  fmt::format("{}: cannot write: {}", path, message_of(problem)));
    }
    rest.remove_prefix(static_cast<std::size_t>(written));
  }
  ::fsync(file.fd());
}

SigningKey SigningKey::from_file(const std::string& path, const AskPassphrase& ask) {
  const File file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  STEPMARK_REQUIRE(file.fd() >= 0, "{}: cannot open: {}", path, message_of(errno));
  struct stat status {};
  STEPMARK_CHECK(::fstat(file.fd(), &status) == 0, "{}: {}", path, message_of(errno));
  STEPMARK_REQUIRE((status.st_mode & 0077U) == 0,
                   "{}: others may read this key (mode {:04o}, expected 0600): make a new one, or "
                   "`chmod 600` it if nobody did",
                   path, status.st_mode & 07777U);
  return from_text(read_all(file, path), path, ask);
}

PublicKey write_new_key(const std::string& path, const std::optional<std::string>& passphrase) {
  const std::string beside = path + ".pub";
  std::error_code ignored;
  for (const auto& name : {path, beside}) {
    STEPMARK_REQUIRE(!std::filesystem::exists(std::filesystem::symlink_status(name, ignored)),
                     "{}: exists already and is not replaced: choose another name", name);
  }
  const auto key = SigningKey::generate();
  const auto public_key = key.public_key();
  write_private_file(path, key.file_text(passphrase));
  write_output_file(beside, public_key.pem());
  return public_key;
}

}  // namespace stepmark
