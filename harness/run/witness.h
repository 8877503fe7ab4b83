// SPDX-License-Identifier: Apache-2.0
// The last words of a process that cannot say them itself: killed by SIGKILL, crashed, or ended by
// a library that calls exit(). A child process without threads, made before MPI starts, in a
// session of its own, so that what ends the process does not reach it. It waits for the end of the
// process and then either leaves at once, because the end was in order, or writes what is known
// into the journal, says it in one line, and leaves.
#pragma once

#include <sys/types.h>

#include <memory>
#include <mutex>
#include <string>
#include <string_view>

namespace stepmark {

struct WitnessPage;  // shared by the process and its witness

class Witness {
 public:
  // Before any thread is started. `rank`: as the launcher says, or 0. `spoke`: what rank 0 gets as
  // a note when the witness of another rank has spoken before the ranks know each other.
  explicit Witness(int rank, int spoke = 0);
  // The process goes on without: its end will be in order.
  ~Witness();
  Witness(const Witness&) = delete;
  Witness& operator=(const Witness&) = delete;

  // Where the run is: "during case 'x'". Any thread.
  void at(std::string_view where);
  [[nodiscard]] std::string where() const;
  // Rank 0 of the job is on this host and will speak for this rank.
  void spoken_for(int rank);
  // Rank 0: the journal to end, an absolute path, and what to say of it.
  void keeps(std::string_view journal, std::string_view kept);
  // Someone has spoken or will. Async-signal-safe.
  void silence() noexcept;
  // The process dies of this signal. Async-signal-safe.
  void crashed(int signal) noexcept;
  // The process was told to end by this signal, and is about to.
  void told_to_end(int signal) noexcept;

  [[nodiscard]] pid_t pid() const { return pid_; }

 private:
  mutable std::mutex mutex_;
  WitnessPage* page_;
  int alive_ = -1;  // the end of a pipe that closes when the process ends
  pid_t pid_ = -1;
};

}  // namespace stepmark
