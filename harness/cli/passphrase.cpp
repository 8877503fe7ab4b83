// SPDX-License-Identifier: Apache-2.0
// The terminal's echo is switched off while a passphrase is typed, and on again however that ends.
#include "harness/cli/passphrase.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>

#include "core/error.h"

namespace stepmark {

namespace {

constexpr std::size_t kMostLetters = 1024;

class Terminal {
 public:
  Terminal() : fd_(::open("/dev/tty", O_RDWR | O_CLOEXEC)) {
    if (fd_ < 0 || ::tcgetattr(fd_, &before_) != 0) {
      if (fd_ >= 0) ::close(fd_);
      throw Error(ExitCode::kUsage,
                  "there is no terminal to ask for a passphrase on: give --passphrase-file FILE");
    }
    termios silent = before_;
    silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    ::tcsetattr(fd_, TCSAFLUSH, &silent);
  }
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;
  ~Terminal() {
    ::tcsetattr(fd_, TCSAFLUSH, &before_);
    ::close(fd_);
  }

  void say(std::string_view text) const {
    STEPMARK_CHECK(::write(fd_, text.data(), text.size()) >= 0, "cannot write to the terminal");
  }

  [[nodiscard]] std::string line() const {
    std::string out;
    for (char c = 0; ::read(fd_, &c, 1) == 1 && c != '\n';) {
      STEPMARK_REQUIRE(out.size() < kMostLetters, "a passphrase of more than {} bytes",
                       kMostLetters);
      out += c;
    }
    return out;
  }

 private:
  int fd_;
  termios before_{};
};

}  // namespace

std::string passphrase_in(const std::string& file) {
  struct stat status {};
  std::ifstream stream(file);
  STEPMARK_REQUIRE(stream.is_open() && ::stat(file.c_str(), &status) == 0, "{}: cannot open", file);
  STEPMARK_REQUIRE(!S_ISREG(status.st_mode) || (status.st_mode & 0077U) == 0,
                   "{}: others may read this passphrase: `chmod 600` it", file);
  std::string line;
  std::getline(stream, line);
  STEPMARK_REQUIRE(!line.empty(), "{}: no passphrase in its first line", file);
  STEPMARK_REQUIRE(line.size() <= kMostLetters, "{}: a passphrase of more than {} bytes", file,
                   kMostLetters);
  return line;
}

std::string ask_passphrase(const std::string& question) {
  const Terminal terminal;
  terminal.say(question + ": ");
  auto line = terminal.line();
  terminal.say("\n");
  STEPMARK_REQUIRE(!line.empty(), "no passphrase was given");
  return line;
}

}  // namespace stepmark
