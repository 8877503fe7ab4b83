// SPDX-License-Identifier: Apache-2.0
// Starting this process again from nothing: the same program, words, environment, open files and
// process id; new memory, threads, libraries and devices. A launcher sees one process all the time.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace stepmark {

using Variables = std::vector<std::pair<std::string, std::string>>;  // name, value

class ProcessImage {
 public:
  // Remembers what the process was started with. Before anything opens files or changes what is
  // done with signals.
  ProcessImage();

  // Error(kEnvironment) when the program could not be started again now.
  void require_restartable() const;
  // Replaces the process; `variables` are set in the new environment. Files opened since the start
  // are closed; blocked signals stay blocked and pending ones pending, so that none is lost on the
  // way. Returns only by Error(kEnvironment).
  [[noreturn]] void start_again(const Variables& variables) const;

 private:
  std::vector<std::string> words_;
  std::vector<std::string> environment_;  // NAME=VALUE
  std::vector<int> descriptors_;
  std::vector<int> ignored_signals_;
};

}  // namespace stepmark
