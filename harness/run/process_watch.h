// SPDX-License-Identifier: Apache-2.0
// Notices at once when a process ends that is not a child: the launcher, or another rank of the
// host.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace stepmark {

class ProcessWatch {
 public:
  // `gone` runs once for each process that ends, on a thread of its own; for the first of `pids`
  // first when several ended at the same time.
  ProcessWatch(const std::vector<long>& pids, std::function<void(long pid)> gone);
  // Waits for a running `gone`.
  ~ProcessWatch();
  ProcessWatch(const ProcessWatch&) = delete;
  ProcessWatch& operator=(const ProcessWatch&) = delete;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// State letter of /proc/PID/stat ('R', 'S', 'T', 'Z' ...), or 0 when there is no such process.
[[nodiscard]] char process_state(long pid);
// There is one, and it has not ended.
[[nodiscard]] bool process_runs(long pid);
[[nodiscard]] std::vector<long> running_children(long pid);
[[nodiscard]] bool environment_has(long pid, const std::string& variable_and_value);
[[nodiscard]] bool handles_signal(long pid, int signal);
// At most 15 characters; empty when there is no such process.
[[nodiscard]] std::string process_name(long pid);

}  // namespace stepmark
