// SPDX-License-Identifier: Apache-2.0
// execve of /proc/self/exe with words and environment as the kernel has them. Descriptors that were
// not open at the start close; ignored signals and the CPU mask go back to what they were.
#include "harness/run/process_image.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <system_error>

#include "core/error.h"
#include "harness/measure/process_start.h"

namespace stepmark {
namespace {

// The file itself, also when its name is gone or stands for another by now. Where a loader was told
// to run the program, this and the words are the loader's.
constexpr const char* kProgram = "/proc/self/exe";

// Texts that each end with a zero: what the kernel was given, whatever became of it since.
std::vector<std::string> texts_of(const char* path) {
  std::ifstream file(path, std::ios::binary);
  std::vector<std::string> texts;
  for (std::string text; std::getline(file, text, '\0');) texts.push_back(text);
  return texts;
}

std::vector<int> open_descriptors() {
  std::vector<int> open;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd", ignored)) {
    const std::string name = entry.path().filename().string();
    int number = -1;
    std::from_chars(name.data(), name.data() + name.size(), number);
    if (number >= 0) open.push_back(number);
  }
  return open;
}

bool is_ignored(int signal) {
  struct sigaction action {};
  return sigaction(signal, nullptr, &action) == 0 && action.sa_handler == SIG_IGN;
}

template <class List, class Value>
bool contains(const List& list, const Value& value) {
  return std::find(list.begin(), list.end(), value) != list.end();
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> out;
  for (std::string& text : texts) out.push_back(text.data());
  out.push_back(nullptr);
  return out;
}

}  // namespace

ProcessImage::ProcessImage()
    : words_(texts_of("/proc/self/cmdline")), environment_(texts_of("/proc/self/environ")) {
  for (const int descriptor : open_descriptors()) {
    if (::fcntl(descriptor, F_GETFD) >= 0) descriptors_.push_back(descriptor);
  }
  for (int signal = 1; signal < NSIG; ++signal) {
    if (is_ignored(signal)) ignored_signals_.push_back(signal);
  }
}

void ProcessImage::require_restartable() const {
  STEPMARK_CHECK(!words_.empty(), "cannot restart: /proc/self/cmdline cannot be read");
  STEPMARK_CHECK(::access(kProgram, X_OK) == 0, "cannot restart: the program '{}': {}",
                 words_.front(), std::generic_category().message(errno));
}

void ProcessImage::start_again(const Variables& variables) const {
  std::vector<std::string> words = words_;
  std::vector<std::string> environment;
  for (const std::string& entry : environment_) {
    const std::string name = entry.substr(0, entry.find('='));
    const bool replaced = std::any_of(variables.begin(), variables.end(),
                                      [&](const auto& variable) { return variable.first == name; });
    if (!replaced) environment.push_back(entry);
  }
  for (const auto& [name, value] : variables) {
    environment.push_back(fmt::format("{}={}", name, value));
  }
  for (const int descriptor : open_descriptors()) {
    if (!contains(descriptors_, descriptor)) ::fcntl(descriptor, F_SETFD, FD_CLOEXEC);
  }
  // What is ignored stays so in the new image, which would take it for the wish of its user.
  for (int signal = 1; signal < NSIG; ++signal) {
    if (is_ignored(signal) && !contains(ignored_signals_, signal)) ::signal(signal, SIG_DFL);
  }
  restore_first_mask();  // OpenMP may have bound this thread
  ::execve(kProgram, pointers(words).data(), pointers(environment).data());
  throw Error(ExitCode::kEnvironment,
              fmt::format("cannot restart the program '{}': {}", words_.front(),
                          std::generic_category().message(errno)));
}

}  // namespace stepmark
